# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames in safetensors files, held in memory or on a GPU.

Training on them is as fast as the network, and needs no data set, no decoding and no package but safetensors.
"""

import bisect
import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lircdepth_core import work
from lircdepth_core.data.frame import Frame, FrameSource, sha256_of
from lircdepth_core.data.ground_truth.depth_files import DEPTH_UNITS_PER_METRE
from lircdepth_core.data.parts import Parts, Row
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import file_sha256, item_lock
from lircdepth_core.manifest import Entry, Manifest, entry_of
from lircdepth_core.progress import Advance, progress
from lircdepth_core.work import Workers

_DEPTH_MAPS = ("dense", "single", "exact", "rendered")  # kept as uint16 in the unit of depth files
_FRAMES_A_TASK = 4  # consecutive ones, which one process makes: they show the same street
METADATA_KEY = "lircdepth_frames"


def output_file(path: str | Path) -> Path:
    """Return the path of a file of frames that is to be written, in a folder that is made where it is missing.

    Called before any work. Raises LircDepthError and OSError where no such file can be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors" or path.is_dir():
        raise LircDepthError(f"{path}: expected the name of a file that ends in .safetensors")
    folder = path.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise LircDepthError(f"{folder}: cannot be written to")
    return path


def pack(
    frames: FrameSource,
    path: str | Path,
    workers: Workers = Workers(),  # noqa: B008 - frozen
    indices: range | None = None,
    tell: bool = False,
    advance: Advance | None = None,
) -> None:
    """Write a source of frames to ``path``; workers make them, and this process puts them together.

    indices: of the frames to write, None: all. The file appears when it is complete; until then its frames are kept in
    a hidden folder beside it, from which a stopped run goes on. Memory does not grow with their number. tell: print how
    long it will take and how far it is. advance: called with the numbers of frames that are made. Raises LircDepthError
    when the source has no frame, and where the disk is too small.
    """
    path, wanted = Path(path), range(len(frames)) if indices is None else indices
    if not wanted:
        raise LircDepthError(f"{path}: no frames to write")
    began = time.monotonic()
    first = packed_row(frames, wanted[0])
    seconds = time.monotonic() - began
    size, free = len(wanted) * _row_bytes(first), shutil.disk_usage(path.absolute().parent).free
    if 2 * size > free:
        raise LircDepthError(f"{path}: up to {2 * size:,} bytes are needed while it is made, and {free:,} are free")
    parts = Parts(path, _fingerprint(frames, wanted, first), padded=("radar",))
    tasks = [wanted[i : i + _FRAMES_A_TASK] for i in range(0, len(wanted), _FRAMES_A_TASK)]
    missing = [task for task in tasks if not parts.is_made(task[0])]
    left = sum(map(len, missing))
    if tell:
        made = "" if left == len(wanted) else f", {len(wanted) - left} of them made before"
        print(
            f"{frames.description}: {len(wanted)} frames{made}: about {seconds * left / workers.jobs / 60:.0f} minutes "
            f"and {size / 1e6:.0f} MB, twice that while it is made",
            flush=True,
        )
    write = functools.partial(_write_part, frames, parts)
    with progress(len(wanted), "frame", len(wanted) - left) if tell else _told(advance) as count:
        work.run(
            write, missing, workers, count, lambda part: f"frame {part[0]} to {part[-1]}", start=_one_thread,
            output=parts.folder,
        )  # fmt: skip
    parts.assemble(path, [task[0] for task in tasks], {METADATA_KEY: json.dumps(_header(frames))})


@contextlib.contextmanager
def _told(advance: Advance | None) -> Iterator[Advance]:
    yield advance or (lambda count: None)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _row_bytes(row: Row) -> int:
    return sum(value.nbytes for value in row.values())


def _fingerprint(frames: FrameSource, indices: range, first: Row) -> str:
    """Return what tells these frames from others: whatever changes the frames changes the first one."""
    digest = hashlib.sha256(json.dumps([_header(frames), list(frames.size), len(frames), list(indices)]).encode())
    for name in sorted(first):
        digest.update(name.encode() + np.ascontiguousarray(first[name]).tobytes())
    return digest.hexdigest()


def _write_part(frames: FrameSource, parts: Parts, indices: Sequence[int], advance: Callable[[int], object]) -> None:
    parts.write(indices[0], _rows(frames, indices, advance))


def shards_of(count: int, length: int) -> list[range]:
    """Return the indices of each file when ``count`` frames are written into files of ``length`` frames."""
    return [range(first, min(first + length, count)) for first in range(0, count, length)]


def shard_path(folder: Path, indices: range) -> Path:
    """Return the file that holds the frames ``indices`` of a folder."""
    return folder / f"frames-{indices.start:06d}.safetensors"


def pack_shards(
    frames: FrameSource,
    folder: Path,
    length: int,
    workers: Workers = Workers(),  # noqa: B008 - frozen
) -> None:
    """Write the files of a folder that are missing, of ``length`` frames each, and say how far it is.

    Each file is made by one worker, and stands in the folder's manifest. Raises LircDepthError where a file there holds
    other frames than these, and where the disk is too small.
    """
    shards = shards_of(len(frames), length)
    missing = [indices for indices in shards if not _is_there(frames, folder, indices)]
    left = sum(map(len, missing))
    print(f"{folder}: {frames.description}: {len(frames) - left} of {len(frames)} frames are there", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    if missing:
        _estimate(frames, folder, missing[0][0], left, workers)
    recorded = Manifest(folder)
    todo = [each for each in shards if each in missing or not recorded.is_done(shard_path(folder, each).name)]
    write = functools.partial(_write_shard, frames, folder)
    with progress(len(frames), "frame", len(frames) - left) as advance:
        work.run(
            write, todo, workers, advance, lambda each: shard_path(folder, each).name,
            lambda _, entry: recorded.record(entry), _one_thread, output=folder,
        )  # fmt: skip


def _write_shard(frames: FrameSource, folder: Path, indices: range, advance: Advance) -> Entry:
    """Write a file of a folder unless it is there; return its entry for the manifest."""
    path = shard_path(folder, indices)
    with item_lock(path):
        if not path.exists():
            pack(frames, path, indices=indices, advance=advance)
    return entry_of(folder, path.name, [path], frames=len(indices))


def _estimate(frames: FrameSource, folder: Path, index: int, left: int, workers: Workers) -> None:
    """Print what is left to do, from one frame. Raises LircDepthError where the disk is too small."""
    began = time.monotonic()
    size = sum(value.nbytes for name, value in packed_row(frames, index).items() if name != "radar") * left
    free = shutil.disk_usage(folder).free
    print(
        f"the rest takes about {(time.monotonic() - began) * left / workers.jobs / 60:.0f} minutes and at most "
        f"{size / 1e6:.0f} MB ({free / 1e6:.0f} MB free)",
        flush=True,
    )
    if size > free:
        raise LircDepthError(f"{folder}: {free / 1e6:.0f} MB are free, and up to {size / 1e6:.0f} MB are needed")


def _is_there(frames: FrameSource, folder: Path, indices: range) -> bool:
    """Return whether a file of a folder is there. Raises LircDepthError where it holds other frames than these."""
    path = shard_path(folder, indices)
    if not path.exists():
        return False
    written, expected = _identity(path), (len(indices), tuple(frames.size), _header(frames))
    if written != expected:
        raise LircDepthError(f"{path}: holds other frames than these: {written}, expected {expected}")
    return True


def _header(frames: FrameSource) -> dict[str, Any]:
    return {"focal_length": float(frames.focal_length), "description": frames.description}


def _identity(path: Path) -> tuple[int, tuple[int, ...], dict[str, Any]]:
    """Return number, size and header of a file's frames. Raises LircDepthError as PackedFrames."""
    with _opened(path) as file:
        count, _, *size = file.get_slice("image").get_shape()
        return count, tuple(size), json.loads((file.metadata() or {})[METADATA_KEY])


@contextlib.contextmanager
def _opened(path: str | Path, device: str = "cpu") -> Iterator[Any]:
    """Open a file of frames. Raises LircDepthError when it is missing, incomplete or of another kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device=device) as file:
            yield file
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error
    except (KeyError, SafetensorError, OSError) as error:
        raise LircDepthError(f"{path}: not a complete file of frames ({type(error).__name__}: {error})") from error


def focal_length_of(path: str | Path) -> float:
    """Return the focal length [px] of a file's frames, without reading them. Raises LircDepthError as PackedFrames."""
    with _opened(path) as file:
        return float(json.loads((file.metadata() or {})[METADATA_KEY])["focal_length"])


def frames_in(path: str | Path) -> int:
    """Return how many frames a file holds, without reading them. Raises LircDepthError when it is missing."""
    with _opened(path) as file:
        count: int = file.get_slice("image").get_shape()[0]
        return count


def _rows(frames: FrameSource, indices: Sequence[int], advance: Callable[[int], object]) -> list[Row]:
    rows = []
    for index in indices:
        rows.append(packed_row(frames, index))
        advance(1)
    return rows


def packed_row(frames: FrameSource, index: int) -> Row:
    """Return a frame as it is kept: "radar" is [6, M], the row, column and four values of each of M returns."""
    row: Row = {}
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
        with _opened(path, str(device)) as file:
            header = json.loads((file.metadata() or {})[METADATA_KEY])
            self._columns = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        self._path, self._device, self.name = path, device, str(path)
        self.focal_length: float = header["focal_length"]
        self.description: str = header["description"]
        height, width = self._columns["image"].shape[-2:]
        self.size = height, width

    def __len__(self) -> int:
        return len(self._columns["image"])

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedFrames, (self._path, self._device)

    def sha256(self) -> str:
        """Return the SHA-256 of the file."""
        return file_sha256(self._path)

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame."""
        return decoded({name: column[index] for name, column in self._columns.items()}, self.size)


def decoded(row: Frame, size: tuple[int, int]) -> Frame:
    """Return the raw frame of a row of a file, see data.frame."""
    rows, cols, *channels = row["radar"]
    values = torch.stack(channels)
    measured = values[0] > 0  # the others are padding
    radar = values.new_zeros(4, *size)
    radar[:, rows[measured].long(), cols[measured].long()] = values[:, measured]
    for name in row.keys() & set(_DEPTH_MAPS):
        row[name] = row[name].to(torch.int32).float() / DEPTH_UNITS_PER_METRE
    return row | {"radar": radar}


class JoinedFrames:
    """Several sources of frames of one size and focal length as one. Raises LircDepthError where they differ."""

    def __init__(self, sources: Sequence[FrameSource]) -> None:
        self._sources = list(sources)
        if not self._sources:
            raise LircDepthError("no frames to join")
        first = self._sources[0]
        self.size, self.focal_length = first.size, first.focal_length
        for source in self._sources:
            if tuple(source.size) != tuple(self.size) or source.focal_length != self.focal_length:
                raise LircDepthError(
                    f"{_name(source)}: {source.size} pixels, focal length {source.focal_length:g}, expected "
                    f"{self.size} and {self.focal_length:g} as of {_name(first)}"
                )
        self.lengths = tuple(map(len, self._sources))
        self._starts = [0, *itertools.accumulate(self.lengths)]
        kinds = list(dict.fromkeys(source.description for source in self._sources))
        self.description = f"{'; '.join(kinds)} ({len(self)} frames)"

    def __len__(self) -> int:
        return self._starts[-1]

    def sha256(self) -> str:
        """Return the SHA-256 of those of the sources."""
        return hashlib.sha256(" ".join(map(sha256_of, self._sources)).encode()).hexdigest()

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame."""
        which, place = self._place(index)
        return self._sources[which].frame(place)

    def _place(self, index: int) -> tuple[int, int]:
        """Return which source has a frame, and its index there."""
        which = bisect.bisect_right(self._starts, index) - 1
        return which, index - self._starts[which]


def _name(source: FrameSource) -> str:
    """Return what an error calls a source: its file, where it has one."""
    return str(getattr(source, "name", source.description))


def open_packed(paths: str | Path | Sequence[str | Path], device: str | torch.device = "cpu") -> FrameSource:
    """Return the frames of a file, of all files in a folder, or of several of both, on a device.

    Raises LircDepthError as PackedFrames and JoinedFrames, and for a folder without a file of frames.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    files: list[Path] = []
    for path in map(Path, paths):
        found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
        if not found:
            raise LircDepthError(f"{path}: no file of frames (*.safetensors) in this folder")
        files += (file for file in found if not file.name.startswith("."))
    sources = [PackedFrames(file, device) for file in files]
    return sources[0] if len(sources) == 1 else JoinedFrames(sources)
