# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The loss of a whole network: Eq. 7 for the student, CaFNet's for the teacher."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.losses.depth import L1DepthLoss, SmoothnessLoss, UncertaintyRectifiedDepthLoss
from lircdepth_core.losses.distillation import FeatureLoss, InterDepthLoss, StructureLoss
from lircdepth_core.losses.teacher import CoarseDepthLoss, ConfidenceLoss
from lircdepth_core.models.common.interface import DepthOutput, TeacherOutput


def _depth_loss(name: str, beta: float, exclusive: bool) -> nn.Module:
    if name not in ("urdl", "l1"):
        raise LircDepthError(f"depth loss '{name}': expected urdl or l1")
    return UncertaintyRectifiedDepthLoss(beta, exclusive) if name == "urdl" else L1DepthLoss()


class _WeightedSum(nn.Module):
    """Terms by name with their weights; a term of weight 0 is not computed."""

    def __init__(self, **terms: tuple[float, nn.Module]) -> None:
        super().__init__()
        self.weights = {name: weight for name, (weight, _) in terms.items() if weight}
        self.terms = nn.ModuleDict({name: term for name, (weight, term) in terms.items() if weight})

    def _sum(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Return {"total", name: unweighted term, ...}. inputs: {name: arguments of the term}."""
        values: dict[str, Tensor] = {name: term(*inputs[name]) for name, term in self.terms.items() if name in inputs}
        total = functools.reduce(torch.add, (self.weights[name] * value for name, value in values.items()))
        return {"total": total} | values


class StudentLoss(_WeightedSum):
    """Eq. 7: depth + image, radar (Eq. 1) + structure (Eq. 2, 3) + inter_depth (Eq. 5), and smoothness.

    depth_loss: "urdl" (Eq. 6) or "l1". image, radar, structure, inter_depth, smoothness: weights, of which 0 leaves the
    term out; the defaults are the published ones. inter_depth_uncertainty, structure_pool, exclusive: see the terms.
    """

    def __init__(
        self,
        depth_loss: str = "urdl",
        image: float = 1.0,
        radar: float = 1.0,
        structure: float = 1.0,
        inter_depth: float = 1.0,
        smoothness: float = 0.001,
        beta: float = 0.2,
        exclusive: bool = False,
        inter_depth_uncertainty: bool = True,
        structure_pool: int | None = None,
    ) -> None:
        super().__init__(
            depth=(1.0, _depth_loss(depth_loss, beta, exclusive)),
            smoothness=(smoothness, SmoothnessLoss()),
            image=(image, FeatureLoss()),
            radar=(radar, FeatureLoss()),
            structure=(structure, StructureLoss(structure_pool)),
            inter_depth=(inter_depth, InterDepthLoss(beta, inter_depth_uncertainty)),
        )

    @property
    def distils(self) -> bool:
        """Whether a term needs a teacher."""
        return bool(self.weights.keys() & {"image", "radar", "structure", "inter_depth"})

    def forward(
        self,
        student: DepthOutput,
        teacher: TeacherOutput | None,
        image: Tensor,
        dense_depth: Tensor,
        single_depth: Tensor,
    ) -> dict[str, Tensor]:
        """Return {"total", and each term before its weight}, scalars.

        teacher: None for training without distillation. image: [N, 3, H, W] as the network got it. dense_depth,
        single_depth: [N, 1, H, W] metres, 0 = unknown.
        """
        inputs: dict[str, Sequence[Any]] = {
            "depth": (student.depth, dense_depth, single_depth),
            "smoothness": (student.depth, image),
        }
        if teacher is not None:
            inputs |= {
                "image": (student.image_features, teacher.image_features),
                "radar": (student.radar_features, teacher.radar_features),
                "structure": (student.decoder_features, teacher.decoder_features),
                "inter_depth": (student.inter_depth, teacher.inter_depth),
            }
        return self._sum(inputs)


class TeacherLoss(_WeightedSum):
    """The teacher's loss: depth (URDL or L1) + confidence + 0.5 coarse depth + 0.001 smoothness."""

    def __init__(
        self,
        depth_loss: str = "urdl",
        confidence: float = 1.0,
        coarse_depth: float = 0.5,
        smoothness: float = 0.001,
        beta: float = 0.2,
        exclusive: bool = False,
    ) -> None:
        super().__init__(
            depth=(1.0, _depth_loss(depth_loss, beta, exclusive)),
            smoothness=(smoothness, SmoothnessLoss()),
            confidence=(confidence, ConfidenceLoss()),
            coarse_depth=(coarse_depth, CoarseDepthLoss()),
        )

    def forward(
        self,
        teacher: TeacherOutput,
        image: Tensor,
        dense_depth: Tensor,
        single_depth: Tensor,
        confidence_label: Tensor,
    ) -> dict[str, Tensor]:
        """Return {"total", and each term before its weight}, scalars.

        confidence_label: [N, 1, H, W], 1, 0, or -1 where unknown; the other arguments are those of StudentLoss.
        """
        return self._sum(
            {
                "depth": (teacher.depth, dense_depth, single_depth),
                "smoothness": (teacher.depth, image),
                "confidence": (teacher.radar_confidence, confidence_label),
                "coarse_depth": (teacher.coarse_depth, dense_depth),
            }
        )
