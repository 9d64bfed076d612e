# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How a command, which is no node of its own, spins: SIGINT is a KeyboardInterrupt there as in every other command."""

from __future__ import annotations

import signal

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions


def start() -> None:
    """Call rclpy.init, and leave the signals to Python."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)


def spin_once(node: Node, timeout_s: float) -> None:
    """Do one piece of a node's work. Raises KeyboardInterrupt after it where SIGINT came meanwhile.

    In rclpy's C++ code, which converts messages, a KeyboardInterrupt would become a RuntimeError.
    """
    interrupted = []
    handler = signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    try:
        rclpy.spin_once(node, timeout_sec=timeout_s)
    finally:
        signal.signal(signal.SIGINT, handler)
    if interrupted:
        raise KeyboardInterrupt
