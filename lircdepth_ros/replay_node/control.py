# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Service calls on their way from the executor's thread to the thread that replays, and the answers back."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

_ANSWER_TIMEOUT_S = 5.0


class Answer(NamedTuple):
    """The outcome of a command, and a text for the caller."""

    success: bool
    message: str


@dataclass
class Command:
    """One call: pause, resume, toggle_paused, play_next or set_rate.

    value: the rate. given_up: nobody waits for the answer any more.
    """

    name: str
    value: float = 0.0
    answer: queue.SimpleQueue[Answer] = field(default_factory=queue.SimpleQueue)
    given_up: threading.Event = field(default_factory=threading.Event)


class RemoteControl:
    """The commands that wait to be carried out."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def call(self, name: str, value: float = 0.0, timeout: float = _ANSWER_TIMEOUT_S) -> Answer:
        """Have a command carried out by the thread that replays; return its answer. timeout: seconds."""
        command = Command(name, value)
        self._commands.put(command)
        try:
            return command.answer.get(timeout=timeout)
        except queue.Empty:
            command.given_up.set()
            return Answer(False, "nothing is being replayed yet, or any more")

    def take(self) -> Command | None:
        """Return the next command that somebody waits for, or None."""
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return None
            if not command.given_up.is_set():
                return command
