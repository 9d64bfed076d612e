# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading in a thread of its own, so that a slow disk or a decompression does not delay what is due now."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

_MAX_ITEMS_AHEAD = 64  # a third of a second of a nuScenes scene
_LOOK_PERIOD_S = 0.001

ItemT = TypeVar("ItemT")


class ReadAhead(threading.Thread, Generic[ItemT]):
    """Iterates over items in a thread, a bounded number of them ahead, and is iterated over; errors come through."""

    def __init__(self, items: Iterable[ItemT]) -> None:
        super().__init__(name="read_ahead", daemon=True)
        self._items = items
        # None is the end, and an exception is what ended the items.
        self._queue: queue.Queue[tuple[ItemT] | Exception | None] = queue.Queue(_MAX_ITEMS_AHEAD)
        self._ended = threading.Event()

    def run(self) -> None:
        """Iterate to the end."""
        end = None
        try:
            for item in self._items:
                self._queue.put((item,))
        except Exception as error:
            end = error
        self._ended.set()
        self._queue.put(end)

    def wait_until_full(self, timeout: float) -> None:
        """Return when as many items are ahead as may be, when the items have ended, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self._queue.full() and not self._ended.is_set() and time.monotonic() < deadline:
            time.sleep(_LOOK_PERIOD_S)

    def __iter__(self) -> Iterator[ItemT]:
        while (entry := self._queue.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            yield entry[0]
