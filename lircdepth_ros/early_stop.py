# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM in the first seconds of a node, while Python imports: they end the process, without a traceback.

To be imported, and installed, before anything that takes long. Python starts up to there in some 0.1 s.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_too_early = True  # for rclpy to hear of a signal


def install() -> None:
    """End the process at once on SIGINT and SIGTERM, with status 0, until another handler is installed."""
    global _too_early
    _too_early = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)


def leave_to_rclpy() -> None:
    """Leave signals to the handlers that rclpy.init has installed, which call those that were there before."""
    global _too_early
    _too_early = False


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    if _too_early:
        os._exit(0)
