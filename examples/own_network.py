# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A student of one's own: trained, exported and evaluated by the same commands as the others.

export PYTHONPATH=examples LIRCDEPTH_NETWORKS=own_network
lircdepth train fit -c training/synthetic_small/student.yaml \
        --model.model own_network.Pyramid --model.model_args '{width: 24}'
"""

import torch
from torch import nn
from torch.nn import functional

from lircdepth_core.models.common.interface import MAX_DEPTH, DepthOutput, check_input_size


class Pyramid(nn.Module):
    """Depth from image and radar at an eighth of the input's size. width: channels."""

    def __init__(self, width=16, max_depth=MAX_DEPTH):
        super().__init__()
        self.max_depth = max_depth
        self.layers = nn.Sequential(
            nn.Conv2d(7, width, 7, stride=4, padding=3), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 5, stride=2, padding=2), nn.ReLU(inplace=True),
            nn.Conv2d(width, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, image, radar):
        """Return a DepthOutput: depth in metres at the input's size. The lists serve distillation alone."""
        check_input_size(image, radar)
        inputs = torch.cat([image, radar / 100], dim=1)
        depth = torch.sigmoid(self.layers(inputs)) * self.max_depth
        return DepthOutput(functional.interpolate(depth, scale_factor=8, mode="bilinear"), [], [], [], [])
