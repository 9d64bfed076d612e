# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far a student should follow its teacher at each pixel: no equation of the paper, which always follows it.

A teacher that is no better than its student adds its own error to the truth's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.common.blocks import at_least_float32


@dataclass(frozen=True)
class Reliability:
    """Weights in 0 to 1 of a teacher's pixels, by its own error where the truth is known.

    error_scale: relative error of depth at which a weight has fallen to 1/e (after Saputra et al., "Distilling
    Knowledge From a Deep Pose Regressor Network", ICCV 2019); None: the error does not count. fall_back: a pixel where
    the student is nearer to the truth than the teacher weighs 0 (after Liu et al., "Monitored Distillation", ECCV
    2022). Raises LircDepthError for an error_scale that is not positive.
    """

    error_scale: float | None = None
    fall_back: bool = False

    def __post_init__(self) -> None:
        if self.error_scale is not None and not self.error_scale > 0:
            raise LircDepthError(f"teacher_error_scale {self.error_scale}: expected more than 0, or null")

    @torch.no_grad()
    def weights(self, student_depth: Tensor, teacher_depth: Tensor, truth: Tensor) -> Tensor | None:
        """Return the weights, 1 where the truth is 0 (not known), or None where every pixel weighs the same.

        All are [N, 1, H, W] metres.
        """
        if self.error_scale is None and not self.fall_back:
            return None
        truth, known = at_least_float32(truth), truth > 0
        of_teacher, of_student = ((at_least_float32(depth) - truth).abs() for depth in (teacher_depth, student_depth))
        weight = torch.ones_like(truth)
        if self.error_scale is not None:
            weight = torch.exp(-of_teacher / torch.where(known, truth, 1.0) / self.error_scale)
        if self.fall_back:
            weight = torch.where(of_teacher <= of_student, weight, 0.0)
        return torch.where(known, weight, 1.0)
