# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Images at the size of the network's input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resized(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return an image uint8 [H, W, 3] at another size.

    Where it shrinks, a pixel is the mean over its area, as a smaller camera would take it; where it grows, it is
    interpolated linearly.
    """
    import cv2

    while min(image.shape[0] / height, image.shape[1] / width) >= 2 and image.shape[0] % 2 == image.shape[1] % 2 == 0:
        size = image.shape[1] // 2, image.shape[0] // 2
        # OpenCV has fast code for halving alone, so that a large reduction is done in steps.
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape[:2] == (height, width):
        return image
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)
