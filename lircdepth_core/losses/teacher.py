# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's own terms: the radar's confidence and the coarse depth that is made from it (CaFNet)."""

import torch
from torch import nn

from lircdepth_core.losses.reduction import at_least_float32, masked_mean

_TOLERANCE = 0.4  # metres between a radar depth and the true depth of a pixel that it holds for
_SURE = 1e-6  # no less is the probability of what is true taken to be
_IN_BOX = 1.0  # metres by which a return may lie before or behind the box that it belongs to
_REACH = (50, 150)  # rows and columns around a return that it may speak for


class ConfidenceLoss(nn.Module):
    """Binary cross entropy of the radar confidence, over the pixels whose label is known."""

    def forward(self, confidence, label):
        """Confidence [N, 1, H, W] in [0, 1]; label [N, 1, H, W]: 1, 0, or -1 where unknown. Returns a scalar."""
        confidence = at_least_float32(confidence)
        known = label >= 0
        # Written out, since PyTorch's own refuses to run under autocast.
        right = torch.where(label > 0, confidence, 1 - confidence)
        return masked_mean(-torch.log(right.clamp_min(_SURE)), known)


class CoarseDepthLoss(nn.Module):
    """L1 between coarse and dense depth, over the valid pixels."""

    def forward(self, coarse_depth, dense_depth):
        """Both [N, 1, H, W] metres. Returns a scalar."""
        return masked_mean((at_least_float32(coarse_depth) - dense_depth).abs(), dense_depth > 0)


def confidence_label(radar_depth, dense_depth, boxes=None, scale=1.0):
    """Return where a radar return's depth holds: [H, W] with 1 (it does), 0 (it does not), -1 (dense depth unknown).

    radar_depth, dense_depth: [H, W] metres, 0 = none. boxes: [K, 6] of annotated objects: rows top to bottom and
    columns left to right (pixels, ends excluded), depths near to far (metres). A return that lies in one speaks for the
    smallest such box, any other for +-50 rows x +-150 columns around it. scale: width of this image relative to
    nuScenes' 1600 pixels.
    """
    label = torch.where(dense_depth > 0, 0.0, -1.0).to(radar_depth.dtype)
    reach_rows, reach_columns = (max(round(reach * scale), 1) for reach in _REACH)
    boxes = [] if boxes is None else sorted(map(tuple, boxes), key=lambda b: (b[1] - b[0]) * (b[3] - b[2]))
    rows, columns = torch.nonzero(radar_depth > 0, as_tuple=True)
    depths = radar_depth[rows, columns].tolist()
    for row, column, depth in zip(rows.tolist(), columns.tolist(), depths, strict=True):
        patch = (max(row - reach_rows, 0), row + reach_rows + 1, max(column - reach_columns, 0),
                 column + reach_columns + 1)  # fmt: skip
        own = (
            b[:4] for b in boxes
            if b[0] <= row < b[1] and b[2] <= column < b[3] and b[4] - _IN_BOX <= depth <= b[5] + _IN_BOX
        )  # fmt: skip
        top, bottom, left, right = next(own, patch)
        region = (slice(top, bottom), slice(left, right))
        near = (dense_depth[region] > 0) & ((dense_depth[region] - depth).abs() < _TOLERANCE)
        label[region].masked_fill_(near, 1.0)
    return label
