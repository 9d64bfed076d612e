# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames in one safetensors file, held in memory or on a GPU.

Training on them is as fast as the network, and needs no data set, no decoding and no package but safetensors.
"""

import functools
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt
import torch

from lircdepth_core import processes
from lircdepth_core.data.frame import Frame, FrameSource
from lircdepth_core.data.ground_truth.depth_files import DEPTH_UNITS_PER_METRE
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

_DEPTH_MAPS = ("dense", "single", "exact")  # kept as uint16 in the unit of depth files
_FRAMES_A_TASK = 4  # consecutive ones, which one process makes: they show the same street
_METADATA_KEY = "lircdepth_frames"


# A frame as it is kept. NumPy arrays, unlike tensors, pass between processes without open files.
_Row: TypeAlias = dict[str, npt.NDArray[Any]]


def pack(frames: FrameSource, path: str | Path, jobs: int = 1) -> None:
    """Write a source of frames to ``path``; with jobs > 1 that many processes make them.

    The file appears when it is complete. Raises LircDepthError when the source has no frame.
    """
    from safetensors.torch import save_file
    from tqdm import tqdm

    columns: dict[str, list[torch.Tensor]] = {}
    tasks = [range(i, min(i + _FRAMES_A_TASK, len(frames))) for i in range(0, len(frames), _FRAMES_A_TASK)]
    with tqdm(total=len(frames), unit="frame", disable=None) as bar:
        single_threaded = functools.partial(torch.set_num_threads, 1)
        results = processes.run(functools.partial(_rows, frames), tasks, jobs, bar.update, start=single_threaded)
    for row in itertools.chain.from_iterable(results):
        for name, value in row.items():
            columns.setdefault(name, []).append(torch.from_numpy(value))
    if not columns:
        raise LircDepthError(f"{path}: no frames to write")
    most_returns = max(value.shape[1] for value in columns["radar"])
    columns["radar"] = [
        torch.nn.functional.pad(value, (0, most_returns - value.shape[1])) for value in columns["radar"]
    ]
    header = {"focal_length": float(frames.focal_length), "description": frames.description}
    tensors = {name: torch.stack(values).contiguous() for name, values in columns.items()}
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata={_METADATA_KEY: json.dumps(header)})


def frames_in(path: str | Path) -> int:
    """Return how many frames a file holds, without reading them. Raises LircDepthError when it is missing."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            count: int = file.get_slice("image").get_shape()[0]
            return count
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error


def _rows(frames: FrameSource, indices: Sequence[int], advance: Callable[[int], object]) -> list[_Row]:
    rows = []
    for index in indices:
        rows.append(_row(frames, index))
        advance(1)
    return rows


def _row(frames: FrameSource, index: int) -> _Row:
    """Return a frame as it is kept: "radar" is [6, M], the row, column and four values of each of M returns."""
    row: _Row = {}
    for name, value in frames.frame(index).items():
        if name == "radar":
            rows, cols = torch.nonzero(value[0] > 0, as_tuple=True)
            value = torch.cat([torch.stack([rows, cols]).float(), value[:, rows, cols].float()])
        elif name in _DEPTH_MAPS:
            value = (value * DEPTH_UNITS_PER_METRE).round()
            value = torch.where(value < 2**16, value, 0.0).to(torch.int32).to(torch.uint16)
        row[name] = value.cpu().numpy()
    return row


class PackedFrames:
    """A source of the frames that ``pack`` wrote, on a device.

    Raises LircDepthError when the file is missing, incomplete or of another kind.
    """

    def __init__(self, path: str | Path, device: str | torch.device = "cpu") -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                header = json.loads((file.metadata() or {})[_METADATA_KEY])
                self._columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except FileNotFoundError as error:
            raise LircDepthError(f"{path}: no such file of frames") from error
        except (KeyError, SafetensorError) as error:
            raise LircDepthError(f"{path}: not a complete file of frames ({type(error).__name__}: {error})") from error
        self.focal_length: float = header["focal_length"]
        self.description: str = header["description"]
        height, width = self._columns["image"].shape[-2:]
        self.size = height, width

    def __len__(self) -> int:
        return len(self._columns["image"])

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame."""
        frame = {name: column[index] for name, column in self._columns.items()}
        rows, cols, *channels = frame["radar"]
        values = torch.stack(channels)
        measured = values[0] > 0  # the others are padding
        radar = values.new_zeros(4, *self.size)
        radar[:, rows[measured].long(), cols[measured].long()] = values[:, measured]
        for name in frame.keys() & set(_DEPTH_MAPS):
            frame[name] = frame[name].to(torch.int32).float() / DEPTH_UNITS_PER_METRE
        return frame | {"radar": radar}
