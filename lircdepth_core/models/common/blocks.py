# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Layers that more than one network is made of."""

import torch
from torch import Tensor, nn


def convolution(in_channels: int, out_channels: int, kernel_size: int, activation: nn.Module) -> nn.Sequential:
    """Return a convolution without bias that keeps the map's size, and an activation."""
    padding = kernel_size // 2
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False), activation)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return the tensor, in float32 if it is in half precision."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
