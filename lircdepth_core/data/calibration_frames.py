# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames on which int8 quantisation measures the ranges of activations."""

import functools
from pathlib import Path

from lircdepth_core.data.frame import Frame, prepare
from lircdepth_core.data.packed import PackedFrames, focal_length_of
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import file_sha256
from lircdepth_core.inference.graph.quantisation import Calibration
from lircdepth_core.inference.input_plan import require_same_focal_length

_PACKED_FRAMES = 16
# Rendering a frame of the street takes a second or several, so that fewer of them are taken, and only a window.
_STREET_FRAMES, _STREET_WINDOW = 8, (352, 704)  # the window's height and width in pixels
_STREET_STEP = 2  # every second frame, since neighbours are of the same street
_STREET_SEED = 16


def calibration_frames(path: str | Path | None = None, focal_length: float | None = None) -> Calibration:
    """Return up to 16 frames, spread over a file of packed frames; without a file they are rendered from the street.

    focal_length: pixels, that of the weights: frames are rendered for it (default: that of the street's camera), and a
    file's frames must have it.
    Nothing is read or rendered before a graph needs it. Raises LircDepthError when the file is missing.
    """
    if path is None:
        return Calibration(focal_length, functools.partial(_street_samples, focal_length))
    if focal_length is not None:
        require_same_focal_length("weights", focal_length, path, focal_length_of(path))
    try:
        return Calibration(file_sha256(path), functools.partial(_packed_samples, path))
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error


def _packed_samples(path: str | Path) -> list[Frame]:
    frames = PackedFrames(path)
    count = min(_PACKED_FRAMES, len(frames))
    # From the first to the last: a file holds one street after the other.
    indices = [number * (len(frames) - 1) // max(count - 1, 1) for number in range(count)]
    return [prepare(frames.frame(index)) for index in indices]


def _street_samples(focal_length: float | None) -> list[Frame]:
    from lircdepth_core.data.street import StreetFrames
    from lircdepth_core.synthetic.sensors.rig import CameraModel

    camera = CameraModel()
    scale = 1.0 if focal_length is None else camera.scale_for(focal_length)
    height, width = (min(most, side) for most, side in zip(_STREET_WINDOW, camera.scaled(scale).size, strict=True))
    street = StreetFrames("train", _STREET_STEP * _STREET_FRAMES, scale, seed=_STREET_SEED, window=(height, width))
    return [prepare(street.inputs(_STREET_STEP * number)) for number in range(_STREET_FRAMES)]
