# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writing rosbag2 bags with rosbags: whole or not at all. Needs no ROS installation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import folder_written_whole

if TYPE_CHECKING:
    from rosbags.interfaces import Qos
    from rosbags.rosbag2 import Writer


def offered_qos(depth: int, transient_local: bool = False) -> Qos:
    """Return a reliable QoS profile to record with a topic, so that a replay offers the same."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    forever = QosTime(9223372036, 854775807)  # how a recorder writes an infinite duration
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if transient_local else QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )


@contextmanager
def new_bag(path: str | Path, storage: str = "mcap", compression: str = "none") -> Iterator[Writer]:
    """Return a context manager that gives rosbags' Writer of a new rosbag2 directory.

    storage: "mcap" or "sqlite3". compression: "none" or "zstd" (of MCAP's chunks, or of each message in sqlite3).
    The directory appears under its name only when it is complete. After an error, an interrupt or a full disk nothing
    is left, and what a killed process left is cleared. Raises LircDepthError when ``path`` exists, also by the end, and
    when the disk is full.
    """
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    path = Path(path)
    _require_absent(path)
    try:
        with folder_written_whole(path) as folder:  # rosbags names its file after the folder
            # Version 9 of the metadata is unreadable to Humble (it writes QoS profiles as a list); 8 is read by all.
            writer = Writer(folder, version=8, storage_plugin=StoragePlugin[storage.upper()])
            if compression == "zstd":
                mode = CompressionMode.STORAGE if storage == "mcap" else CompressionMode.MESSAGE
                writer.set_compression(mode, CompressionFormat.ZSTD)
            with writer:
                yield writer
            _require_absent(path)
    except OSError as error:
        if error.filename:
            raise
        raise LircDepthError(f"cannot write {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise LircDepthError(f"cannot write {path}: {error}") from error


def _require_absent(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise LircDepthError(f"{path} exists already and is not overwritten")
