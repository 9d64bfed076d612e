# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Confidence-aware gated fusion (CaGB): how strongly radar features enter the decoder."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.models.common.blocks import convolution

# Scale, channels of the radar's tap, channels of the decoder there.
_GATES = ((5, 512, 512), (4, 256, 512), (3, 128, 128), (2, 64, 128), (1, 64, 64))


class GatedFusion(nn.Module):
    """The gates of five scales; a decoder derives from it, since published checkpoints keep them among its layers."""

    def __init__(self) -> None:
        super().__init__()
        for scale, radar, width in _GATES:
            setattr(self, f"weight{scale}", convolution(radar, width, 1, nn.Sigmoid()))
            setattr(self, f"project{scale}", convolution(radar, width, 1, nn.ReLU()))

    def refined(self, radar_features: Sequence[Tensor], confidence: Tensor) -> list[Tensor]:
        """Return what is added to the decoder's maps at scales 1..5: gated, projected and confident radar features.

        radar_features: five taps, fine to coarse. confidence: [N, 1, H, W] in [0, 1].
        """
        return [
            getattr(self, f"weight{scale}")(radar)
            * getattr(self, f"project{scale}")(radar)
            * functional.avg_pool2d(confidence, 2**scale)
            for scale, radar in enumerate(radar_features, start=1)
        ]
