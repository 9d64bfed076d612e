# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Losses on depth maps: uncertainty (Eq. 4), uncertainty-rectified depth loss (Eq. 6), L1, smoothness.

Depth is [N, 1, H, W] in metres, true maps with 0 where nothing was measured.
"""

import torch
from torch import Tensor, nn

from lircdepth_core.losses.reduction import masked_mean
from lircdepth_core.models.common.blocks import at_least_float32

_LEAST_SUM = 1e-6  # keeps the quotient finite where both depths are 0: there is no uncertainty then


class Uncertainty(nn.Module):
    """U = 1 - exp(-|p - t| / (beta |p + t|)), in [0, 1] (Eq. 4)."""

    def __init__(self, beta: float = 0.2) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return U of two maps of any one shape and unit, in that shape; it carries gradient."""
        difference = (prediction - target).abs()
        return 1 - torch.exp(-difference / (self.beta * (prediction + target).abs().clamp_min(_LEAST_SUM)))


class UncertaintyRectifiedDepthLoss(nn.Module):
    """URDL (Eq. 6): L1 on dense and single-scan depth, weighted by a softmax over the two maps' uncertainties.

    Each term is divided by the number of its own valid pixels. Where a true map is invalid, its depth of 0 enters U.
    beta: of U. exclusive: leave the pixels of the single scan out of the dense term, as published code does.
    """

    def __init__(self, beta: float = 0.2, exclusive: bool = False) -> None:
        super().__init__()
        self.uncertainty = Uncertainty(beta)
        self.exclusive = exclusive

    def forward(self, prediction: Tensor, dense_depth: Tensor, single_depth: Tensor) -> Tensor:
        """Return a scalar, 0 when no pixel is valid. All maps are [N, 1, H, W] metres."""
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
    """The loss that URDL replaces: L1 on dense depth plus L1 on single-scan depth, each over its valid pixels."""

    def forward(self, prediction: Tensor, dense_depth: Tensor, single_depth: Tensor) -> Tensor:
        """Return a scalar, 0 when no pixel is valid. All maps are [N, 1, H, W] metres."""
        prediction = at_least_float32(prediction)
        dense, single = (masked_mean((prediction - truth).abs(), truth > 0) for truth in (dense_depth, single_depth))
        return dense + single


class SmoothnessLoss(nn.Module):
    """Edge-aware smoothness: depth may change where the image does."""

    def forward(self, prediction: Tensor, image: Tensor) -> Tensor:
        """Return a scalar. prediction: [N, 1, H, W] metres. image: [N, 3, H, W] as the network gets it."""
        prediction, image = at_least_float32(prediction), at_least_float32(image)
        along_columns, along_rows = (self._along(axis, prediction, image) for axis in (2, 3))
        return along_columns + along_rows

    def _along(self, axis: int, prediction: Tensor, image: Tensor) -> Tensor:
        edge = image.diff(dim=axis).abs().mean(dim=1, keepdim=True)
        return (prediction.diff(dim=axis).abs() * torch.exp(-edge)).mean()
