# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Losses on depth maps: uncertainty (Eq. 4), uncertainty-rectified depth loss (Eq. 6), L1, smoothness.

Depth is [N, 1, H, W] in metres, true maps with 0 where nothing was measured.
"""

import torch
from torch import nn

from lircdepth_core.losses.reduction import at_least_float32, masked_mean

_TINY = 1e-6  # 0 against 0 is no uncertainty, not 0 / 0


class Uncertainty(nn.Module):
    """U = 1 - exp(-|p - t| / (beta |p + t|)), in [0, 1] (Eq. 4)."""

    def __init__(self, beta=0.2):
        super().__init__()
        self.beta = beta

    def forward(self, prediction, target):
        """prediction, target: same shape and unit, any. Returns U in that shape; it carries gradient."""
        difference = (prediction - target).abs()
        return 1 - torch.exp(-difference / (self.beta * (prediction + target).abs().clamp_min(_TINY)))


class UncertaintyRectifiedDepthLoss(nn.Module):
    """URDL (Eq. 6): L1 on dense and single-scan depth, weighted by a softmax over the two maps' uncertainties.

    Each term is divided by the number of its own valid pixels. Where a map is invalid, its U is that against depth 0.
    exclusive: leave the pixels of the single scan out of the dense term, as published code does.
    """

    def __init__(self, beta=0.2, exclusive=False):
        super().__init__()
        self.uncertainty = Uncertainty(beta)
        self.exclusive = exclusive

    def forward(self, prediction, dense_depth, single_depth):
        """All [N, 1, H, W] metres. Returns a scalar; 0 when no pixel is valid."""
        prediction = at_least_float32(prediction)
        weights = torch.softmax(
            torch.stack([self.uncertainty(prediction, dense_depth), self.uncertainty(prediction, single_depth)]), dim=0
        )
        single = single_depth > 0
        dense = (dense_depth > 0) & ~single if self.exclusive else dense_depth > 0
        return masked_mean(weights[0] * (prediction - dense_depth).abs(), dense) + masked_mean(
            weights[1] * (prediction - single_depth).abs(), single
        )


class L1DepthLoss(nn.Module):
    """What URDL replaces: L1 on dense depth plus L1 on single-scan depth, each over its valid pixels."""

    def forward(self, prediction, dense_depth, single_depth):
        """All [N, 1, H, W] metres. Returns a scalar; 0 when no pixel is valid."""
        prediction = at_least_float32(prediction)
        return sum(
            masked_mean((prediction - truth).abs(), truth > 0) for truth in (dense_depth, single_depth)
        )  # fmt: skip


class SmoothnessLoss(nn.Module):
    """Edge-aware smoothness: depth may change where the image does."""

    def forward(self, prediction, image):
        """Prediction [N, 1, H, W] metres, image [N, 3, H, W] as the network gets it. Returns a scalar."""
        prediction, image = at_least_float32(prediction), at_least_float32(image)
        loss = 0.0
        for axis in (2, 3):
            edge = image.diff(dim=axis).abs().mean(dim=1, keepdim=True)
            loss = loss + (prediction.diff(dim=axis).abs() * torch.exp(-edge)).mean()
        return loss
