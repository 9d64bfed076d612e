# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures that Pillow opened, as RGB of 8 bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image


def rgb_of(picture: Image) -> npt.NDArray[np.uint8]:
    """Return a picture as uint8 [H, W, 3], RGB. Of 16 bits the high byte is kept, where Pillow would clip to white."""
    if is_wide(picture):
        wide = np.asarray(picture).astype(np.int64)  # uint16, in either byte order; int32 in old versions of Pillow
        return np.repeat((wide >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


def is_wide(picture: Image) -> bool:
    """Return whether a JPEG or PNG is grey with 16 bits."""
    return picture.mode.partition(";")[0] == "I"
