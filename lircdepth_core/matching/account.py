# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What became of the images that a tool read: each is done, dropped for a cause, or waiting."""

from __future__ import annotations

from collections import Counter

_REASONS_KEPT = 20
DAMAGED = "damaged"  # an image's message that cannot be decoded
ZERO_STAMP = "zero_stamp"
NO_CAMERA_INFO = "no_camera_info"
BAD_INPUT = "bad_input"


class Account:
    """received, done: images. dropped: images by cause. reasons: the first ones of whatever was left out."""

    def __init__(self) -> None:
        self.received = 0
        self.done = 0
        self.dropped: Counter[str] = Counter()
        self.reasons: list[str] = []

    def drop(self, cause: str, reason: str) -> None:
        """Count an image that gives no result."""
        self.dropped[cause] += 1
        self.note(reason)

    def note(self, reason: str) -> None:
        """Keep the reason why something was left out."""
        if len(self.reasons) < _REASONS_KEPT:
            self.reasons.append(reason)

    def causes(self) -> str:
        """Return "3 duplicate, 1 damaged", the most frequent first; an empty text where nothing was dropped."""
        return ", ".join(f"{number} {cause}" for cause, number in self.dropped.most_common())

    def check(self, waiting: int = 0) -> None:
        """Raise RuntimeError, an error of the program's own, unless every image is accounted for."""
        dropped = sum(self.dropped.values())
        if self.received != self.done + dropped + waiting:
            raise RuntimeError(
                f"of {self.received} images {self.done} are done, {dropped} are dropped and {waiting} wait: "
                f"{self.received - self.done - dropped - waiting} are not accounted for"
            )
