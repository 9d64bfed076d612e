# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The student: LiRCDepth.

Sun et al., "LiRCDepth: Lightweight Radar-Camera Depth Estimation via Knowledge Distillation and Uncertainty Guidance",
ICASSP 2025, arXiv 2412.16380. Module names are those of the published checkpoint, so that its keys load without a
mapping. Scale i is 1/2^i of the input size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.common.blocks import convolution
from lircdepth_core.models.common.interface import MAX_DEPTH, DepthOutput, check_input_size
from lircdepth_core.models.common.torchvision_loader import load_torchvision

_TAPS = (1, 3, 6, 10, 18)  # MobileNetV2 `features` after which a scale ends
_TAP_CHANNELS = (16, 24, 32, 64, 1280)
_IMAGE_CHANNELS = (64, 64, 128, 256, 512)  # fine to coarse
_RADAR_CHANNELS = (64, 128, 128, 512, 512)


class _ConvReLU(nn.Module):
    """A convolution without bias and a ReLU under the published name `conv`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, 1, nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv(x)
        return result


class _Encoder(nn.Module):
    """MobileNetV2 with taps at five scales."""

    def __init__(self) -> None:
        super().__init__()
        self.base_model: nn.Sequential = load_torchvision().models.mobilenet_v2(weights=None).features

    def taps(self, x: Tensor) -> list[Tensor]:
        """Return the features [N, C, H_i, W_i] at which a scale ends, fine to coarse."""
        taps = []
        for index, layer in enumerate(self.base_model):
            x = layer(x)
            if index in _TAPS:
                taps.append(x)
        return taps


class ImageEncoder(_Encoder):
    """MobileNetV2 on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_image = nn.ModuleList(map(_ConvReLU, _TAP_CHANNELS, _IMAGE_CHANNELS))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return five features, fine to coarse. image: [N, 3, H, W], RGB / 255 with ImageNet's mean and std."""
        return [affinity(tap) for affinity, tap in zip(self.conv_image, self.taps(image), strict=True)]


class RadarEncoder(_Encoder):
    """MobileNetV2 on the radar channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = convolution(4, 3, 3, nn.ReLU(inplace=True))
        self.conv_radar = nn.ModuleList(map(_ConvReLU, _TAP_CHANNELS, _RADAR_CHANNELS))

    def forward(self, radar: Tensor) -> list[Tensor]:
        """Return five features, fine to coarse. radar: [N, 4, H, W], depth m, RCS dBsm, vx, vy m/s, 0 = no return."""
        return [affinity(tap) for affinity, tap in zip(self.conv_radar, self.taps(self.conv(radar)), strict=True)]


class UpBlock(nn.Module):
    """Inverted residual block on transposed convolutions, without the residual."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int = 6) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.expansion_layer = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)
        )
        self.depthwise_layer_transpose = nn.Sequential(
            nn.ConvTranspose2d(
                hidden, hidden, 3, stride, padding=1, output_padding=stride - 1, groups=hidden, bias=False
            ),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
        )
        self.pointwise_layer_transpose = nn.Sequential(
            nn.ConvTranspose2d(hidden, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out, stride h, stride w]. x: [N, in, h, w]."""
        result: Tensor = self.pointwise_layer_transpose(self.depthwise_layer_transpose(self.expansion_layer(x)))
        return result


def _up_blocks(in_channels: int, hidden: int, middle: int, out_channels: int) -> nn.Sequential:
    """Return blocks in -> hidden, ``middle`` of hidden -> hidden, and hidden -> out at twice the size."""
    inner = (UpBlock(hidden, hidden, 1) for _ in range(middle))
    return nn.Sequential(UpBlock(in_channels, hidden, 1), *inner, UpBlock(hidden, out_channels, 2))


def _depth_head(in_channels: int) -> nn.Sequential:
    return convolution(in_channels, 1, 1, nn.ReLU(inplace=True))


class Decoder(nn.Module):
    """Fuses image and radar features by addition and decodes them to depth at the input's size."""

    def __init__(self, max_depth: float) -> None:
        super().__init__()
        self.max_depth = max_depth
        self.conv_radar = nn.ModuleList(map(_ConvReLU, _RADAR_CHANNELS, _IMAGE_CHANNELS))
        self.upconv5 = _up_blocks(512, 32, 1, 512)
        self.upconv4 = _up_blocks(512 + 256, 16, 6, 128)
        self.upconv3 = _up_blocks(128 + 128, 32, 1, 128)
        self.upconv2 = _up_blocks(128 + 64, 32, 0, 64)
        self.upconv1 = nn.Sequential(
            nn.ConvTranspose2d(64 + 64, 32, 3, stride=2, padding=1, output_padding=1, bias=False)
        )
        self.scale8, self.scale4, self.scale2, self.scale1 = map(_depth_head, (128, 128, 64, 32))
        self.conv1 = convolution(32 + 4, 32, 3, nn.ReLU(inplace=True))
        self.get_depth = convolution(32, 1, 3, nn.Sigmoid())

    def forward(
        self, image_features: Sequence[Tensor], radar_features: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Return (depth, inter_depth, decoder_features) as DepthOutput describes them."""
        fused1, fused2, fused3, fused4, fused5 = (
            image + affinity(radar)
            for image, radar, affinity in zip(image_features, radar_features, self.conv_radar, strict=True)
        )
        up5 = self.upconv5(fused5)
        up4 = self.upconv4(torch.cat([up5, fused4], dim=1))
        up3 = self.upconv3(torch.cat([up4, fused3], dim=1))
        up2 = self.upconv2(torch.cat([up3, fused2], dim=1))
        up1 = self.upconv1(torch.cat([up2, fused1], dim=1))
        inter_depth = [
            functional.interpolate(self.scale8(up4), scale_factor=8, mode="nearest"),
            functional.interpolate(self.scale4(up3), scale_factor=4, mode="nearest"),
            functional.interpolate(self.scale2(up2), scale_factor=2, mode="nearest"),
        ]
        last = self.conv1(torch.cat([up1, *inter_depth, self.scale1(up1)], dim=1))
        depth = self.get_depth(last) * self.max_depth
        return depth, inter_depth, [up5, up4, up3, up2, last]


class LiRCDepth(nn.Module):
    """Depth from an image and sparse radar channels: 12,645,228 parameters, 118.87 GMAC at 896x1600."""

    def __init__(self, max_depth: float = MAX_DEPTH) -> None:
        super().__init__()
        self.max_depth = max_depth
        self.encoder = ImageEncoder()
        self.encoder_radar = RadarEncoder()
        self.decoder = Decoder(max_depth)

    def forward(self, image: Tensor, radar: Tensor) -> DepthOutput:
        """Estimate depth.

        image: [N, 3, H, W] RGB / 255 with ImageNet's mean and std. radar: [N, 4, H, W], see RadarEncoder.
        Raises ValueError, with the sizes to use, when H or W is no multiple of 32 or the two disagree.
        """
        check_input_size(image, radar)
        image_features = self.encoder(image)
        radar_features = self.encoder_radar(radar)
        depth, inter_depth, decoder_features = self.decoder(image_features, radar_features)
        return DepthOutput(depth, inter_depth, image_features, radar_features, decoder_features)
