# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A loss term of one's own: a class, and its path with a weight among the weights of the other terms.

export PYTHONPATH=examples
lircdepth train fit -c training/synthetic_small/student.yaml \
        --model.loss '{image: 0, radar: 0, structure: 0, inter_depth: 0, own_loss.RelativeError: 0.5}'

In a recipe, with an argument of its constructor: own_loss.RelativeError: {weight: 0.5, least_depth: 2.0}
"""

from torch import nn

from lircdepth_core.losses.reduction import masked_mean


class RelativeError(nn.Module):
    """The mean relative error at the points of the lidar scan. least_depth: nearer truth counts as this [m]."""

    def __init__(self, least_depth=1.0):
        super().__init__()
        self.least_depth = least_depth

    def forward(self, output, teacher, batch):
        """Return a scalar. output, teacher: of the network that learns, and of what teaches it, or None.

        batch: see data.frame.
        """
        truth = batch["single"]  # [N, 1, H, W] metres, 0 = unknown
        error = (output.depth.float() - truth).abs() / truth.clamp(min=self.least_depth)
        return masked_mean(error, truth > 0)
