# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The decoder of BTS, with the radar's gated features added at each scale."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.cafnet.fusion import GatedFusion
from lircdepth_core.models.cafnet.layers import UpConv, batch_norm
from lircdepth_core.models.cafnet.planes import Reduction, plane_depth
from lircdepth_core.models.common.blocks import convolution


class _AtrousConv(nn.Module):
    """One branch of the dense ASPP (atrous spatial pyramid pooling)."""

    def __init__(self, in_channels: int, dilation: int, first_bn: bool) -> None:
        super().__init__()
        self.atrous_conv = nn.Sequential()
        if first_bn:
            self.atrous_conv.add_module("first_bn", batch_norm(in_channels))
        sequence = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(in_channels, 256, 1, bias=False),
            nn.BatchNorm2d(256, momentum=0.01),
            nn.ReLU(),
            nn.Conv2d(256, 128, 3, padding=dilation, dilation=dilation, bias=False),
        )
        self.atrous_conv.add_module("aconv_sequence", sequence)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.atrous_conv(x)
        return result


class Decoder(GatedFusion):
    """Image features, radar features and confidence to depth, with planes at three scales on the way."""

    def __init__(self, max_depth: float) -> None:
        super().__init__()
        self.max_depth = max_depth
        self.upconv5 = UpConv(512, 512)
        self.bn5 = batch_norm(512)
        self.conv5 = convolution(512 + 256, 512, 3, nn.ELU())
        self.upconv4 = UpConv(512, 256)
        self.bn4 = batch_norm(256)
        self.conv4 = convolution(256 + 128, 256, 3, nn.ELU())
        self.bn4_2 = batch_norm(256)
        self.daspp_3 = _AtrousConv(256, 3, first_bn=False)
        self.daspp_6 = _AtrousConv(384 + 128, 6, first_bn=True)
        self.daspp_12 = _AtrousConv(384 + 2 * 128, 12, first_bn=True)
        self.daspp_18 = _AtrousConv(384 + 3 * 128, 18, first_bn=True)
        self.daspp_24 = _AtrousConv(384 + 4 * 128, 24, first_bn=True)
        self.daspp_conv = convolution(256 + 5 * 128, 128, 3, nn.ELU())
        self.reduc8x8 = Reduction(128, 128)
        self.upconv3 = UpConv(128, 128)
        self.bn3 = batch_norm(128)
        self.conv3 = convolution(128 + 64 + 1, 128, 3, nn.ELU())
        self.reduc4x4 = Reduction(128, 64)
        self.upconv2 = UpConv(128, 64)
        self.bn2 = batch_norm(64)
        self.conv2 = convolution(64 + 64 + 1, 64, 3, nn.ELU())
        self.reduc2x2 = Reduction(64, 32)
        self.upconv1 = UpConv(64, 32)
        self.reduc1x1 = Reduction(32, 16, final_depth=True)
        self.conv1 = convolution(32 + 4, 32, 3, nn.ELU())
        self.get_depth = convolution(32, 1, 3, nn.Sigmoid())

    def forward(
        self, image_features: Sequence[Tensor], radar_features: Sequence[Tensor], confidence: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
        """Return (depth, inter_depth, refined radar features, decoder_features) as TeacherOutput describes them."""
        refined = self.refined(radar_features, confidence)
        image1, image2, image3, image4, image5 = image_features
        radar1, radar2, radar3, radar4, radar5 = refined

        up5 = self.bn5(self.upconv5(functional.relu(image5) + radar5))
        scale4 = self.conv5(torch.cat([up5, image4], dim=1))
        up4 = self.bn4(self.upconv4(scale4 + radar4))
        scale3 = self._dense_aspp(torch.cat([up4, image3], dim=1)) + radar3
        depth8 = plane_depth(self.reduc8x8(scale3), 8, self.max_depth)

        up3 = self.bn3(self.upconv3(scale3))
        scale2 = self.conv3(torch.cat([up3, image2, depth8[:, :, ::4, ::4]], dim=1)) + radar2
        depth4 = plane_depth(self.reduc4x4(scale2), 4, self.max_depth)

        up2 = self.bn2(self.upconv2(scale2))
        scale1 = self.conv2(torch.cat([up2, image1, depth4[:, :, ::2, ::2]], dim=1)) + radar1
        depth2 = plane_depth(self.reduc2x2(scale1), 2, self.max_depth)

        up1 = self.upconv1(scale1)
        scale0 = self.conv1(torch.cat([up1, self.reduc1x1(up1), depth2, depth4, depth8], dim=1))
        depth = self.get_depth(scale0) * self.max_depth
        return depth, [depth8, depth4, depth2], refined, [scale4, scale3, scale2, scale1, scale0]

    def _dense_aspp(self, x: Tensor) -> Tensor:
        """Return the map [N, 128, h, w] in which each atrous convolution has seen those of smaller dilation."""
        features = self.bn4_2(self.conv4(x))
        branches = [self.daspp_3(features)]
        for branch in (self.daspp_6, self.daspp_12, self.daspp_18, self.daspp_24):
            branches.append(branch(torch.cat([x, *branches], dim=1)))
        fused: Tensor = self.daspp_conv(torch.cat([features, *branches], dim=1))
        return fused
