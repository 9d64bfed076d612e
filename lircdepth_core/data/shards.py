# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames that do not fit into memory: files of them, mapped when they are read, from a disk or an object store.

A file's own header is its index. A few files are open at a time, and the order of training (sampling.shard_order) stays
within them, so that memory depends on neither the number of frames nor that of files.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import itertools
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lircdepth_core.data.frame import Frame
from lircdepth_core.data.packed import METADATA_KEY, decoded
from lircdepth_core.data.parts import TYPES
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import file_sha256, locked, written_whole
from lircdepth_core.manifest import NAME as MANIFEST
from lircdepth_core.packages import import_package

_HEADER_GUESS_BYTES = 4096  # read at once; a header of more columns is read again
_CACHED_FOR_EACH_OPEN = 4  # files in the cache of an object store for each open one: several processes use it


class _Header(NamedTuple):
    """What a file says of itself: {column: (dtype, shape, offset in the file)}, and its metadata."""

    columns: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]]
    metadata: dict[str, Any]


class ShardedFrames:
    """The frames of several files, of one size and focal length, see data.frame.

    paths: files, folders of them, or URLs of either, of any store that fsspec knows. window: so many files are open at
    a time. cache: folder on this machine for files of an object store, which keeps a few times ``window`` of them; any
    number of processes may share it. Raises LircDepthError as PackedFrames and JoinedFrames, and where a URL comes
    without a cache.
    """

    def __init__(self, paths: Sequence[str | Path], window: int = 8, cache: str | Path | None = None) -> None:
        if window < 1:
            raise LircDepthError(f"window is {window}, expected 1 file or more")
        self.window = window
        self._files = _files_of(paths, cache, window)
        headers = [file.header() for file in self._files]
        shapes = [header.columns["image"][1] for header in headers]
        self.lengths = tuple(shape[0] for shape in shapes)
        first = headers[0].metadata
        self.size: tuple[int, int] = (shapes[0][2], shapes[0][3])
        self.focal_length: float = first["focal_length"]
        for file, header, shape in zip(self._files, headers, shapes, strict=True):
            if shape[2:] != shapes[0][2:] or header.metadata["focal_length"] != self.focal_length:
                raise LircDepthError(
                    f"{file.name}: {shape[2:]} pixels, focal length {header.metadata['focal_length']:g}, expected "
                    f"{self.size} and {self.focal_length:g} as of {self._files[0].name}"
                )
        kinds = list(dict.fromkeys(header.metadata["description"] for header in headers))
        self._starts: list[int] = [0, *itertools.accumulate(self.lengths)]
        self.description = f"{'; '.join(kinds)} ({len(self)} frames)"
        self._opened = functools.lru_cache(maxsize=window)(self._open)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._opened = functools.lru_cache(maxsize=self.window)(self._open)

    def sha256(self) -> str:
        """Return the SHA-256 of those of the files, which a manifest beside them has."""
        return hashlib.sha256(" ".join(file.sha256() for file in self._files).encode()).hexdigest()

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame; a copy, so that its file can be closed."""
        which = bisect.bisect_right(self._starts, index) - 1
        columns = self._opened(which)
        return decoded(
            {name: column[index - self._starts[which]].clone() for name, column in columns.items()}, self.size
        )

    def _open(self, which: int) -> dict[str, torch.Tensor]:
        path, header = self._files[which].mapped()
        return {
            name: torch.from_numpy(np.memmap(path, dtype, "c", offset, shape))  # "c": torch refuses what is read-only
            for name, (dtype, shape, offset) in header.columns.items()
        }


class _File:
    """A file of frames on this machine."""

    def __init__(self, path: Path, recorded: str | None) -> None:
        self.name, self._path, self._recorded = str(path), path, recorded

    def header(self) -> _Header:
        try:
            with self._path.open("rb") as file:
                return _parsed(self.name, file.read(_HEADER_GUESS_BYTES), lambda: self._path.read_bytes())
        except FileNotFoundError as error:
            raise LircDepthError(f"{self.name}: no such file of frames") from error

    def mapped(self) -> tuple[Path, _Header]:
        return self._path, self.header()

    def sha256(self) -> str:
        return self._recorded or file_sha256(self._path)


class _RemoteFile:
    """A file of frames in an object store, which is copied into a folder of this machine when it is used."""

    def __init__(self, url: str, recorded: str | None, cache: Path, kept: int) -> None:
        self.name, self._recorded, self._cache, self._kept = url, recorded, cache, kept
        self._local = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{url.rpartition('/')[2]}"

    @property
    def _store(self) -> Any:
        return _store_of(self.name)

    def header(self) -> _Header:
        try:
            start = self._store.cat_file(self.name, start=0, end=_HEADER_GUESS_BYTES)
            return _parsed(self.name, start, lambda: self._store.cat_file(self.name))
        except FileNotFoundError as error:
            raise LircDepthError(f"{self.name}: no such file of frames") from error

    def mapped(self) -> tuple[Path, _Header]:
        """Return a copy on this machine; whoever maps it keeps it, also when it is removed from the cache."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with locked(self._cache / ".lock"):
            if not self._local.is_file():
                with written_whole(self._local) as partial:
                    self._store.get_file(self.name, str(partial))
            os.utime(self._local)
            held = sorted(self._cache.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
            for path in held[: -self._kept]:
                path.unlink()
            return self._local, _File(self._local, None).header()

    def sha256(self) -> str:
        return self._recorded or str(self._store.checksum(self.name))


@functools.lru_cache(maxsize=8)
def _store_for(protocol: str, _process: int) -> Any:
    fsspec = import_package("fsspec")
    try:
        return fsspec.filesystem(protocol)
    except ImportError as error:
        raise LircDepthError(f"{protocol}://: {error}; pip install 'lircdepth_ros[store]'") from error
    except ValueError as error:
        raise LircDepthError(f"{protocol}://: {error}") from error


def _store_of(url: str) -> Any:
    """Return fsspec's file system of a URL; each process has its own."""
    return _store_for(url.partition("://")[0], os.getpid())


def _parsed(name: str, start: bytes, whole: Any) -> _Header:
    """Return the header of a safetensors file from its first bytes. Raises LircDepthError."""
    try:
        (length,) = struct.unpack("<Q", start[:8])
        text = start if len(start) >= 8 + length else whole()
        entries = json.loads(text[8 : 8 + length])
        metadata = json.loads(entries.pop("__metadata__")[METADATA_KEY])
        types = {theirs: np.dtype(ours) for ours, theirs in TYPES.items()}
        columns = {
            column: (types[entry["dtype"]], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
            for column, entry in entries.items()
        }
        return _Header({name: columns[name] for name in ("image", *(columns.keys() - {"image"}))}, metadata)
    except (KeyError, ValueError, TypeError, IndexError, struct.error) as error:
        raise LircDepthError(f"{name}: not a complete file of frames ({type(error).__name__}: {error})") from error


def _files_of(paths: Sequence[str | Path], cache: str | Path | None, window: int) -> list[Any]:
    files: list[Any] = []
    for given in map(str, paths):
        before = len(files)
        if "://" in given:
            if cache is None:
                raise LircDepthError(f"{given}: an object store needs a folder on this machine: --data.cache FOLDER")
            files += _remote_files(given.rstrip("/"), Path(cache), _CACHED_FOR_EACH_OPEN * window)
        else:
            path = Path(given)
            listed = path / MANIFEST
            hashes = _hashes(listed.read_bytes()) if listed.is_file() else {}
            names = sorted(path.glob("[!.]*.safetensors")) if path.is_dir() else [path]
            files += (_File(each, hashes.get(each.name)) for each in names)
        if len(files) == before:
            raise LircDepthError(f"{given}: no file of frames (*.safetensors) in this folder")
    return files


def _remote_files(given: str, cache: Path, kept: int) -> list[_RemoteFile]:
    """Return the file of a URL, or those of the folder. Raises LircDepthError."""
    store, protocol = _store_of(given), given.partition("://")[0]
    try:
        whole = given.endswith(".safetensors")
        found = [given] if whole else [f"{protocol}://{each}" for each in store.ls(given, detail=False)]
        listed = f"{given}/{MANIFEST}"
        hashes = _hashes(store.cat_file(listed)) if listed in found else {}
    except (OSError, ValueError) as error:
        raise LircDepthError(f"{given}: {' '.join(str(error).split()) or type(error).__name__}") from error
    names = {url: url.rpartition("/")[2] for url in sorted(found) if url.endswith(".safetensors")}
    return [_RemoteFile(url, hashes.get(name), cache, kept) for url, name in names.items()]


def _hashes(manifest: bytes) -> dict[str, str]:
    entries = (json.loads(line) for line in manifest.splitlines() if line.strip().endswith(b"}"))
    return {name: digest for entry in entries for name, (_, digest) in entry["files"].items()}
