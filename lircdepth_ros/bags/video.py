# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A video of images above their depth, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import colorize

_FAR = 80.0  # metres: the end of the colour scale


@contextmanager
def video(
    path: str | Path | None, rate: float
) -> Iterator[Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32]], None] | None]:
    """Give a function (image RGB [H, W, 3], depth [H, W] metres) that adds a frame to an MP4, or None without a path.

    rate: frames a second. The file appears under its name when the block ends without an error, and only if there was
    a frame: without images there is no file. Raises LircDepthError where it cannot be written.
    """
    if not path:
        yield None
        return
    import cv2

    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial.mp4")
    writer: cv2.VideoWriter | None = None

    def add(image: npt.NDArray[np.uint8], depth: npt.NDArray[np.float32]) -> None:
        nonlocal writer
        frame = np.vstack([image, colorize(depth, _FAR)])[..., ::-1]
        half = (frame.shape[1] // 4 * 2, frame.shape[0] // 4 * 2)  # half the size, even as the codec demands
        frame = cv2.resize(frame, half, interpolation=cv2.INTER_AREA)
        if writer is None:
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(partial), codec, rate, half)
            if not writer.isOpened():
                raise LircDepthError(f"cannot write {path}: this OpenCV has no encoder for it, or no such folder")
        writer.write(frame)

    try:
        yield add
        if writer is not None:
            writer.release()
            partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
