# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Opening and reading rosbag2 bags with rosbags; its errors become LircDepthError. Needs no ROS installation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.definitions import typestore

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader


def open_bag(path: str | Path) -> Reader:
    """Return an opened rosbags Reader of a rosbag2 directory or a single .mcap or .db3 file. Raises LircDepthError."""
    typestore()  # raises LircDepthError where rosbags is not installed
    from rosbags.rosbag2 import Reader

    path = Path(path)
    if not path.exists():
        raise LircDepthError(f"bag {path} does not exist")
    if path.is_dir() and not (path / "metadata.yaml").is_file():
        raise LircDepthError(f"{path} is not a rosbag2 directory: it has no metadata.yaml")
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:  # rosbags lets every error of its parts through for a damaged file
        raise LircDepthError(f"{path} cannot be read as a rosbag2 bag: {' '.join(str(error).split())}") from error
    return reader


def read_messages(reader: Reader, *selection: Any, **span: Any) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield (connection, log time in nanoseconds, CDR bytes) of a Reader's messages.

    The arguments are those of Reader.messages. Raises LircDepthError when the bag is damaged.
    """
    count = 0
    try:
        for entry in reader.messages(*selection, **span):
            count += 1
            yield entry
    except Exception as error:  # rosbags lets a decoder's or struct's own errors through
        reason = " ".join(str(error).split())
        raise LircDepthError(f"{reader.path} is damaged after {count} messages: {reason}") from error
