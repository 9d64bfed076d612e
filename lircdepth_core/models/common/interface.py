# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What every network takes and returns: sizes of inputs, the unit of depth, and the maps of an output.

Scale i is 1/2^i of the input's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

STRIDE = 32  # pixels of the input per pixel of the coarsest scale: height and width are multiples of it
MAX_DEPTH = 100.0  # metres: the output's sigmoid is multiplied with it


class DepthOutput(NamedTuple):
    """What the student returns. Features serve distillation; each list is ordered as its line says."""

    depth: Tensor  # [N, 1, H, W] metres, in [0, max_depth]
    inter_depth: list[Tensor]  # three [N, 1, H, W], upsampled from 1/8, 1/4, 1/2, in units of max_depth
    image_features: list[Tensor]  # five, fine to coarse, scales 1..5
    radar_features: list[Tensor]  # five, fine to coarse, scales 1..5
    decoder_features: list[Tensor]  # five, coarse to fine: scales 4, 3, 2, 1, 0


class TeacherOutput(NamedTuple):
    """What the teacher returns: the fields of DepthOutput in the same orders, and two more."""

    depth: Tensor  # [N, 1, H, W] metres, in [0, max_depth]
    inter_depth: list[Tensor]  # three [N, 1, H, W], planes of 8x8, 4x4, 2x2 pixels, in units of max_depth, unbounded
    image_features: list[Tensor]  # five, fine to coarse, scales 1..5: raw ResNet taps
    radar_features: list[Tensor]  # five, fine to coarse, scales 1..5: what the CaGBs add to the decoder
    decoder_features: list[Tensor]  # five, coarse to fine: scales 4, 3, 2, 1, 0
    radar_confidence: Tensor  # [N, 1, H, W], in [0, 1]
    coarse_depth: Tensor  # [N, 1, H, W] metres, in [0, max_depth]


def check_input_size(image: Tensor, radar: Tensor) -> None:
    """Raise ValueError unless image [N, 3, H, W] and radar [N, 4, H, W] agree and H, W are multiples of 32."""
    height, width = image.shape[-2:]
    if tuple(radar.shape) != (image.shape[0], 4, height, width):
        raise ValueError(
            f"radar is {tuple(radar.shape)}, expected {(image.shape[0], 4, height, width)} to match the image"
        )
    if height % STRIDE or width % STRIDE or 0 in (height, width):
        down = [max(size // STRIDE, 1) * STRIDE for size in (height, width)]
        up = [-(-size // STRIDE) * STRIDE for size in (height, width)]
        raise ValueError(
            f"input of {height}x{width} (height x width): both must be multiples of {STRIDE}; "
            f"crop to {down[0]}x{down[1]} or pad to {up[0]}x{up[1]}"
        )
