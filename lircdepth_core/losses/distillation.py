# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Losses by which a student learns from its teacher: features (Eq. 1), structure (Eq. 2, 3), inter-depth (Eq. 5).

Scale i has the weight 2^-i, the finest one i = 1. The teacher's tensors carry no gradient.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lircdepth_core.losses.depth import Uncertainty
from lircdepth_core.losses.reduction import masked_mean
from lircdepth_core.models.common.blocks import at_least_float32

_SMALLEST_NORM = 1e-6  # a feature vector shorter than this has no direction


def _pairs(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Yield (2^-i, student, teacher) from two lists, finest first. Raises ValueError when shapes do not match."""
    for i, (s, t) in enumerate(zip(student, teacher, strict=True), start=1):
        if s.shape != t.shape:
            raise ValueError(f"student feature {i} is {tuple(s.shape)}, the teacher's {tuple(t.shape)}")
        yield 2.0**-i, at_least_float32(s), at_least_float32(t.detach())


def _sum(terms: Iterable[Tensor]) -> Tensor:
    """Return the sum of one or more scalars, added one after the other."""
    return functools.reduce(torch.add, terms)


class FeatureLoss(nn.Module):
    """Single-modal features (Eq. 1): sum over scales of 2^-i times the mean absolute difference."""

    def forward(self, student_features: Sequence[Tensor], teacher_features: Sequence[Tensor]) -> Tensor:
        """Return a scalar. Both are lists of [N, C_i, H_i, W_i], fine to coarse."""
        return _sum(
            weight * (student - teacher).abs().mean()
            for weight, student, teacher in _pairs(student_features, teacher_features)
        )


class StructureLoss(nn.Module):
    """Similarity structure of decoder features (Eq. 2, 3).

    It is the sum over scales of 2^-i times the mean, over all pairs of pixels, of the squared difference between the
    student's cosine similarity and the teacher's.
    pool: side of the grid to which features are max-pooled first, as published code does (6); None: full resolution.
    """

    def __init__(self, pool: int | None = None) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, student_features: Sequence[Tensor], teacher_features: Sequence[Tensor]) -> Tensor:
        """Return a scalar. Both are lists of [N, C_i, H_i, W_i], coarse to fine, as the networks return them."""
        return _sum(
            weight * similarity_difference(self._pooled(student), self._pooled(teacher))
            for weight, student, teacher in _pairs(student_features[::-1], teacher_features[::-1])
        )

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool is None else functional.adaptive_max_pool2d(x, self.pool)


def similarity_difference(student: Tensor, teacher: Tensor) -> Tensor:
    """Return mean over pixel pairs (p, q) and batch of (cos(s_p, s_q) - cos(t_p, t_q))^2, without forming the pairs.

    student, teacher: [N, C, H, W]. With unit columns S, T in R^(C x HW), D = S - T and M = (S + T) / 2, the sum over
    pairs is 2 <D D', M M'> + 2 <P, P'>, P = D M'. No digits cancel when S is near T, unlike in the Gram
    matrices' ||S S'||^2 - 2 ||S T'||^2 + ||T T'||^2. It takes O(HW C^2) operations and O(HW C) memory.
    """
    student, teacher = (functional.normalize(x.flatten(2), dim=1, eps=_SMALLEST_NORM) for x in (student, teacher))
    pixels = student.shape[2]
    with torch.autocast(student.device.type, enabled=False):  # the products need float32
        difference, middle = student - teacher, (student + teacher) / 2
        cross = difference @ middle.mT
        products = (difference @ difference.mT) * (middle @ middle.mT) + cross * cross.mT
        return 2 * (products.sum(dim=(1, 2)) / pixels**2).mean()


class InterDepthLoss(nn.Module):
    """Inter-depth (Eq. 5): sum over scales of 2^-i times the mean of U |student - teacher|.

    A teacher's planes are not bounded: only pixels where its value is finite and in (0, 1] take part. beta: of U.
    uncertainty: weigh with U (Eq. 4); False is the ablation without it.
    """

    def __init__(self, beta: float = 0.2, uncertainty: bool = True) -> None:
        super().__init__()
        self.uncertainty = Uncertainty(beta) if uncertainty else None

    def forward(
        self, student_depths: Sequence[Tensor], teacher_depths: Sequence[Tensor], trust: Tensor | None = None
    ) -> Tensor:
        """Return a scalar. Both are lists of [N, 1, H, W] in units of max_depth, from 1/8, 1/4, 1/2.

        trust: [N, 1, H, W], by which each pixel weighs besides, see Reliability.
        """
        return _sum(
            weight * self._difference(student, teacher, trust)
            for weight, student, teacher in _pairs(student_depths[::-1], teacher_depths[::-1])
        )

    def _difference(self, student: Tensor, teacher: Tensor, trust: Tensor | None) -> Tensor:
        valid = torch.isfinite(teacher) & (teacher > 0) & (teacher <= 1)
        teacher = torch.where(valid, teacher, torch.ones_like(teacher))  # so that no gradient is NaN
        error = (student - teacher).abs()
        if self.uncertainty is not None:
            error = error * self.uncertainty(student, teacher)
        if trust is not None:
            error = error * trust
        return masked_mean(error, valid)
