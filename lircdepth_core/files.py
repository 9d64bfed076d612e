# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files that appear under their name when they are complete, and what tells a file's content from another."""

import contextlib
import errno
import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 2**24


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a Path beside ``path``, of the same suffix, to write to.

    Raises FileNotFoundError naming the folder where it does not exist. The file is renamed to ``path`` when the block
    ends, and removed when the renaming fails or the block raises.
    """
    whole = Path(path)
    if not whole.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(whole.parent))
    partial = whole.with_name(f".{whole.stem}.{socket.gethostname()}-{os.getpid()}.partial{whole.suffix}")
    try:
        yield partial
        partial.replace(whole)
    finally:
        partial.unlink(missing_ok=True)


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content. Raises OSError when it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
