# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The paper's losses, one nn.Module an equation (numbers as in arXiv 2412.16380), and one for rendered depth."""

from lircdepth_core.losses.depth import (
    L1DepthLoss,
    SmoothnessLoss,
    Uncertainty,
    UncertaintyRectifiedDepthLoss,
)
from lircdepth_core.losses.distillation import FeatureLoss, InterDepthLoss, StructureLoss
from lircdepth_core.losses.own_terms import OwnTerms
from lircdepth_core.losses.reliability import Reliability
from lircdepth_core.losses.rendered import RenderedDepthLoss
from lircdepth_core.losses.teacher import CoarseDepthLoss, ConfidenceLoss, confidence_label
from lircdepth_core.losses.total import DepthTruth, StudentLoss, TeacherLoss

__all__ = [
    "CoarseDepthLoss",
    "ConfidenceLoss",
    "DepthTruth",
    "FeatureLoss",
    "InterDepthLoss",
    "L1DepthLoss",
    "OwnTerms",
    "Reliability",
    "RenderedDepthLoss",
    "SmoothnessLoss",
    "StructureLoss",
    "StudentLoss",
    "TeacherLoss",
    "Uncertainty",
    "UncertaintyRectifiedDepthLoss",
    "confidence_label",
]
