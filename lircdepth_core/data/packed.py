# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames in one safetensors file, held in memory or on a GPU: training at the speed of the network, with no dataset,
no decoding and no package but safetensors."""

import functools
import itertools
import json

import torch

from lircdepth_core import processes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

_DEPTHS = ("dense", "single", "exact")  # kept as uint16, metres * 256, which is what depth PNGs hold
_TOGETHER = 4  # consecutive frames that one process makes: of one street
_METADATA_KEY = "lircdepth_frames"


def pack(frames, path, jobs=1):
    """Write a source of frames (see data.dataset) to ``path``; with jobs > 1 that many processes make them."""
    from safetensors.torch import save_file
    from tqdm import tqdm

    columns = {}
    together = [range(i, min(i + _TOGETHER, len(frames))) for i in range(0, len(frames), _TOGETHER)]
    with tqdm(total=len(frames), unit="frame", disable=None) as bar:
        single_threaded = functools.partial(torch.set_num_threads, 1)
        some = processes.run(functools.partial(_rows, frames), together, jobs, bar.update, start=single_threaded)
    for row in itertools.chain.from_iterable(some):
        for name, value in row.items():
            columns.setdefault(name, []).append(torch.from_numpy(value))
    if not columns:
        raise LircDepthError(f"{path}: no frames to write")
    most = max(value.shape[1] for value in columns["radar"])
    columns["radar"] = [torch.nn.functional.pad(value, (0, most - value.shape[1])) for value in columns["radar"]]
    header = {"focal_length": float(frames.focal_length), "description": frames.description}
    tensors = {name: torch.stack(values).contiguous() for name, values in columns.items()}
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata={_METADATA_KEY: json.dumps(header)})


def frames_in(path):
    """Return how many frames a file holds, without reading them. Raises LircDepthError when it is missing."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.get_slice("image").get_shape()[0]
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error


def _rows(frames, indices, advance):
    rows = []
    for index in indices:
        rows.append(_row(frames, index))
        advance(1)
    return rows


def _row(frames, index):
    """A frame as it is kept: NumPy arrays, which processes pass on without holding files open."""
    row = {}
    for name, value in frames.frame(index).items():
        if name == "radar":
            rows, cols = torch.nonzero(value[0] > 0, as_tuple=True)
            value = torch.cat([torch.stack([rows, cols]).float(), value[:, rows, cols].float()])
        elif name in _DEPTHS:
            value = (value * 256).round()
            value = torch.where(value < 2**16, value, 0.0).to(torch.int32).to(torch.uint16)
        row[name] = value.cpu().numpy()
    return row


class PackedFrames:
    """Frames that ``pack`` wrote, on a device. Raises LircDepthError when the file is missing or another's."""

    def __init__(self, path, device="cpu"):
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                header = json.loads((file.metadata() or {})[_METADATA_KEY])
                self._columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except FileNotFoundError as error:
            raise LircDepthError(f"{path}: no such file of frames") from error
        except (KeyError, SafetensorError) as error:
            raise LircDepthError(f"{path}: not a complete file of frames ({type(error).__name__}: {error})") from error
        self.focal_length, self.description = header["focal_length"], header["description"]
        self.size = tuple(self._columns["image"].shape[-2:])

    def __len__(self):
        return len(self._columns["image"])

    def frame(self, index):
        """Return the raw frame ``index``, see data.augmentation."""
        frame = {name: column[index] for name, column in self._columns.items()}
        rows, cols, *values = frame["radar"]
        values = torch.stack(values)
        measured = values[0] > 0  # the rest is padding
        radar = values.new_zeros(4, *self.size)
        radar[:, rows[measured].long(), cols[measured].long()] = values[:, measured]
        depths = {name: frame[name].to(torch.int32).float() / 256 for name in _DEPTHS if name in frame}
        return frame | depths | {"radar": radar}
