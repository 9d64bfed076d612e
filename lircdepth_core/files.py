# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files and folders that appear under their name when they are complete, and what tells a file's content from another.

Whoever writes holds a lock on what is not complete yet. The system gives up the lock when the process ends, however it
ends: so what a killed writer left is told from what is being written. Locks are on regular files opened for writing,
since NFS has no others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import glob
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from lircdepth_core.errors import LircDepthError

_CHUNK_BYTES = 2**24
_LOCK = ".lock"  # in a folder
_LEFTOVER = re.compile(r"\..+(\.lock|-\d+\.partial(\.[^.]*)?)")  # names of this module in a folder


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a Path beside ``path``, of the same suffix, to write to.

    Raises FileNotFoundError naming the folder where it does not exist. The file is renamed to ``path`` when the block
    ends, and removed when the renaming fails or the block raises. What a writer of this machine that was killed left in
    the same folder is removed.
    """
    whole = Path(path)
    if not whole.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(whole.parent))
    _clear(whole.parent)
    partial = _partial(whole)
    held = _hold(partial)
    try:
        yield partial
        partial.replace(whole)
    finally:
        partial.unlink(missing_ok=True)
        os.close(held)


@contextlib.contextmanager
def hidden_folder(path: str | Path) -> Iterator[Path]:
    """Yield a hidden folder beside ``path``, without files of a name that is not hidden; it is removed after the block.

    Folders above it are made. What a writer of this machine that was killed left beside it is removed.
    """
    whole = Path(path)
    whole.parent.mkdir(parents=True, exist_ok=True)
    _clear(whole.parent)
    folder = _partial(whole)
    while True:
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # removed as a leftover before it was locked
            held = _hold(folder / _LOCK)
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextlib.contextmanager
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """Yield the Path of a folder that is to be made, of the same name as ``path``.

    It is renamed to ``path`` when the block ends, and removed when the renaming fails, as where another folder is there
    by then, or when the block raises.
    """
    with hidden_folder(path) as hidden:
        folder = hidden / Path(path).name
        yield folder
        folder.rename(path)


@contextlib.contextmanager
def locked(path: str | Path, refusal: str | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; wait for another process, or raise LircDepthError(refusal).

    The folder is made where it is missing; the file is removed after the block.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    held = _hold(Path(path), refusal)
    try:
        yield
    finally:
        Path(path).unlink(missing_ok=True)
        os.close(held)


@contextlib.contextmanager
def claimed(output: str | Path, name: str = "") -> Iterator[None]:
    """Have an output, a file or a folder, for this process and its workers alone.

    What workers that were killed left of it or in it is removed, before the block and after it. Raises LircDepthError
    where another process has it. name: for the error, where the output has another.
    """
    output = Path(output)
    lock = output / _LOCK if output.is_dir() else output.with_name(f".{output.name}.output.lock")
    with locked(lock, f"another process is writing {name or output}"):
        _remove_leftovers(output)
        try:
            yield
        finally:
            _remove_leftovers(output)


def item_lock(path: str | Path) -> contextlib.AbstractContextManager[None]:
    """Wait until no other worker of this item writes ``path``: one that a scheduler lost may still be at it."""
    path = Path(path)
    return locked(path.with_name(f".{path.name}.lock"))


def _partial(whole: Path) -> Path:
    return whole.with_name(f".{whole.stem}.{socket.gethostname()}-{os.getpid()}.partial{whole.suffix}")


def _hold(path: Path, refusal: str | None = None) -> int:
    """Make a file and return its descriptor, which has its lock. Raises LircDepthError(refusal) where it is held."""
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            os.close(held)
            raise LircDepthError(refusal or "") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                os.close(held)
                raise
            return held  # a file system without locks
        if _is_at(held, path):
            return held
        os.close(held)  # removed, or renamed, before it was locked


def _is_at(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


@functools.lru_cache(maxsize=1024)
def _clear(folder: Path) -> None:
    """Remove, once a process, what writers of this machine left in a folder.

    Not of other machines, whose locks may be unknown here: while a command runs, its workers write on all of them.
    """
    own = re.compile(rf"\..+\.{re.escape(socket.gethostname())}-\d+\.partial(\.[^.]*)?")
    for name in os.listdir(folder):
        if own.fullmatch(name):
            _remove_unless_held(folder / name)


def _remove_leftovers(output: Path) -> None:
    """Remove what killed writers on any machine left of an output, and of what is in it."""
    stem, suffix = glob.escape(output.stem), glob.escape(output.suffix)
    found = [*output.parent.glob(f".{stem}.*-*.partial{suffix}")]
    found += [path for path in output.rglob(".*") if _LEFTOVER.fullmatch(path.name)]
    for path in found:
        _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    """Remove a file or folder that has no writer; where that cannot be known, it stays."""
    is_folder = path.is_dir()
    lock = path / _LOCK if is_folder else path
    with contextlib.suppress(OSError):
        held = os.open(lock, os.O_RDWR | (os.O_CREAT if is_folder else 0))
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(held, lock):
                return
            if is_folder:
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(held)


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content. Raises OSError when it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
