# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Results that are slow to make and the same at every start, kept on disk: graphs, compiled engines, measurements.

Entries hold data alone (ONNX, OpenVINO's own format, JSON), except those of PyTorch's compiler and of TensorRT: these
are code, which is run. Whoever can write to the folder can run code as its owner.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import nn

from lircdepth_core.files import written_whole
from lircdepth_core.packages import import_package

_log = logging.getLogger(__name__)
# What is kept, of all kinds; entries that have not been read for the longest time are removed first. A graph has 50 MB,
# an engine of OpenVINO twice that.
_BYTES_KEPT = 4_000_000_000
_OWN_NAME = re.compile(r"[0-9a-f]{32}\.(onnx|openvino|inductor|tensorrt|auto\.json)")  # nothing else is ever removed
_DIGEST_BYTES = 65  # at the start of an entry: SHA-256 in hexadecimal digits, and a line feed

_Loaded = TypeVar("_Loaded")


class Cache:
    """A folder of entries, by default the user's cache folder (``$XDG_CACHE_HOME/lircdepth``, ~/.cache/lircdepth).

    Each entry begins with a SHA-256 of its key and content. Other files in the folder are left alone.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or import_package("platformdirs").user_cache_dir("lircdepth", appauthor=False))
        self._has_warned = False

    def get(self, kind: str, key: object, build: Callable[[], bytes], load: Callable[[bytes], _Loaded]) -> _Loaded:
        """Return load(content) of an entry. Where there is none, build() makes its content, which is then kept.

        kind: "onnx", "openvino" ...; key: everything that the content depends on, as JSON can write it. An entry that
        is truncated, changed, of another key, or that ``load`` cannot read is made anew. When the folder cannot be
        written to, a warning is logged once: the next start takes as long as this one.
        """
        identity = json.dumps([kind, key], sort_keys=True)
        path = self.folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.{kind}"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            data = path.read_bytes()
            try:
                return load(_checked(identity, data, path))
            except Exception as error:  # readers of foreign formats raise anything; only speed is lost
                _log.warning("%s: cache entry is made anew: %s", path, str(error).strip().partition("\n")[0])
        content = build()
        self._write(path, _digest(identity, content) + content)
        return load(content)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as partial:
                partial.write_bytes(data)
            self._remove_old(path)
        except OSError as error:
            if not self._has_warned:
                _log.warning("%s: cannot be written (%s): the next start takes as long", self.folder, error.strerror)
            self._has_warned = True

    def _remove_old(self, newest: Path) -> None:
        """Remove entries until those that are left are small enough; ``newest`` stays."""
        entries = []
        for path in self.folder.iterdir():
            if _OWN_NAME.fullmatch(path.name) and path != newest and path.is_file():
                state = path.stat()
                entries.append((state.st_atime, state.st_size, path))
        left = _BYTES_KEPT - newest.stat().st_size
        for _, size, path in sorted(entries, reverse=True):
            left -= size
            if left < 0:
                path.unlink(missing_ok=True)  # another process may have removed it


def _digest(identity: str, content: bytes) -> bytes:
    digest = hashlib.sha256(identity.encode())
    digest.update(content)
    return digest.hexdigest().encode() + b"\n"


def _checked(identity: str, data: bytes, path: Path) -> bytes:
    """Return the content of an entry's bytes. Raises ValueError when they are not what was written under its key."""
    content = data[_DIGEST_BYTES:]
    if data[:_DIGEST_BYTES] != _digest(identity, content):
        raise ValueError("truncated or changed")
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of the last reading, also where the file system does not keep it
    return content


def pack_folder(folder: str | Path) -> bytes:
    """Return the files of a folder as a ZIP archive, lock files left out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def unpack_folder(data: bytes, folder: str | Path) -> None:
    """Write the files of an archive of pack_folder. Files that exist are kept: they are the same, and may be in use."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if not Path(folder, name).exists():
                archive.extract(name, folder)


def state_sha256(network: nn.Module) -> str:
    """Return the SHA-256 of a network's state, for weights that come from no file."""
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
