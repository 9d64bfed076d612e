# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG files as RGB of 8 bit: reading and writing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

if TYPE_CHECKING:
    from PIL.Image import Image


PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


def save_picture(path: str | Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write uint8 [H, W, 3] RGB as PNG or JPEG, by the name's end, under its name only when complete.

    Raises LircDepthError for another end.
    """
    from PIL import Image

    suffix = Path(path).suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise LircDepthError(f"{path}: expected a name that ends in .png or .jpg")
    with written_whole(path) as partial, open(partial, "wb") as file:
        Image.fromarray(picture).save(file, "PNG" if suffix == ".png" else "JPEG", quality=90)


def decode_picture(data: bytes, path: str | Path) -> npt.NDArray[np.uint8]:
    """Return a JPEG or PNG file as uint8 [H, W, 3], RGB. Raises LircDepthError, naming ``path``, for any other data."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            return rgb_of(picture)
    except Image.UnidentifiedImageError as error:  # whose text is about a BytesIO
        raise LircDepthError(f"{path} is not a whole JPEG or PNG") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LircDepthError(f"{path} is not a whole JPEG or PNG: {error}") from error


def rgb_of(picture: Image) -> npt.NDArray[np.uint8]:
    """Return a picture as uint8 [H, W, 3], RGB. Of 16 bits the high byte is kept, where Pillow would clip to white."""
    if is_wide(picture):
        wide = np.asarray(picture).astype(np.int64)  # uint16, in either byte order; int32 in old versions of Pillow
        return np.repeat((wide >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


def is_wide(picture: Image) -> bool:
    """Return whether a JPEG or PNG is grey with 16 bits."""
    return picture.mode.partition(";")[0] == "I"
