# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames on which int8 quantisation measures the ranges of activations."""

import functools
from pathlib import Path

from lircdepth_core.data.frame import Frame, prepare
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.cache import file_sha256
from lircdepth_core.inference.graph.quantisation import Calibration

_PACKED_FRAMES = 16
# Rendering a frame of the street takes a second or several, so that fewer of them are taken, and only a window.
_STREET_FRAMES, _STREET_CROP = 8, (352, 704)  # the window's height and width in pixels
_STREET_SEED = 16


def calibration_frames(path: str | Path | None = None, focal_length: float | None = None) -> Calibration:
    """Return up to 16 frames, spread over a file of packed frames; without a file they are rendered from the street.

    focal_length: pixels, for which frames are rendered: that of the weights (default: that of the street's camera).
    Nothing is read or rendered before a graph needs it. Raises LircDepthError when the file is missing.
    """
    if path is None:
        return Calibration(focal_length, functools.partial(_street_samples, focal_length))
    try:
        return Calibration(file_sha256(path), functools.partial(_packed_samples, path))
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error


def _packed_samples(path: str | Path) -> list[Frame]:
    from lircdepth_core.data.packed import PackedFrames

    frames = PackedFrames(path)
    step = max(1, len(frames) // _PACKED_FRAMES)
    return [prepare(frames.frame(index)) for index in range(0, len(frames), step)][:_PACKED_FRAMES]


def _street_samples(focal_length: float | None) -> list[Frame]:
    from lircdepth_core.synthetic.sensors.dataset import StreetDataset
    from lircdepth_core.synthetic.sensors.rig import CameraModel

    camera = CameraModel()
    camera = camera.scaled(camera.scale_for(focal_length or camera.fx))
    crop = tuple(map(min, _STREET_CROP, (camera.height, camera.width)))
    street = StreetDataset(seed=_STREET_SEED, batch_size=1, crop=crop, camera=camera, reuse=2)
    batches = (street.batch(number) for number in range(_STREET_FRAMES))
    return [prepare({"image": batch["image"][0], "radar": batch["radar"][0]}) for batch in batches]
