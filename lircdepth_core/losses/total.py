# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The loss of a whole network: Eq. 7 for the student, CaFNet's for the teacher."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.losses.depth import L1DepthLoss, SmoothnessLoss, UncertaintyRectifiedDepthLoss
from lircdepth_core.losses.distillation import FeatureLoss, InterDepthLoss, StructureLoss
from lircdepth_core.losses.reliability import Reliability
from lircdepth_core.losses.rendered import RenderedDepthLoss
from lircdepth_core.losses.teacher import CoarseDepthLoss, ConfidenceLoss
from lircdepth_core.models.common.interface import DepthOutput, TeacherOutput

_RENDERED = "rendered"


def _depth_loss(name: str, beta: float, exclusive: bool, rendered: RenderedDepthLoss) -> nn.Module:
    losses: dict[str, nn.Module] = {
        "urdl": UncertaintyRectifiedDepthLoss(beta, exclusive),
        "l1": L1DepthLoss(),
        _RENDERED: rendered,
    }
    if name not in losses:
        raise LircDepthError(f"depth loss '{name}': expected {', '.join(losses)}")
    return losses[name]


@dataclass(frozen=True)
class DepthTruth:
    """True depth of a batch, [N, 1, H, W] metres each, 0 = unknown; None for what its frames do not have.

    dense: accumulated lidar. single: one lidar scan. rendered: known at every pixel, see RenderedDepthLoss.
    """

    dense: Tensor | None = None
    single: Tensor | None = None
    rendered: Tensor | None = None

    def lidar(self) -> tuple[Tensor, Tensor]:
        """Return the dense and the single depth. Raises LircDepthError where there is none."""
        if self.dense is None or self.single is None:
            raise LircDepthError(
                f"the frames have no lidar depth ('dense' and 'single'): use others, or depth_loss {_RENDERED}"
            )
        return self.dense, self.single

    def labels(self) -> Tensor:
        """Return all depth that lidar knows, the single scan before the accumulated one. Raises as ``lidar``."""
        dense, single = self.lidar()
        return torch.where(single > 0, single, dense)

    def whole(self) -> Tensor:
        """Return the rendered depth. Raises LircDepthError where there is none."""
        if self.rendered is None:
            raise LircDepthError(
                f"the frames have no '{_RENDERED}' depth, which depth_loss {_RENDERED} needs: use frames of "
                "`lircdepth pack-street --split varied`, or depth_loss urdl"
            )
        return self.rendered


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

    depth_loss: "urdl" (Eq. 6), "l1", or "rendered", see RenderedDepthLoss. log, linear, gradient, scales, max_depth: of
    "rendered". image, radar, structure, inter_depth, smoothness: weights, of which 0 leaves the
    term out; the defaults are the published ones. inter_depth_uncertainty, structure_pool, exclusive: see the terms.

    What the paper does not have, and the defaults leave out: teacher_depth weighs the RenderedDepthLoss against the
    teacher's depth where there is no truth (as Yang et al., "Depth Anything V2", NeurIPS 2024, learn from labels of a
    teacher alone); teacher_error_scale and fall_back weigh the pixels of inter_depth, see Reliability.
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
        log: float = 5.0,
        linear: float = 0.1,
        gradient: float = 2.0,
        scales: int = 1,
        max_depth: float = 100.0,
        teacher_depth: float = 0.0,
        teacher_error_scale: float | None = None,
        fall_back: bool = False,
    ) -> None:
        rendered = RenderedDepthLoss(log, linear, gradient, scales, max_depth)
        super().__init__(
            depth=(1.0, _depth_loss(depth_loss, beta, exclusive, rendered)),
            smoothness=(smoothness, SmoothnessLoss()),
            image=(image, FeatureLoss()),
            radar=(radar, FeatureLoss()),
            structure=(structure, StructureLoss(structure_pool)),
            inter_depth=(inter_depth, InterDepthLoss(beta, inter_depth_uncertainty)),
            teacher_depth=(teacher_depth, rendered),
        )
        self._of_rendered = depth_loss == _RENDERED
        self._reliability = Reliability(teacher_error_scale, fall_back)

    @property
    def distils(self) -> bool:
        """Whether a term needs a teacher."""
        return bool(self.weights.keys() & {"image", "radar", "structure", "inter_depth", "teacher_depth"})

    def forward(
        self,
        student: DepthOutput,
        teacher: TeacherOutput | None,
        image: Tensor,
        truth: DepthTruth,
    ) -> dict[str, Tensor]:
        """Return {"total", and each term before its weight}, scalars.

        teacher: None for training without distillation. image: [N, 3, H, W] as the network got it. Raises
        LircDepthError where the truth lacks what the depth loss takes.
        """
        depths = (truth.whole(),) if self._of_rendered else truth.lidar()
        inputs: dict[str, Sequence[Any]] = {
            "depth": (student.depth, *depths),
            "smoothness": (student.depth, image),
        }
        if teacher is not None:
            labels = truth.whole() if self._of_rendered else truth.labels()
            trust = self._reliability.weights(student.depth, teacher.depth, labels)
            inputs |= {
                "image": (student.image_features, teacher.image_features),
                "radar": (student.radar_features, teacher.radar_features),
                "structure": (student.decoder_features, teacher.decoder_features),
                "inter_depth": (student.inter_depth, teacher.inter_depth, trust),
                "teacher_depth": (student.depth, torch.where(labels > 0, 0.0, teacher.depth.detach())),
            }
        return self._sum(inputs)


class TeacherLoss(_WeightedSum):
    """The teacher's loss: depth + confidence + 0.5 coarse depth + 0.001 smoothness.

    The options are StudentLoss's. With depth_loss "rendered" the coarse depth learns from rendered depth, too.
    """

    def __init__(
        self,
        depth_loss: str = "urdl",
        confidence: float = 1.0,
        coarse_depth: float = 0.5,
        smoothness: float = 0.001,
        beta: float = 0.2,
        exclusive: bool = False,
        log: float = 5.0,
        linear: float = 0.1,
        gradient: float = 2.0,
        scales: int = 1,
        max_depth: float = 100.0,
    ) -> None:
        rendered = RenderedDepthLoss(log, linear, gradient, scales, max_depth)
        super().__init__(
            depth=(1.0, _depth_loss(depth_loss, beta, exclusive, rendered)),
            smoothness=(smoothness, SmoothnessLoss()),
            confidence=(confidence, ConfidenceLoss()),
            coarse_depth=(coarse_depth, CoarseDepthLoss()),
        )
        self._of_rendered, self._max_depth = depth_loss == _RENDERED, max_depth

    def dense(self, truth: DepthTruth) -> Tensor:
        """Return the map [N, 1, H, W] that coarse depth and confidence are compared with. Raises as ``forward``."""
        return truth.whole().clamp(max=self._max_depth) if self._of_rendered else truth.lidar()[0]

    def forward(
        self,
        teacher: TeacherOutput,
        image: Tensor,
        truth: DepthTruth,
        confidence_label: Tensor,
    ) -> dict[str, Tensor]:
        """Return {"total", and each term before its weight}, scalars.

        confidence_label: [N, 1, H, W], 1, 0, or -1 where unknown; the other arguments are those of StudentLoss.
        """
        depths = (truth.whole(),) if self._of_rendered else truth.lidar()
        return self._sum(
            {
                "depth": (teacher.depth, *depths),
                "smoothness": (teacher.depth, image),
                "confidence": (teacher.radar_confidence, confidence_label),
                "coarse_depth": (teacher.coarse_depth, self.dense(truth)),
            }
        )
