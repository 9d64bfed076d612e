# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The manifest of a folder of results: which item is done, by whom, with which version, and the SHA-256 of its files.

A line of ``manifest.jsonl`` is an item. Workers make entries, and only the process that hands out work writes them, so
that any number of machines may work on one folder.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import file_sha256, written_whole
from lircdepth_core.version import commit, version

NAME = "manifest.jsonl"

Entry: TypeAlias = dict[str, Any]


def entry_of(folder: Path, item: str, paths: Iterable[Path], **more: Any) -> Entry:
    """Return the entry of an item that this process has made in ``folder``.

    paths: its files, and folders of files. more: what else the entry says.
    """
    found = (file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path]))
    files = [file for file in found if file.is_file()]
    return {
        "item": item,
        "files": {file.relative_to(folder).as_posix(): [file.stat().st_size, file_sha256(file)] for file in files},
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": version(),
        "commit": commit(),
        **more,
    }


class Manifest:
    """The manifest of a folder, which is read once. A line that a killed process did not finish is left out."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._path = self.folder / NAME
        self._entries: dict[str, Entry] = {}
        self._doubled: list[str] = []
        lines = self._path.read_text().splitlines(keepends=True) if self._path.is_file() else []
        self._unfinished = bool(lines) and not lines[-1].endswith("\n")
        for line in lines[: -1 if self._unfinished else None]:
            try:
                entry = json.loads(line)
                item = str(entry["item"])
            except (ValueError, KeyError, TypeError) as error:
                raise LircDepthError(f"{self._path}: {line.strip()[:40]!r} is no entry of a manifest") from error
            if item in self._entries:
                self._doubled.append(item)
            self._entries[item] = entry

    def __len__(self) -> int:
        return len(self._entries)

    def is_done(self, item: str) -> bool:
        """Return whether an item is recorded, and its files are there in their recorded sizes."""
        return item in self._entries and not any(self._differences(self._entries[item], hashes=False))

    def record(self, entry: Entry) -> None:
        """Write an item that is done, in place of what was recorded of it before."""
        anew = self._unfinished or entry["item"] in self._entries
        self._entries[entry["item"]] = entry
        if anew:
            with written_whole(self._path) as partial:
                partial.write_text("".join(json.dumps(each) + "\n" for each in self._entries.values()))
            self._unfinished = False
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def verify(self, items: Collection[str] | None = None) -> list[str]:
        """Return a line for each thing that is wrong: items twice or missing, files missing, changed or unknown.

        items: those that there should be; None: not compared.
        """
        found = [f"{item}: stands in {NAME} more than once" for item in self._doubled]
        found += [f"{item}: not done" for item in items or () if item not in self._entries]
        for entry in self._entries.values():
            found += self._differences(entry, hashes=True)
        known = {name for entry in self._entries.values() for name in entry["files"]}
        there = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path != self._path)
        names = (path.relative_to(self.folder).as_posix() for path in there)
        suffixes = {Path(name).suffix for name in known}
        return found + [
            f"{name}: not in {NAME}"
            for name in names
            if name not in known and (Path(name).suffix in suffixes or ".partial" in name)
        ]

    def _differences(self, entry: Entry, hashes: bool) -> Iterator[str]:
        for name, (size, digest) in entry["files"].items():
            path = self.folder / name
            if not path.is_file():
                yield f"{name}: missing"
            elif path.stat().st_size != size:
                yield f"{name}: {path.stat().st_size} bytes, expected {size}"
            elif hashes and file_sha256(path) != digest:
                yield f"{name}: SHA-256 is another than that of {NAME}"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that has a command call ``check`` in place of its work."""
    parser.add_argument(
        "--verify",
        action="store_true",
        help=f"make nothing: compare what is in --output with {NAME} there, and say what differs",
    )


def check(folder: str | Path, items: Collection[str] | None = None) -> int:
    """Print what is wrong with a folder of results; return 0, or 1 where anything is. Raises LircDepthError."""
    manifest = Manifest(folder)
    found = manifest.verify(items)
    for line in found:
        print(line)
    print(f"{folder}: {len(manifest)} items in {NAME}, {len(found) or 'nothing'} wrong")
    return 1 if found else 0
