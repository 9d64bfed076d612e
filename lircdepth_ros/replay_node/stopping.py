# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How SIGINT and SIGTERM end a replay: between messages, never in the middle of one."""

from __future__ import annotations

import os
import select
import signal

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignalError(Exception):
    """SIGINT or SIGTERM arrived."""


class InterruptibleSleep:
    """Sleeps until a stop signal arrives, in whichever thread, and from then on raises StopSignalError.

    The signal ends a sleep at once and never lands in the middle of a publish.
    """

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)

    def listen(self) -> None:
        """Take the stop signals over. To be called in the main thread."""
        signal.set_wakeup_fd(self._write_end)
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda *_: None)  # instead of KeyboardInterrupt; the byte in the pipe is enough

    def __call__(self, seconds: float) -> None:
        """Sleep. Raises StopSignalError when a signal has arrived."""
        if select.select([self._read_end], [], [], max(seconds, 0.0))[0]:
            raise StopSignalError
