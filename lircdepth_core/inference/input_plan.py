# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network's input: which part of an image it sees at which size, and how pixel values are normalised."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.common.interface import STRIDE

# Mean and standard deviation of ImageNet's RGB values, in 0..1.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
# Relative difference from the focal length of training up to which an image is not resampled: nuScenes has two front
# cameras, of 1252.8 and 1266.4 px, and training takes their images as they are.
SAME_SCALE_TOLERANCE = 0.015


def same_focal_length(first: float, second: float) -> bool:
    """Return whether two focal lengths are so near that an image is not resampled from one to the other."""
    return abs(first / second - 1) < SAME_SCALE_TOLERANCE


def require_same_focal_length(weights: object, trained: float, frames: object, found: float) -> None:
    """Raise LircDepthError unless frames have the focal length [px] of a network's training.

    For whoever gives frames to a network without a DepthPipeline, which would resample them: depth would be wrong by
    the ratio of the two.
    """
    if not same_focal_length(trained, found):
        raise LircDepthError(
            f"{weights}: trained for a focal length of {trained:.1f} px, but {frames} has {found:.1f} px, and here "
            "nothing is resampled"
        )


def normalise(image: Tensor) -> Tensor:
    """Return an image in 0..1, float [..., 3, H, W], less ImageNet's mean and divided by its standard deviation."""
    mean, std = (image.new_tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    return (image - mean) / std


@dataclass(frozen=True)
class InputPlan:
    """How an image becomes the network's input: resized to (height, width), then cropped to multiples of 32.

    Rows are cropped at the top, where the sky is (900 rows: 4), columns on both sides. All values are pixels.
    """

    height: int
    width: int
    top: int
    left: int
    crop_height: int
    crop_width: int

    @classmethod
    def make(cls, height: int, width: int, scale: float, vertical_scale: float | None = None) -> InputPlan:
        """Return the plan for an image of height x width pixels at ``scale``; rows may have another one.

        Raises LircDepthError when less than 32 pixels are left in a direction.
        """
        scales = (scale if vertical_scale is None else vertical_scale, scale)
        resized_height, resized_width = (
            size if abs(along - 1) < SAME_SCALE_TOLERANCE else round(size * along)
            for size, along in zip((height, width), scales, strict=True)
        )
        crop_height, crop_width = (size // STRIDE * STRIDE for size in (resized_height, resized_width))
        if crop_height == 0 or crop_width == 0:
            raise LircDepthError(
                f"image of {width}x{height} becomes {resized_width}x{resized_height} for the network, which needs at "
                f"least {STRIDE}x{STRIDE}; check the camera's focal length and inference_scale"
            )
        return cls(
            height=resized_height,
            width=resized_width,
            top=resized_height - crop_height,
            left=(resized_width - crop_width) // 2,
            crop_height=crop_height,
            crop_width=crop_width,
        )
