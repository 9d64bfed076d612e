# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth at the network's size to depth at the image's size.

"nearest": every value is one that the network gave. "edge_aware": joint bilateral upsampling (Kopf et al., SIGGRAPH
2007) of the four depths around a pixel, of which only those on the surface of the best one are averaged.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError

METHODS = ("nearest", "edge_aware")

_COLOR_SIGMA = 8.0  # of 255: standard deviation of colours on one surface
_SAME_SURFACE_RATIO = 1.1  # of depths, up to which neighbours are averaged
_BAND_ROWS = 60  # worked on at a time, so that they stay in the processor's cache
# Stands for +Inf while means are computed: +Inf times a weight of 0 would be NaN.
_FAR_M = np.float32(1e30)

_Map: TypeAlias = npt.NDArray[np.float32]
_Picture: TypeAlias = npt.NDArray[np.uint8]


def upsample(
    depth: _Map,
    shape: tuple[int, int],
    method: str = "nearest",
    guide: _Picture | None = None,
    small_guide: _Picture | None = None,
) -> _Map:
    """Return depth [h, w] at another size, as float32 of ``shape`` (H, W).

    depth: float32, metres; NaN unknown, +Inf beyond range. Pixel centres map as in a resampled image. For
    "edge_aware", guide is uint8 [H, W, 3], the image at ``shape``, and small_guide [h, w, 3] the same at depth's size:
    a pixel takes its depth from those of the four around it whose colour is like its own, and never a mean of depths
    that differ by more than a tenth. A pixel whose nearest depth is NaN becomes NaN.
    Raises LircDepthError for another method or guides of other sizes.
    """
    import cv2

    if method not in METHODS:
        raise LircDepthError(f"upsampling is '{method}', expected one of {', '.join(METHODS)}")
    nearest = np.asarray(cv2.resize(depth, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
    if method == "nearest":
        return nearest
    found = tuple(() if picture is None else picture.shape for picture in (guide, small_guide))
    wanted = (*shape, 3), (*depth.shape, 3)
    if guide is None or small_guide is None or found != wanted:
        raise LircDepthError(f"guides are {found[0]} and {found[1]}, expected {wanted[0]} and {wanted[1]}")
    result = _joint_bilateral(depth, shape, guide, small_guide)
    result[result > _FAR_M / 10] = np.inf
    result[np.isnan(nearest)] = np.nan
    return result


def _joint_bilateral(depth: _Map, shape: tuple[int, int], guide: _Picture, small_guide: _Picture) -> _Map:
    """Return depth at ``shape``, values near _FAR_M for +Inf, and anything where the nearest depth is NaN."""
    import cv2

    rows, row_weights = _neighbours(shape[0], depth.shape[0])
    columns, column_weights = _neighbours(shape[1], depth.shape[1])
    unknown = np.isnan(depth)
    some_unknown = bool(unknown.any())
    finite = np.where(unknown, np.float32(0), np.minimum(depth, _FAR_M))
    # Columns are gathered first, on few rows; what is then gathered for each pixel are whole rows.
    depths = [np.take(finite, column, axis=1) for column in columns]
    colors = [np.take(small_guide, column, axis=1) for column in columns]
    similarity = np.exp(-((np.arange(256, dtype=np.float32) / _COLOR_SIGMA) ** 2) / 2) + np.float32(1e-6)
    result = np.empty(shape, np.float32)
    for start in range(0, shape[0], _BAND_ROWS):
        band = slice(start, min(start + _BAND_ROWS, shape[0]))
        candidates, weights = [], []
        for row, row_weight in zip(rows, row_weights, strict=True):
            for column_depths, column_colors, column_weight in zip(depths, colors, column_weights, strict=True):
                candidate = column_depths[row[band]]
                difference = cv2.cvtColor(cv2.absdiff(guide[band], column_colors[row[band]]), cv2.COLOR_RGB2GRAY)
                weight = np.asarray(cv2.LUT(difference, similarity), np.float32)
                weight *= column_weight
                weight *= row_weight[band, None]
                if some_unknown:
                    weight *= candidate > 0
                candidates.append(candidate)
                weights.append(weight)
        result[band] = _mean_on_the_best_surface(candidates, weights)
    return result


def _neighbours(size: int, small_size: int) -> tuple[npt.NDArray[np.intp], _Map]:
    """Return the indices [2, size] of the samples around each pixel along an axis, and their linear weights."""
    position = (np.arange(size) + 0.5) * small_size / size - 0.5
    first = np.floor(position)
    share = (position - first).astype(np.float32)
    indices = np.clip(np.stack([first, first + 1]).astype(np.intp), 0, small_size - 1)
    return indices, np.stack([1 - share, share])


def _mean_on_the_best_surface(candidates: list[_Map], weights: list[_Map]) -> _Map:
    """Return the weighted mean of those candidates that lie on the surface of the one with the greatest weight."""
    import cv2

    best, greatest = candidates[0].copy(), weights[0].copy()
    for candidate, weight in zip(candidates[1:], weights[1:], strict=True):
        cv2.copyTo(candidate, cv2.compare(weight, greatest, cv2.CMP_GT), best)  # np.where takes 80 times as long
        np.maximum(greatest, weight, out=greatest)
    nearest, farthest = best / np.float32(_SAME_SURFACE_RATIO), best * np.float32(_SAME_SURFACE_RATIO)
    total, norm = np.zeros_like(best), np.zeros_like(best)
    for candidate, weight in zip(candidates, weights, strict=True):
        weight *= (candidate >= nearest) & (candidate <= farthest)
        norm += weight
        total += cv2.multiply(weight, candidate)
    with np.errstate(invalid="ignore"):  # 0 / 0 where none of the four is known
        return total / norm
