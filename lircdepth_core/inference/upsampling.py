# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth at the network's size to depth at the image's size.

"nearest": every value is one that the network gave. "edge_aware": joint bilateral upsampling (Kopf et al., SIGGRAPH
2007) of the four depths around a pixel, of which only those on the surface of the best one are averaged.
"""

import numpy as np

from lircdepth_core.errors import LircDepthError

METHODS = ("nearest", "edge_aware")

_COLOR_SIGMA = 8.0  # of 255: how much colours on one surface differ
_SAME_SURFACE = 1.1  # ratio of depths up to which neighbours are averaged
_BAND = 60  # rows that are worked on at a time, so that they stay in the processor's cache
_FAR = np.float32(1e30)  # stands for +Inf, which no weight of 0 takes out of a mean


def upsample(depth, shape, method="nearest", guide=None, small_guide=None):
    """Return depth [h, w] at another size, as float32 of ``shape`` (H, W).

    depth: float32, metres; NaN unknown, +Inf beyond range. Pixel centres map as in a resampled image. For
    "edge_aware", guide is uint8 [H, W, 3], the image at ``shape``, and small_guide [h, w, 3] the same at depth's size:
    a pixel takes its depth from those of the four around it whose colour is like its own, and never a mean of depths
    that differ by more than a tenth. A pixel whose nearest depth is NaN stays NaN.
    Raises LircDepthError for another method or guides of other sizes.
    """
    import cv2

    if method not in METHODS:
        raise LircDepthError(f"upsampling is '{method}', expected one of {', '.join(METHODS)}")
    nearest = cv2.resize(depth, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    if method == "nearest":
        return nearest
    if np.shape(guide) != (*shape, 3) or np.shape(small_guide) != (*depth.shape, 3):
        raise LircDepthError(
            f"guides are {np.shape(guide)} and {np.shape(small_guide)}, expected {(*shape, 3)} and {(*depth.shape, 3)}"
        )
    rows, row_weights = _neighbours(shape[0], depth.shape[0])
    columns, column_weights = _neighbours(shape[1], depth.shape[1])
    unknown = np.isnan(depth)
    finite = np.where(unknown, 0, np.minimum(depth, _FAR))
    # The columns first, on few rows; what is then taken per pixel are whole rows.
    depths = [np.take(finite, column, axis=1) for column in columns]
    colors = [np.take(small_guide, column, axis=1) for column in columns]
    similarity = np.exp(-((np.arange(256, dtype=np.float32) / _COLOR_SIGMA) ** 2) / 2) + np.float32(1e-6)
    result = np.empty(shape, np.float32)
    for start in range(0, shape[0], _BAND):
        band = slice(start, min(start + _BAND, shape[0]))
        candidates, weights = [], []
        for row, row_weight in zip(rows, row_weights, strict=True):
            for column_depths, column_colors, column_weight in zip(depths, colors, column_weights, strict=True):
                candidate = column_depths[row[band]]
                difference = cv2.cvtColor(cv2.absdiff(guide[band], column_colors[row[band]]), cv2.COLOR_RGB2GRAY)
                weight = cv2.LUT(difference, similarity)
                weight *= column_weight
                weight *= row_weight[band, None]
                if unknown.any():
                    weight *= candidate > 0
                candidates.append(candidate)
                weights.append(weight)
        result[band] = _mean_on_the_best_surface(candidates, weights)
    result[result > _FAR / 10] = np.inf
    result[np.isnan(nearest)] = np.nan
    return result


def _neighbours(size, small_size):
    """Return the indices [2, size] of the samples around each pixel along an axis, and their linear weights."""
    position = (np.arange(size) + 0.5) * small_size / size - 0.5
    first = np.floor(position)
    share = (position - first).astype(np.float32)
    indices = np.clip(np.stack([first, first + 1]).astype(int), 0, small_size - 1)
    return indices, np.stack([1 - share, share])


def _mean_on_the_best_surface(candidates, weights):
    """Weighted mean of those candidates that lie on the surface of the one with the greatest weight."""
    import cv2

    best, greatest = candidates[0].copy(), weights[0].copy()
    for candidate, weight in zip(candidates[1:], weights[1:], strict=True):
        cv2.copyTo(candidate, cv2.compare(weight, greatest, cv2.CMP_GT), best)  # np.where takes 80 times as long
        np.maximum(greatest, weight, out=greatest)
    nearest, farthest = best / np.float32(_SAME_SURFACE), best * np.float32(_SAME_SURFACE)
    total, norm = np.zeros_like(best), np.zeros_like(best)
    for candidate, weight in zip(candidates, weights, strict=True):
        weight *= (candidate >= nearest) & (candidate <= farthest)
        norm += weight
        total += cv2.multiply(weight, candidate)
    with np.errstate(invalid="ignore"):  # 0 / 0 where none of the four is known
        return total / norm
