# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher: CaFNet (Sun et al., "CaFNet: A Confidence-Driven Framework for Radar Camera Depth Estimation",
IROS 2024, arXiv 2407.00697), with the decoder of BTS (Lee et al., arXiv 1907.10326).

Module names are those of the published checkpoint, so that its keys load without a mapping. Scale i is 1/2^i of the
input size.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from lircdepth_core.models.interface import MAX_DEPTH, TeacherOutput, check_input_size
from lircdepth_core.models.torchvision_loader import load_torchvision

_TAPS = ("layer1", "layer2", "layer3", "layer4")
_CONFIDENT = 0.4  # coarse depth above this confidence goes into the second radar encoder
_BATCH_NORM = {"eps": 1.1e-5, "momentum": 0.01}


def _resnet(layers):
    network = getattr(load_torchvision().models, f"resnet{layers}")(weights=None)
    del network.avgpool, network.fc  # the classifier, which published checkpoints carry along
    return network


def _taps(network, x):
    """Features of a ResNet, fine to coarse: 64, 64, 128, 256, 512 channels at scales 1..5."""
    taps = [network.relu(network.bn1(network.conv1(x)))]
    x = network.maxpool(taps[0])
    for name in _TAPS:
        x = getattr(network, name)(x)
        taps.append(x)
    return taps


def _conv(in_channels, out_channels, kernel_size, activation):
    padding = kernel_size // 2
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False), activation)


class _UpConv(nn.Module):
    """Nearest-neighbour upsampling x2, 3x3 convolution, ELU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x):
        return functional.elu(self.conv(functional.interpolate(x, scale_factor=2, mode="nearest")))


class ImageEncoder(nn.Module):
    """Image [N, 3, H, W] to the five taps of a ResNet-34."""

    def __init__(self):
        super().__init__()
        self.base_model = _resnet(34)

    def forward(self, image):
        return _taps(self.base_model, image)


class SparseConv(nn.Module):
    """Sparsity-aware convolution (Uhrig et al., "Sparsity Invariant CNNs", 3DV 2017): normalised by what is there."""

    def __init__(self, in_channels, out_channels, kernel_size):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.sparsity = nn.Conv2d(1, 1, kernel_size, padding=padding, bias=False)  # a box filter, never trained
        nn.init.ones_(self.sparsity.weight)
        self.sparsity.weight.requires_grad_(False)
        self.pool = nn.MaxPool2d(kernel_size, stride=1, padding=padding)

    def forward(self, x, mask):
        """X [N, C, H, W] and its mask [N, 1, H, W] (1 = measured) to the same, with the output's channels."""
        x = self.conv(x * mask) / (self.sparsity(mask) + 1e-8) + self.bias[:, None, None]
        return functional.elu(x), self.pool(mask)


class SparseRadarEncoder(nn.Module):
    """Radar channels [N, 4, H, W] to the five taps of a ResNet-18 behind sparsity-aware convolutions."""

    def __init__(self):
        super().__init__()
        self.sparse_conv1 = SparseConv(4, 16, 7)
        self.sparse_conv2 = SparseConv(16, 16, 5)
        self.sparse_conv3 = SparseConv(16, 16, 3)
        self.sparse_conv4 = SparseConv(16, 3, 3)
        self.base_model_radar = _resnet(18)

    def forward(self, radar):
        x, mask = radar, (radar[:, :1] > 0).to(radar.dtype)
        for layer in (self.sparse_conv1, self.sparse_conv2, self.sparse_conv3, self.sparse_conv4):
            x, mask = layer(x, mask)
        return _taps(self.base_model_radar, x)


class RadarEncoder(nn.Module):
    """Confident coarse depth and radar channels [N, 5, H, W] to the five taps of a ResNet-18."""

    def __init__(self):
        super().__init__()
        self.conv = _conv(5, 3, 3, nn.ELU())
        self.base_model_radar = _resnet(18)

    def forward(self, x):
        return _taps(self.base_model_radar, self.conv(x))


class RadarDecoder(nn.Module):
    """Image and radar taps to coarse depth in metres and the radar's confidence, each [N, 1, H, W]."""

    _WIDTHS = (256, 128, 64, 32, 32)
    _SKIPS = (512, 256, 128, 64, 64)  # channels of one encoder, coarse to fine

    def __init__(self, max_depth):
        super().__init__()
        self.max_depth = max_depth
        upsampled = 0
        for scale, width, skip in zip((5, 4, 3, 2, 1), self._WIDTHS, self._SKIPS, strict=True):
            setattr(self, f"upconv{scale}", _UpConv(2 * skip + upsampled, width))
            setattr(self, f"bn{scale}", nn.BatchNorm2d(width, **_BATCH_NORM))
            setattr(self, f"conv{scale}", _conv(width, width, 3, nn.ELU()))
            upsampled = width
        self.get_depth = _conv(upsampled, 2, 3, nn.Sigmoid())

    def forward(self, image_features, radar_features):
        x = []
        for scale in (5, 4, 3, 2, 1):
            x = torch.cat([image_features[scale - 1], radar_features[scale - 1], *x], dim=1)
            x = getattr(self, f"bn{scale}")(getattr(self, f"upconv{scale}")(x))
            x = [getattr(self, f"conv{scale}")(x)]
        coarse, confidence = self.get_depth(x[0]).split(1, dim=1)
        return coarse * self.max_depth, confidence


class _AtrousConv(nn.Module):
    """One branch of the dense ASPP."""

    def __init__(self, in_channels, dilation, first_bn):
        super().__init__()
        self.atrous_conv = nn.Sequential()
        if first_bn:
            self.atrous_conv.add_module("first_bn", nn.BatchNorm2d(in_channels, **_BATCH_NORM))
        sequence = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(in_channels, 256, 1, bias=False),
            nn.BatchNorm2d(256, momentum=0.01),
            nn.ReLU(),
            nn.Conv2d(256, 128, 3, padding=dilation, dilation=dilation, bias=False),
        )
        self.atrous_conv.add_module("aconv_sequence", sequence)

    def forward(self, x):
        return self.atrous_conv(x)


class _Reduction(nn.Module):
    """1x1 convolutions that halve the channels: to a plane's three raw parameters, or to one depth in (0, 1)."""

    def __init__(self, in_channels, out_channels, final_depth=False):
        super().__init__()
        self.reduc = nn.Sequential()
        while out_channels >= 8:
            name = f"inter_{in_channels}_{out_channels}"
            self.reduc.add_module(name, _conv(in_channels, out_channels, 1, nn.ELU()))
            in_channels, out_channels = out_channels, out_channels // 2
        if final_depth:
            self.reduc.add_module("final", _conv(in_channels, 1, 1, nn.Sigmoid()))
        else:
            self.reduc.add_module("plane_params", nn.Conv2d(in_channels, 3, 1, bias=False))

    def forward(self, x):
        return self.reduc(x)


def plane_depth(raw, cell, max_depth):
    """Depth of each pixel of cell x cell from the plane that its cell predicts (BTS, local planar guidance).

    raw: [N, 3, h, w] before their sigmoids: polar angle, azimuth, distance. Returns [N, 1, cell h, cell w] in units of
    max_depth; it is negative or infinite where a plane faces away from the pixel's ray.
    """
    theta, phi, distance = torch.sigmoid(raw).split(1, dim=1)
    theta, phi = theta * (math.pi / 3), phi * (2 * math.pi)
    normal = torch.cat([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=1)
    normal = functional.normalize(normal, dim=1)
    plane = torch.cat([normal, distance * max_depth], dim=1)
    plane = plane.repeat_interleave(cell, dim=2).repeat_interleave(cell, dim=3)
    n1, n2, n3, n4 = plane.split(1, dim=1)
    offset = (torch.arange(cell, device=raw.device, dtype=raw.dtype) - (cell - 1) / 2) / cell
    u = offset.repeat(raw.shape[3])
    v = offset.repeat(raw.shape[2])[:, None]
    return n4 / (n1 * u + n2 * v + n3) / max_depth


class Decoder(nn.Module):
    """BTS' decoder, with the radar added behind each scale (confidence-aware gated fusion, CaGB)."""

    def __init__(self, max_depth):
        super().__init__()
        self.max_depth = max_depth
        fusion = ((5, 512, 512), (4, 256, 512), (3, 128, 128), (2, 64, 128), (1, 64, 64))
        for scale, radar, width in fusion:
            setattr(self, f"weight{scale}", _conv(radar, width, 1, nn.Sigmoid()))
            setattr(self, f"project{scale}", _conv(radar, width, 1, nn.ReLU()))
        self.upconv5 = _UpConv(512, 512)
        self.bn5 = nn.BatchNorm2d(512, **_BATCH_NORM)
        self.conv5 = _conv(512 + 256, 512, 3, nn.ELU())
        self.upconv4 = _UpConv(512, 256)
        self.bn4 = nn.BatchNorm2d(256, **_BATCH_NORM)
        self.conv4 = _conv(256 + 128, 256, 3, nn.ELU())
        self.bn4_2 = nn.BatchNorm2d(256, **_BATCH_NORM)
        self.daspp_3 = _AtrousConv(256, 3, first_bn=False)
        self.daspp_6 = _AtrousConv(384 + 128, 6, first_bn=True)
        self.daspp_12 = _AtrousConv(384 + 2 * 128, 12, first_bn=True)
        self.daspp_18 = _AtrousConv(384 + 3 * 128, 18, first_bn=True)
        self.daspp_24 = _AtrousConv(384 + 4 * 128, 24, first_bn=True)
        self.daspp_conv = _conv(256 + 5 * 128, 128, 3, nn.ELU())
        self.reduc8x8 = _Reduction(128, 128)
        self.upconv3 = _UpConv(128, 128)
        self.bn3 = nn.BatchNorm2d(128, **_BATCH_NORM)
        self.conv3 = _conv(128 + 64 + 1, 128, 3, nn.ELU())
        self.reduc4x4 = _Reduction(128, 64)
        self.upconv2 = _UpConv(128, 64)
        self.bn2 = nn.BatchNorm2d(64, **_BATCH_NORM)
        self.conv2 = _conv(64 + 64 + 1, 64, 3, nn.ELU())
        self.reduc2x2 = _Reduction(64, 32)
        self.upconv1 = _UpConv(64, 32)
        self.reduc1x1 = _Reduction(32, 16, final_depth=True)
        self.conv1 = _conv(32 + 4, 32, 3, nn.ELU())
        self.get_depth = _conv(32, 1, 3, nn.Sigmoid())

    def forward(self, image_features, radar_features, confidence):
        """Return (depth, inter_depth, refined radar features, decoder_features) as TeacherOutput describes them."""
        refined = [
            getattr(self, f"weight{i}")(radar) * getattr(self, f"project{i}")(radar)
            * functional.avg_pool2d(confidence, 2**i)
            for i, radar in enumerate(radar_features, start=1)
        ]  # fmt: skip
        image1, image2, image3, image4, image5 = image_features
        radar1, radar2, radar3, radar4, radar5 = refined

        up5 = self.bn5(self.upconv5(functional.relu(image5) + radar5))
        scale4 = self.conv5(torch.cat([up5, image4], dim=1))
        up4 = self.bn4(self.upconv4(scale4 + radar4))
        concat4 = torch.cat([up4, image3], dim=1)
        iconv4 = self.bn4_2(self.conv4(concat4))
        rates = [self.daspp_3(iconv4)]
        for branch in (self.daspp_6, self.daspp_12, self.daspp_18, self.daspp_24):
            rates.append(branch(torch.cat([concat4, *rates], dim=1)))
        scale3 = self.daspp_conv(torch.cat([iconv4, *rates], dim=1)) + radar3
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


class CaFNet(nn.Module):
    """Depth from an image and sparse radar channels: 60,709,686 parameters (62,248,686 with the published ResNets'
    unused classifiers), 683.95 GMAC at 896x1600.
    """

    def __init__(self, max_depth=MAX_DEPTH):
        super().__init__()
        self.max_depth = max_depth
        self.encoder = ImageEncoder()
        self.encoder_radar1 = SparseRadarEncoder()
        self.decoder_radar = RadarDecoder(max_depth)
        self.encoder_radar2 = RadarEncoder()
        self.decoder = Decoder(max_depth)

    def forward(self, image, radar):
        """Estimate depth; inputs and errors as for LiRCDepth.forward, output a TeacherOutput."""
        check_input_size(image, radar)
        image_features = self.encoder(image)
        coarse, confidence = self.decoder_radar(image_features, self.encoder_radar1(radar))
        confident = torch.where(confidence > _CONFIDENT, coarse, torch.zeros_like(coarse))
        radar_features = self.encoder_radar2(torch.cat([confident, radar], dim=1))
        depth, inter_depth, refined, decoder_features = self.decoder(image_features, radar_features, confidence)
        return TeacherOutput(depth, inter_depth, image_features, refined, decoder_features, confidence, coarse)
