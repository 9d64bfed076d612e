# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's first stage: coarse depth from image and radar, and the confidence of the radar."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lircdepth_core.models.cafnet.layers import UpConv, batch_norm
from lircdepth_core.models.common.blocks import convolution


class RadarDecoder(nn.Module):
    """Decodes image and radar taps from the coarsest scale to the input's size."""

    _WIDTHS = (256, 128, 64, 32, 32)
    _SKIPS = (512, 256, 128, 64, 64)  # channels of one encoder, coarse to fine

    def __init__(self, max_depth: float) -> None:
        super().__init__()
        self.max_depth = max_depth
        upsampled = 0
        for scale, width, skip in zip((5, 4, 3, 2, 1), self._WIDTHS, self._SKIPS, strict=True):
            setattr(self, f"upconv{scale}", UpConv(2 * skip + upsampled, width))
            setattr(self, f"bn{scale}", batch_norm(width))
            setattr(self, f"conv{scale}", convolution(width, width, 3, nn.ELU()))
            upsampled = width
        self.get_depth = convolution(upsampled, 2, 3, nn.Sigmoid())

    def forward(self, image_features: Sequence[Tensor], radar_features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return coarse depth in metres and the radar's confidence, each [N, 1, H, W]. Taps are fine to coarse."""
        below: list[Tensor] = []  # the decoder's map at the next coarser scale
        for scale in (5, 4, 3, 2, 1):
            x = torch.cat([image_features[scale - 1], radar_features[scale - 1], *below], dim=1)
            x = getattr(self, f"bn{scale}")(getattr(self, f"upconv{scale}")(x))
            below = [getattr(self, f"conv{scale}")(x)]
        coarse, confidence = self.get_depth(below[0]).split(1, dim=1)
        return coarse * self.max_depth, confidence
