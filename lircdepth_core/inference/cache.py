# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is slow to make and the same at every start, kept on disk: exported graphs, compiled engines, measurements.

Entries hold data alone (ONNX, OpenVINO's own format, JSON), except those of PyTorch's compiler and of TensorRT: these
are code, which is run. Whoever can write to the folder can run code as its owner.
"""

import contextlib
import functools
import hashlib
import io
import json
import logging
import os
import zipfile
from pathlib import Path

from lircdepth_core.files import written_whole

_log = logging.getLogger(__name__)
_MOST = 24  # entries; the ones that were not read for longest go first


class Cache:
    """A folder of entries, ``$XDG_CACHE_HOME/lircdepth`` by default. Each begins with a SHA-256 of key and content."""

    def __init__(self, folder=None):
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(folder) if folder else Path(base) / "lircdepth"
        self._warned = False

    def get(self, kind, key, build, load):
        """Return load(content) of the entry, or of what build() returns (bytes), which is then kept.

        kind: "onnx", "openvino" ...; key: everything that the content depends on, as JSON can write it. An entry that
        is truncated, changed, of another key, or that ``load`` cannot read is made anew; a folder that cannot be
        written to costs time at the next start, and one warning.
        """
        key = json.dumps([kind, key], sort_keys=True)
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.{kind}"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            data = path.read_bytes()
            try:
                return load(_checked(key, data, path))
            except Exception as error:  # whatever a reader of a foreign format raises: only speed is lost
                _log.warning("%s: cache entry is made anew: %s", path, str(error).strip().partition("\n")[0])
        content = build()
        self._write(path, _digest(key, content) + content)
        return load(content)

    def _write(self, path, data):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as partial:
                partial.write_bytes(data)
            for old in sorted(self.folder.glob("[!.]*.*"), key=os.path.getatime)[:-_MOST]:
                old.unlink()
        except OSError as error:
            if not self._warned:
                _log.warning("%s: cannot be written (%s): the next start takes as long", self.folder, error.strerror)
            self._warned = True


def _digest(key, content):
    digest = hashlib.sha256(key.encode())
    digest.update(content)
    return digest.hexdigest().encode() + b"\n"


def _checked(key, data, path):
    head, _, content = data.partition(b"\n") if len(data) < 65 else (data[:65], b"", data[65:])
    if head != _digest(key, content):
        raise ValueError("truncated or changed")
    with contextlib.suppress(OSError):
        os.utime(path)  # read now, also where the file system keeps no time of access
    return content


def pack_folder(folder):
    """Return the files of a folder as a ZIP archive, lock files left out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def unpack_folder(data, folder):
    """Lay down the files of such an archive. Those that are there stay: they are the same, and may be in use."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if not Path(folder, name).exists():
                archive.extract(name, folder)


def file_sha256(path):
    """Return the SHA-256 of a file's content. Raises OSError when it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(2**24), b""):
            digest.update(chunk)
    return digest.hexdigest()


def state_sha256(network):
    """Return the SHA-256 of a network's state, for weights that come from no file."""
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@functools.cache
def cpu_name():
    """Return the CPU's name and a digest of its instruction sets, by which an engine may have been chosen."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    except OSError:
        lines = {}
    lines = {name.strip(): value.strip() for name, value in lines.items()}
    flags = lines.get("flags", lines.get("Features", ""))
    return f"{lines.get('model name', os.uname().machine)} {hashlib.sha256(flags.encode()).hexdigest()[:8]}"
