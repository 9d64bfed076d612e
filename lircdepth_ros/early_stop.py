# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How a node's process ends at once: on SIGINT and SIGTERM while Python imports, and after the node itself has ended.

To be imported, and installed, before anything that takes long. Python starts up to there in some 0.1 s.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

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


def end_process(status: int) -> NoReturn:
    """End the process, after what is registered for its end. The interpreter would take PyTorch apart for 1 to 3 s.

    What nobody refers to any more is freed first: DDS would leave its shared memory, 70 MB of it, to the next boot.
    """
    gc.collect()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    if _too_early:
        os._exit(0)
