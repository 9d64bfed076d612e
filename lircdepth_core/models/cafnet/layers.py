# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Layers of the teacher's two decoders."""

from torch import Tensor, nn
from torch.nn import functional


class UpConv(nn.Module):
    """Nearest-neighbour upsampling x2, 3x3 convolution, ELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of twice the size. x: [N, in, h, w]."""
        return functional.elu(self.conv(functional.interpolate(x, scale_factor=2, mode="nearest")))


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the published constants."""
    return nn.BatchNorm2d(channels, eps=1.1e-5, momentum=0.01)
