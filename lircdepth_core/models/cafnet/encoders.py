# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's three encoders: ResNets on the image, on sparse radar channels, and on confident coarse depth."""

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.common.blocks import convolution
from lircdepth_core.models.common.torchvision_loader import load_torchvision

_STAGES = ("layer1", "layer2", "layer3", "layer4")

_ResNet: TypeAlias = Any  # of torchvision, which has no types


def _resnet(layers: int) -> _ResNet:
    network = getattr(load_torchvision().models, f"resnet{layers}")(weights=None)
    del network.avgpool, network.fc  # the classifier, which published checkpoints carry along
    return network


def _taps(network: _ResNet, x: Tensor) -> list[Tensor]:
    """Return features of a ResNet, fine to coarse: 64, 64, 128, 256, 512 channels at scales 1..5."""
    taps = [network.relu(network.bn1(network.conv1(x)))]
    x = network.maxpool(taps[0])
    for name in _STAGES:
        x = getattr(network, name)(x)
        taps.append(x)
    return taps


class ImageEncoder(nn.Module):
    """A ResNet-34 on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.base_model = _resnet(34)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return five taps, fine to coarse. image: [N, 3, H, W]."""
        return _taps(self.base_model, image)


class SparseConv(nn.Module):
    """Sparsity-aware convolution (Uhrig et al., "Sparsity Invariant CNNs", 3DV 2017).

    Its result is divided by the number of measured pixels in reach.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.sparsity = nn.Conv2d(1, 1, kernel_size, padding=padding, bias=False)  # a box filter, never trained
        nn.init.ones_(self.sparsity.weight)
        self.sparsity.weight.requires_grad_(False)
        self.pool = nn.MaxPool2d(kernel_size, stride=1, padding=padding)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map and the mask of the output. x: [N, C, H, W]. mask: [N, 1, H, W], 1 = measured."""
        # The count is a whole number, exact in every precision; where it is 0, the quotient is 0 / 1.
        count = self.sparsity(mask).clamp_min(1)
        x = self.conv(x * mask) / count + self.bias[:, None, None]
        return functional.elu(x), self.pool(mask)


class SparseRadarEncoder(nn.Module):
    """A ResNet-18 behind sparsity-aware convolutions, on the radar channels."""

    def __init__(self) -> None:
        super().__init__()
        self.sparse_conv1 = SparseConv(4, 16, 7)
        self.sparse_conv2 = SparseConv(16, 16, 5)
        self.sparse_conv3 = SparseConv(16, 16, 3)
        self.sparse_conv4 = SparseConv(16, 3, 3)
        self.base_model_radar = _resnet(18)

    def forward(self, radar: Tensor) -> list[Tensor]:
        """Return five taps, fine to coarse. radar: [N, 4, H, W]."""
        x, mask = radar, (radar[:, :1] > 0).to(radar.dtype)
        for layer in (self.sparse_conv1, self.sparse_conv2, self.sparse_conv3, self.sparse_conv4):
            x, mask = layer(x, mask)
        return _taps(self.base_model_radar, x)


class RadarEncoder(nn.Module):
    """A ResNet-18 on confident coarse depth and radar channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = convolution(5, 3, 3, nn.ELU())
        self.base_model_radar = _resnet(18)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return five taps, fine to coarse. x: [N, 5, H, W]."""
        return _taps(self.base_model_radar, self.conv(x))
