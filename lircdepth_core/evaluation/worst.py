# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The images with the greatest errors, kept as pictures while many are evaluated."""

from __future__ import annotations

import heapq
import io
from collections.abc import Callable
from dataclasses import dataclass

from lircdepth_core.evaluation.colours import Picture

WORST_KEPT = 10
_JPEG_QUALITY = 80


@dataclass(frozen=True, order=True)
class WorstImage:
    """An image with its mean absolute error [m], and a picture of it as JPEG."""

    mae: float
    image: str
    jpeg: bytes


class WorstImages:
    """Keeps the images with the greatest errors; only those are drawn."""

    def __init__(self, count: int = WORST_KEPT) -> None:
        self._count = count
        self._heap: list[WorstImage] = []

    def offer(self, image: str, mae: float, draw: Callable[[], Picture]) -> None:
        """Take an image if it is among the worst so far. draw: returns its picture, uint8 [H, W, 3] RGB."""
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, WorstImage(mae, image, jpeg_of(draw())))
        elif mae > self._heap[0].mae:
            heapq.heapreplace(self._heap, WorstImage(mae, image, jpeg_of(draw())))

    def join(self, other: WorstImages) -> None:
        """Take the images of another one that are among the worst of both."""
        self._heap = heapq.nlargest(self._count, [*self._heap, *other._heap])
        heapq.heapify(self._heap)

    def ordered(self) -> tuple[WorstImage, ...]:
        """Return the images, the worst first."""
        return tuple(sorted(self._heap, reverse=True))


def jpeg_of(picture: Picture) -> bytes:
    """Return a picture uint8 [H, W, 3] RGB as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
