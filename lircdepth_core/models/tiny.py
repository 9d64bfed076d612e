# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A network of 1,609 parameters with the student's inputs and output, for tests and smoke runs.

Its depth means nothing, but depends on every input, and costs very little: tests of the node can run many frames at
full size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.common.interface import MAX_DEPTH, DepthOutput, check_input_size

_CELL_PX = 16


class TinyDepth(nn.Module):
    """Depth at 1/16 of the input's size from pooled image and radar, repeated to the input's size."""

    def __init__(self, max_depth: float = MAX_DEPTH) -> None:
        super().__init__()
        self.max_depth = max_depth
        self.layers = nn.Sequential(
            nn.Conv2d(7, 16, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(16, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        )

    def forward(self, image: Tensor, radar: Tensor) -> DepthOutput:
        """Estimate depth as LiRCDepth.forward does; every list of the output is empty."""
        check_input_size(image, radar)
        cells = torch.cat([functional.avg_pool2d(image, _CELL_PX), functional.max_pool2d(radar, _CELL_PX) / 100], dim=1)
        depth = torch.sigmoid(self.layers(cells)) * self.max_depth
        depth = functional.interpolate(depth, scale_factor=_CELL_PX, mode="nearest")
        return DepthOutput(depth, [], [], [], [])
