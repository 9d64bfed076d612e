# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The loss on rendered depth, which is known at every pixel: no equation of the paper, whose truth is lidar."""

import torch
from torch import Tensor, nn

from lircdepth_core.losses.reduction import masked_mean
from lircdepth_core.models.common.blocks import at_least_float32

_LEAST_DEPTH_M = 0.3  # keeps the logarithm finite


class RenderedDepthLoss(nn.Module):
    """Errors of log depth, of depth, and of the steps of log depth between neighbours, which makes edges sharp.

    log, linear, gradient: weights of the mean absolute errors of log depth, of depth in metres, and of the differences
    of log depth along rows and columns. scales: on so many scales the latter are taken, each half as fine as the one
    before (Li and Snavely, "MegaDepth", CVPR 2018). max_depth: what lies farther, and the sky, counts as if it stood
    there [m], which is as far as a network reaches.
    """

    def __init__(
        self,
        log: float = 5.0,
        linear: float = 0.1,
        gradient: float = 2.0,
        scales: int = 1,
        max_depth: float = 100.0,
    ) -> None:
        super().__init__()
        self.weights = log, linear, gradient
        self.scales, self.max_depth = scales, max_depth

    def forward(self, prediction: Tensor, rendered_depth: Tensor) -> Tensor:
        """Return a scalar, 0 when no pixel is known. Both maps are [N, 1, H, W] metres; a truth of 0 is not known."""
        known = rendered_depth > 0
        prediction = at_least_float32(prediction).clamp_min(_LEAST_DEPTH_M)
        truth = at_least_float32(rendered_depth).clamp(_LEAST_DEPTH_M, self.max_depth)
        log_error = prediction.log() - truth.log()
        log, linear, gradient = self.weights
        return (
            log * masked_mean(log_error.abs(), known)
            + linear * masked_mean((prediction - truth).abs(), known)
            + gradient * self._steps(log_error, known)
        )

    def _steps(self, log_error: Tensor, known: Tensor) -> Tensor:
        """Return the mean absolute error of the steps of log depth, over rows, columns and scales."""
        total = log_error.new_zeros(())
        for scale in range(self.scales):
            coarse, kept = (values[..., :: 2**scale, :: 2**scale] for values in (log_error, known))
            for axis in (2, 3):
                n = coarse.shape[axis] - 1
                both = kept.narrow(axis, 0, n) & kept.narrow(axis, 1, n)
                total = total + masked_mean(torch.diff(coarse, dim=axis).abs(), both)
        return total / self.scales
