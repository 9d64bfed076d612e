# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far long work is: a bar on a terminal, and lines in a log, where a bar would be noise or nothing.

Both go to the standard error, so that the standard output is the result's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

FIRST_LINE_S = 2.0
LINE_PERIOD_S = 60.0
BYTES = "MB"  # a unit: what is counted are bytes, and they are told in millions

_Item = TypeVar("_Item")
Advance: TypeAlias = Callable[[int], object]  # takes the number of units that were made since the last call


@contextmanager
def progress(total: int, unit: str, done: int = 0, period_s: float = LINE_PERIOD_S) -> Iterator[Advance]:
    """Yield a function that is called with the number of units made, of ``total``; ``done`` were made before.

    unit: a word in the singular, or BYTES. Without a terminal it prints a line after two seconds, every ``period_s``
    seconds and at the end, with the rate and the time that is left; work that is done in two seconds prints nothing.
    """
    from tqdm import tqdm

    if sys.stderr.isatty():
        word, scaled = ("B", True) if unit == BYTES else (f" {unit}s", False)
        with tqdm(total=total, initial=done, unit=word, unit_scale=scaled) as bar:
            yield bar.update
        return
    lines = _Lines(total, unit, done, period_s)
    yield lines


def counted(items: Sequence[_Item], unit: str) -> Iterable[_Item]:
    """Yield items, and tell how far it is."""
    with progress(len(items), unit) as advance:
        for item in items:
            yield item
            advance(1)


class _Lines:
    def __init__(self, total: int, unit: str, done: int, period_s: float) -> None:
        self._total, self._unit, self._period_s = total, unit, period_s
        self._made, self._before = done, done
        self._started = time.monotonic()
        self._due = self._started + FIRST_LINE_S
        self._told = False

    def __call__(self, count: int, /) -> None:
        self._made += count
        now = time.monotonic()
        last = self._made >= self._total and self._told  # work whose end is its first line was short
        if not count or (now < self._due and not last):
            return
        self._due, self._told = now + self._period_s, True
        rate = (self._made - self._before) / max(now - self._started, 1e-9)
        left_s = max(self._total - self._made, 0) / max(rate, 1e-9)
        print(
            f"{self._amount(self._made)} of {self._amount(self._total)} {self._unit}{self._plural}, "
            f"{self._amount(60 * rate, '.1f')} a minute, about {_duration(left_s)} left",
            file=sys.stderr,
            flush=True,
        )

    @property
    def _plural(self) -> str:
        return "" if self._unit == BYTES else "s"

    def _amount(self, number: float, form: str = ".0f") -> str:
        return format(number / 1e6 if self._unit == BYTES else number, form)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
