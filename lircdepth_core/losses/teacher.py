# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's own terms: the radar's confidence and the coarse depth that is made from it (CaFNet)."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from lircdepth_core.losses.reduction import masked_mean
from lircdepth_core.models.common.blocks import at_least_float32

_TOLERANCE_M = 0.4  # between a return's depth and the true depth of a pixel, up to which the return holds for the pixel
_LEAST_PROBABILITY = 1e-6  # the probability is clamped from below, so that its logarithm stays finite
_BOX_TOLERANCE_M = 1.0  # by which a return may lie before or behind the box to which it belongs
_REACH_PX = (50, 150)  # rows and columns around a return within which it may hold


class ConfidenceLoss(nn.Module):
    """Binary cross entropy of the radar confidence, over the pixels whose label is known."""

    def forward(self, confidence: Tensor, label: Tensor) -> Tensor:
        """Return a scalar. confidence: [N, 1, H, W] in [0, 1]. label: [N, 1, H, W], 1, 0, or -1 where unknown."""
        confidence = at_least_float32(confidence)
        known = label >= 0
        # Written out, since PyTorch's binary cross entropy does not run under autocast.
        right = torch.where(label > 0, confidence, 1 - confidence)
        return masked_mean(-torch.log(right.clamp_min(_LEAST_PROBABILITY)), known)


class CoarseDepthLoss(nn.Module):
    """L1 between coarse and dense depth, over the valid pixels."""

    def forward(self, coarse_depth: Tensor, dense_depth: Tensor) -> Tensor:
        """Return a scalar. Both maps are [N, 1, H, W] metres."""
        return masked_mean((at_least_float32(coarse_depth) - dense_depth).abs(), dense_depth > 0)


def confidence_label(
    radar_depth: Tensor, dense_depth: Tensor, boxes: Iterable[Sequence[float]] | None = None, scale: float = 1.0
) -> Tensor:
    """Return for which pixels a radar return's depth holds: [H, W], 1 (it does), 0 (none does), -1 (depth unknown).

    radar_depth, dense_depth: [H, W] metres, 0 = none. boxes: [K, 6] of annotated objects: rows top to bottom and
    columns left to right (pixels, ends excluded), depths near to far (metres). A return may hold within the smallest
    box in which it lies, and without one within +-50 rows and +-150 columns. scale: width of this image relative to
    nuScenes' 1600 pixels.
    """
    label = torch.where(dense_depth > 0, 0.0, -1.0).to(radar_depth.dtype)
    reach_rows, reach_columns = (max(round(reach * scale), 1) for reach in _REACH_PX)
    smallest_first = sorted(map(tuple, () if boxes is None else boxes), key=lambda b: (b[1] - b[0]) * (b[3] - b[2]))
    rows, columns = torch.nonzero(radar_depth > 0, as_tuple=True)
    depths = radar_depth[rows, columns].tolist()
    for row, column, depth in zip(rows.tolist(), columns.tolist(), depths, strict=True):
        patch = (
            max(row - reach_rows, 0),
            row + reach_rows + 1,
            max(column - reach_columns, 0),
            column + reach_columns + 1,
        )
        own_boxes = (
            box[:4]
            for box in smallest_first
            if box[0] <= row < box[1]
            and box[2] <= column < box[3]
            and box[4] - _BOX_TOLERANCE_M <= depth <= box[5] + _BOX_TOLERANCE_M
        )
        top, bottom, left, right = next(own_boxes, patch)
        region = (slice(top, bottom), slice(left, right))
        near = (dense_depth[region] > 0) & ((dense_depth[region] - depth).abs() < _TOLERANCE_M)
        label[region].masked_fill_(near, 1.0)
    return label
