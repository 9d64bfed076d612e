# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A video of frames for people: camera, radar, depth and a view from above, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import DEFAULT_SCALE, DepthScale
from lircdepth_core.evaluation.views import frame_view
from lircdepth_core.files import written_whole
from lircdepth_core.radar import RadarScan

Radars = Sequence[tuple[RadarScan, npt.NDArray[np.float64]]]  # scans with camera_from_radar, 4x4
AddVideoFrame = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float64], Radars, npt.NDArray[np.float32]], None]


@contextmanager
def video(path: str | Path | None, rate: float, scale: DepthScale = DEFAULT_SCALE) -> Iterator[AddVideoFrame | None]:
    """Give a function that adds a frame to an MP4, or None without a path. It takes what ``views.frame_view`` takes.

    rate: frames a second. The file appears under its name when the block ends without an error, and only if there was
    a frame: without images there is no file. Raises LircDepthError where it cannot be written.
    """
    if not path:
        yield None
        return
    import cv2

    path = Path(path)
    writer: cv2.VideoWriter | None = None

    def add(
        image: npt.NDArray[np.uint8],
        intrinsics: npt.NDArray[np.float64],
        radars: Radars,
        depth: npt.NDArray[np.float32],
    ) -> None:
        nonlocal writer
        frame = frame_view(image, intrinsics, radars, depth, scale)[..., ::-1]
        half = (frame.shape[1] // 4 * 2, frame.shape[0] // 4 * 2)  # half the size, even as the codec demands
        small = cv2.resize(frame, half, interpolation=cv2.INTER_AREA)
        if writer is None:
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            if not path.absolute().parent.is_dir():
                raise LircDepthError(f"cannot write {path}: no such folder")
            partial = stack.enter_context(written_whole(path))
            writer = cv2.VideoWriter(str(partial), codec, rate, half)
            stack.callback(writer.release)
            if not writer.isOpened():
                raise LircDepthError(f"cannot write {path}: this OpenCV has no encoder for it")
        writer.write(small)

    with ExitStack() as stack:
        yield add
