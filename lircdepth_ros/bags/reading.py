# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Opening and reading rosbag2 bags with rosbags; its errors become LircDepthError. Needs no ROS installation."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.definitions import Message, learn_type, typestore

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader

_REASONS_KEPT = 20
_STORAGES = {".mcap": "mcap", ".db3": "sqlite3"}


class BagAccount:
    """What a bag declares, and what was read of it.

    read: messages by topic. damaged: those of them that cannot be decoded. reasons: the first ones of these, with topic
    and time.
    """

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.damaged: Counter[str] = Counter()
        self.reasons: list[str] = []
        self._declared: Counter[str] = Counter()

    def declare(self, topic: str, number: int) -> None:
        """Note how many messages of a topic the bag says that it has, after all of them were read."""
        self._declared[topic] += number

    def missing(self) -> dict[str, int]:
        """Return how many messages of each topic are fewer than declared, where any are."""
        return {topic: n - self.read[topic] for topic, n in self._declared.items() if n > self.read[topic]}

    def missing_text(self) -> str:
        """Return what is missing, in words, or an empty text."""
        missing = self.missing()
        topics = ", ".join(f"{number} of {self._declared[topic]} on {topic}" for topic, number in missing.items())
        return f"the bag declares messages that are not in it: {topics}; ros2 bag reindex counts anew" if topics else ""

    def decode(self, connection: Connection, log_time: int, data: bytes) -> Message | None:
        """Return a message, or None for a damaged one, which is counted and named."""
        try:
            if not data:
                raise ValueError("it is empty, or cannot be decompressed")
            message: Message = typestore().deserialize_cdr(data, connection.msgtype)
            return message
        except Exception as error:  # rosbags lets a decoder's own errors through
            self.damaged[connection.topic] += 1
            if len(self.reasons) < _REASONS_KEPT:
                why = " ".join(str(error).split()) or type(error).__name__
                self.reasons.append(f"{connection.topic} at {log_time}: message is damaged: {why}")
            return None


def open_bag(path: str | Path) -> Reader:
    """Return an opened rosbags Reader of a rosbag2 directory or a single .mcap or .db3 file. Raises LircDepthError."""
    typestore()  # raises LircDepthError where rosbags is not installed
    from rosbags.rosbag2 import Reader

    path = Path(path)
    if not path.exists():
        raise LircDepthError(f"bag {path} does not exist")
    if path.is_dir():
        _check_folder(path)
    for file in _storage_files(path):
        log = file.with_name(f"{file.name}-wal")  # rosbags opens the database without it
        if log.is_file() and log.stat().st_size:
            raise LircDepthError(
                f"{log} holds messages that are not in {file.name} yet, since its recorder did not end well: run "
                f"sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )
    try:
        reader = Reader(path)
        reader.open()
        _scan_chunks_without_index(reader)
        for connection in reader.connections:
            learn_type(connection.msgtype, connection.msgdef.data)
    except Exception as error:  # rosbags lets every error of its parts through for a damaged file
        reason = " ".join(str(error).split()).rstrip(".")
        remedy = _remedy(path)
        if "files are missing" in reason:
            remedy = f"; put them there, or run ros2 bag reindex {path} for those that are"
        raise LircDepthError(f"{path} cannot be read as a rosbag2 bag: {reason}{remedy}") from error
    return reader


def read_messages(
    reader: Reader, *selection: Any, account: BagAccount | None = None, **span: Any
) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield (connection, log time in nanoseconds, CDR bytes) of a Reader's messages.

    The arguments are those of Reader.messages, but that no connections are none, not all. account: notes what the bag
    declares of the selected connections (unless only a span is read) and what was read. Of a message that cannot be
    decompressed the bytes are empty. Raises LircDepthError when the bag is damaged.
    """
    if selection and not selection[0]:
        return
    count = 0
    try:
        for entry in _entries(reader, *selection, **span):
            count += 1
            if account is not None:
                account.read[entry[0].topic] += 1
            yield entry
    except Exception as error:  # rosbags lets a decoder's or struct's own errors through
        reason = " ".join(str(error).split()).rstrip(".")
        path = Path(str(reader.path))
        if "not in timestamp order" in reason:
            files = ", ".join(str(file) for file in _storage_files(path))
            raise LircDepthError(
                f"{path} has no index, and its messages are not in the order of time: run mcap sort {files} -o NEW.mcap"
            ) from error
        raise LircDepthError(f"{path} is damaged after {count} messages: {reason}{_remedy(path)}") from error
    if account is not None and not any(limit is not None for limit in span.values()):
        for connection in selection[0] if selection and selection[0] else reader.connections:
            account.declare(connection.topic, connection.msgcount)


def _entries(reader: Reader, *selection: Any, **span: Any) -> Iterator[tuple[Connection, int, bytes]]:
    """Yield a Reader's messages, decompressing them here: rosbags' generator would end at a damaged one."""
    storage: Any = reader.storage
    if getattr(storage.metadata, "compression_mode", None) != "message":
        yield from reader.messages(*selection, **span)
        return
    from rosbags.rosbag2.reader import zstd  # Python's own or its backport

    compressed = copy.copy(storage)
    compressed.metadata = storage.metadata._replace(compression_mode=None)
    for connection, log_time, data in compressed.messages((selection and selection[0]) or storage.connections, **span):
        try:
            whole = zstd.decompress(data)
        except zstd.ZstdError:
            whole = b""
        yield connection, log_time, whole


def require_type(types: Mapping[str, str], topic: str, *expected: str) -> None:
    """Raise LircDepthError, naming both types, where a topic of {topic: type} has none of the expected types."""
    if types[topic] not in expected:
        raise LircDepthError(f"{topic} is {types[topic]}, expected {' or '.join(expected)}")


def _check_folder(path: Path) -> None:
    """Raise LircDepthError, with the remedy, for a folder that is not a whole rosbag2 bag."""
    import yaml

    files = _storage_files(path)
    storage = _STORAGES[files[0].suffix] if files else "mcap"
    metadata = path / "metadata.yaml"
    if not metadata.is_file():
        remedy = f"; run ros2 bag reindex -s {storage} {path}, or give {files[0]}" if files else ""
        raise LircDepthError(f"{path} is not a rosbag2 directory: it has no metadata.yaml{remedy}")
    try:
        content = yaml.safe_load(metadata.read_bytes())["rosbag2_bagfile_information"]
        named, listed = content["storage_identifier"], [Path(name).name for name in content["relative_file_paths"]]
    except Exception:
        return  # rosbags says what is wrong with it
    if not named and files:
        raise LircDepthError(
            f"{metadata} names no storage: set storage_identifier to {storage}, or run ros2 bag reindex -s {storage} "
            f"{path}"
        )
    unlisted = [file.name for file in files if file.name not in listed]
    if unlisted:
        raise LircDepthError(
            f"{metadata} does not list {', '.join(unlisted)}: run ros2 bag reindex -s {storage} {path}, or take it away"
        )


def _storage_files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.suffix in _STORAGES) if path.is_dir() else [path]


def _remedy(path: Path) -> str:
    files = [file for file in _storage_files(path) if file.suffix == ".mcap"]
    return f"; mcap recover {files[0]} -o NEW.mcap keeps what is whole" if files else ""


def _scan_chunks_without_index(reader: Reader) -> None:
    """Have rosbags read those chunks of MCAP files that have no message index, as `mcap recover` may leave them.

    rosbags passes over a chunk whose index names none of the wanted channels, and reads the whole chunk otherwise.
    """
    storage: Any = reader.storage
    for mcap in getattr(storage, "storages", [storage]):
        chunks = [chunk for chunk in getattr(mcap, "chunks", ()) if not chunk.channel_count]
        if not chunks:
            continue
        counted = mcap.metadata.message_count > 0
        for chunk in chunks:
            chunk.channel_count.update(dict.fromkeys(mcap.channels, 1))
        if not counted and mcap is storage:  # nor statistics: count by reading the file once
            mcap.meta_scan()
            counts, total = mcap.statistics.channel_message_counts, mcap.statistics.message_count
            mcap.connections = [c._replace(msgcount=counts.get(c.id, 0)) for c in mcap.connections]
            if total:
                start, end = mcap.statistics.start_time, mcap.statistics.end_time
                mcap.metadata = mcap.metadata._replace(
                    duration=end - start + 1, start_time=start, end_time=end + 1, message_count=total
                )
