# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far long work is: a bar on a terminal, and lines in a log, where a bar would be noise or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

LINE_PERIOD_S = 60.0

Advance: TypeAlias = Callable[[int], object]  # takes the number of units that were made since the last call


@contextmanager
def progress(total: int, unit: str, done: int = 0, period_s: float = LINE_PERIOD_S) -> Iterator[Advance]:
    """Yield a function that is called with the number of units made, of ``total``; ``done`` were made before.

    Without a terminal it prints a line after the first unit, every ``period_s`` seconds and at the end, with the rate
    and the time that is left.
    """
    from tqdm import tqdm

    if sys.stderr.isatty():
        with tqdm(total=total, initial=done, unit=unit) as bar:
            yield bar.update
        return
    lines = _Lines(total, unit, done, period_s)
    yield lines


class _Lines:
    def __init__(self, total: int, unit: str, done: int, period_s: float) -> None:
        self._total, self._unit, self._period_s = total, unit, period_s
        self._made, self._before = done, done
        self._started = time.monotonic()
        self._told = -period_s + self._started

    def __call__(self, count: int, /) -> None:
        self._made += count
        now = time.monotonic()
        if not count or (now - self._told < self._period_s and self._made < self._total):
            return
        self._told = now
        rate = (self._made - self._before) / max(now - self._started, 1e-9)
        left = (self._total - self._made) / rate / 60
        print(
            f"{self._made} of {self._total} {self._unit}s, {60 * rate:.1f} a minute, about {left:.0f} minutes left",
            flush=True,
        )
