# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames that do not fit into memory: files of them, mapped when they are read, from a disk or an object store.

A file's own header is its index. A few files are open at a time, and the order of training (sampling.shard_order) stays
within them, so that memory depends on neither the number of frames nor that of files.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lircdepth_core.data.frame import Frame
from lircdepth_core.data.packed import METADATA_KEY, JoinedFrames, decoded
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


class ShardedFrames(JoinedFrames):
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
        super().__init__(self._files)
        self._opened = functools.lru_cache(maxsize=window)(self._open)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._opened = functools.lru_cache(maxsize=self.window)(self._open)

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame; a copy, so that its file can be closed."""
        which, place = self._place(index)
        columns = self._opened(which)
        return decoded({name: column[place].clone() for name, column in columns.items()}, self.size)

    def _open(self, which: int) -> dict[str, torch.Tensor]:
        columns: dict[str, torch.Tensor] = self._files[which].columns()
        return columns


class _File:
    """A file of frames on this machine. recorded: its SHA-256, where a manifest has it."""

    def __init__(self, path: Path, recorded: str | None) -> None:
        self._path = path
        self._describe(str(path), recorded)

    def _describe(self, name: str, recorded: str | None) -> None:
        self.name, self._recorded = name, recorded
        try:
            self._columns, metadata = _parsed(name, self._bytes(_HEADER_GUESS_BYTES), self._bytes)
        except FileNotFoundError as error:
            raise LircDepthError(f"{name}: no such file of frames") from error
        self._length, _, *size = self._columns["image"][1]
        self.size: tuple[int, int] = (size[0], size[1])
        self.focal_length: float = metadata["focal_length"]
        self.description: str = metadata["description"]

    def __len__(self) -> int:
        return self._length

    def _bytes(self, count: int | None = None) -> bytes:
        with self._path.open("rb") as file:
            return file.read(count)

    def sha256(self) -> str:
        """Return the SHA-256 of the file."""
        return self._recorded or file_sha256(self._path)

    def columns(self) -> dict[str, torch.Tensor]:
        """Return the file's tensors, mapped."""
        return self._mapped(self._path)

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame."""
        return decoded({name: column[index].clone() for name, column in self.columns().items()}, self.size)

    def _mapped(self, path: Path) -> dict[str, torch.Tensor]:
        return {
            name: torch.from_numpy(np.memmap(path, dtype, "c", offset, shape))  # "c": torch refuses what is read-only
            for name, (dtype, shape, offset) in self._columns.items()
        }


class _RemoteFile(_File):
    """A file of frames in an object store, which is copied into a folder of this machine when it is used."""

    def __init__(self, url: str, recorded: str | None, cache: Path, kept: int) -> None:
        self._url, self._cache, self._kept = url, cache, kept
        self._local = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{url.rpartition('/')[2]}"
        self._describe(url, recorded)

    def _bytes(self, count: int | None = None) -> bytes:
        data: bytes = _store_of(self._url).cat_file(self._url, start=0, end=count)
        return data

    def sha256(self) -> str:
        """Return the SHA-256 of the file, or what the store has in its place."""
        return self._recorded or str(_store_of(self._url).checksum(self._url))

    def columns(self) -> dict[str, torch.Tensor]:
        """Return the tensors of a copy on this machine; they stay when it is removed from the cache."""
        with locked(self._cache / ".lock"):
            if not self._local.is_file():
                with written_whole(self._local) as partial:
                    _store_of(self._url).get_file(self._url, str(partial))
            os.utime(self._local)
            held = sorted(self._cache.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
            for path in held[: -self._kept]:
                path.unlink()
            return self._mapped(self._local)


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
