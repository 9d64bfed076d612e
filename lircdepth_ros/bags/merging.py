# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A bag with depth and the bag that it was made from, read together in the order of their stamps."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from lircdepth_ros.bags.reading import BagAccount, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.stamps import stamp_to_ns

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader


def merged(
    readers: Sequence[Reader], topics: AbstractSet[str], own: AbstractSet[str], account: BagAccount
) -> Iterator[tuple[int, str, definitions.Message | None]]:
    """Return (header stamp [ns], topic, message) of ``topics``, or None for a damaged message.

    readers: of the bag with depth and of its reference, or one reader for both. own: topics that are read from the bag
    with depth; all others are the reference's.
    """
    wanted = (topics,) if len(readers) == 1 else (topics & own, topics - own)
    sources = [
        _by_stamp(reader, [c for c in reader.connections if c.topic in of_reader], account)
        for reader, of_reader in zip(readers, wanted, strict=True)
    ]
    return heapq.merge(*sources, key=lambda entry: entry[0])


def _by_stamp(
    reader: Reader, connections: Sequence[Connection], account: BagAccount
) -> Iterator[tuple[int, str, definitions.Message | None]]:
    """Yield (header stamp [ns], topic, message), or None for a damaged one.

    Log times of two bags may lie years apart; the sensors' do not. In a recording a message may come a little after one
    with a later stamp: it then takes that one's.
    """
    latest = 0
    for connection, logged, data in read_messages(reader, connections, account=account):
        message = account.decode(connection, logged, data)
        if message is None:
            yield latest, connection.topic, None
            continue
        stamped = next(
            (getattr(message, name) for name in ("transforms", "markers") if hasattr(message, name)), [message]
        )
        latest = max([latest, *(stamp_to_ns(entry.header.stamp) for entry in stamped)])
        yield latest, connection.topic, message
