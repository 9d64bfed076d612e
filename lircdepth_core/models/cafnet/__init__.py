# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher: CaFNet, with the decoder of BTS.

CaFNet: Sun et al., "CaFNet: A Confidence-Driven Framework for Radar Camera Depth Estimation", IROS 2024, arXiv
2407.00697. BTS: Lee et al., "From Big to Small: Multi-Scale Local Planar Guidance for Monocular Depth Estimation",
arXiv 1907.10326.

Module names are those of the published checkpoint, so that its keys load without a mapping. Scale i is 1/2^i of the
input size.
"""

from lircdepth_core.models.cafnet.network import CaFNet

__all__ = ["CaFNet"]
