# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""CaFNet as a whole: coarse depth and confidence first, then depth from what the radar is trusted for."""

import torch
from torch import Tensor, nn

from lircdepth_core.models.cafnet.decoder import Decoder
from lircdepth_core.models.cafnet.encoders import ImageEncoder, RadarEncoder, SparseRadarEncoder
from lircdepth_core.models.cafnet.radar_decoder import RadarDecoder
from lircdepth_core.models.common.interface import MAX_DEPTH, TeacherOutput, check_input_size

_CONFIDENT = 0.4  # coarse depth above this confidence goes into the second radar encoder


class CaFNet(nn.Module):
    """Depth from an image and sparse radar channels: 60,709,686 parameters, 683.95 GMAC at 896x1600.

    With the unused classifiers of the published ResNets there are 62,248,686 parameters.
    """

    def __init__(self, max_depth: float = MAX_DEPTH) -> None:
        super().__init__()
        self.max_depth = max_depth
        self.encoder = ImageEncoder()
        self.encoder_radar1 = SparseRadarEncoder()
        self.decoder_radar = RadarDecoder(max_depth)
        self.encoder_radar2 = RadarEncoder()
        self.decoder = Decoder(max_depth)

    def forward(self, image: Tensor, radar: Tensor) -> TeacherOutput:
        """Estimate depth; inputs and errors as for LiRCDepth.forward."""
        check_input_size(image, radar)
        image_features = self.encoder(image)
        coarse, confidence = self.decoder_radar(image_features, self.encoder_radar1(radar))
        confident = torch.where(confidence > _CONFIDENT, coarse, torch.zeros_like(coarse))
        radar_features = self.encoder_radar2(torch.cat([confident, radar], dim=1))
        depth, inter_depth, refined, decoder_features = self.decoder(image_features, radar_features, confidence)
        return TeacherOutput(depth, inter_depth, image_features, refined, decoder_features, confidence, coarse)
