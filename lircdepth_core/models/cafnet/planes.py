# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Local planar guidance of BTS: each cell of pixels predicts a plane, which gives the depth of its pixels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.common.blocks import at_least_float32, convolution

_LEAST_CHANNELS = 8
_MAX_POLAR_ANGLE_RAD = math.pi / 3  # between a plane's normal and the optical axis
# Where a plane's depth is cut off, in units of max_depth: far beyond what means anything, and convolutions of what
# follows stay finite, in float16, too.
_FARTHEST_PLANE = 1000.0


class Reduction(nn.Module):
    """1x1 convolutions that halve the channels: to a plane's three raw parameters, or to one depth in (0, 1)."""

    def __init__(self, in_channels: int, out_channels: int, final_depth: bool = False) -> None:
        super().__init__()
        self.reduc = nn.Sequential()
        while out_channels >= _LEAST_CHANNELS:
            name = f"inter_{in_channels}_{out_channels}"
            self.reduc.add_module(name, convolution(in_channels, out_channels, 1, nn.ELU()))
            in_channels, out_channels = out_channels, out_channels // 2
        if final_depth:
            self.reduc.add_module("final", convolution(in_channels, 1, 1, nn.Sigmoid()))
        else:
            self.reduc.add_module("plane_params", nn.Conv2d(in_channels, 3, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, 3, h, w], or [N, 1, h, w] of one depth. x: [N, in, h, w]."""
        reduced: Tensor = self.reduc(x)
        return reduced


def plane_depth(raw: Tensor, cell: int, max_depth: float) -> Tensor:
    """Return the depth of each pixel of cell x cell from the plane that its cell predicts.

    raw: [N, 3, h, w] before their sigmoids: polar angle, azimuth, distance. max_depth: metres.
    Returns [N, 1, cell h, cell w] in units of max_depth, between -1000 and 1000; it is negative where a plane faces
    away from the pixel's ray. Half precision is left for float32 meanwhile: the quotient has poles.
    """
    dtype, raw = raw.dtype, at_least_float32(raw)
    theta, phi, distance = torch.sigmoid(raw).split(1, dim=1)
    theta, phi = theta * _MAX_POLAR_ANGLE_RAD, phi * (2 * math.pi)
    normal = torch.cat([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1)
    normal = functional.normalize(normal, dim=1)
    plane = torch.cat([normal, distance * max_depth], dim=1)
    plane = plane.repeat_interleave(cell, dim=2).repeat_interleave(cell, dim=3)
    n1, n2, n3, n4 = plane.split(1, dim=1)
    offset = (torch.arange(cell, device=raw.device, dtype=raw.dtype) - (cell - 1) / 2) / cell
    u = offset.repeat(raw.shape[3])[None, None, None]
    v = offset.repeat(raw.shape[2])[None, None, :, None]
    depth: Tensor = n4 / (n1 * u + n2 * v + n3) / max_depth
    # Also where a ray lies in its plane, and the quotient is infinite.
    return depth.clamp(-_FARTHEST_PLANE, _FARTHEST_PLANE).to(dtype)
