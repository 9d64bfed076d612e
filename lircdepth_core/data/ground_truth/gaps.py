# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A sparse depth map becomes a dense one: hidden points are removed, small holes filled, large ones stay holes."""

import numpy as np
import numpy.typing as npt

_LARGEST_GAP_RAD = 0.01  # that is interpolated across: 12 pixels of a nuScenes image


def dense_from_accumulated(depth: npt.NDArray[np.float32], focal_length: float) -> npt.NDArray[np.float32]:
    """Return a dense map from one of accumulated points: hidden points removed, gaps interpolated.

    depth: [H, W] metres, 0 = none. focal_length: pixels.
    """
    return interpolate_gaps(remove_hidden(depth), max(round(_LARGEST_GAP_RAD * focal_length), 1))


def remove_hidden(
    depth: npt.NDArray[np.float32], rows: int = 2, columns: int = 4, relative: float = 0.1, absolute: float = 0.5
) -> npt.NDArray[np.float32]:
    """Return the depth map without pixels that lie behind a nearer surface: [H, W] metres, 0 = none.

    From other viewpoints the lidar saw surfaces that the camera cannot see, and their points fall between those of the
    nearer surface. A pixel is removed when another one, within +-rows and +-columns, is nearer by more than relative *
    depth + absolute metres. The window has few rows, since the road's depth changes from row to row.
    """
    nearest = np.where(depth > 0, depth, np.inf).astype(np.float32)
    for axis, reach in ((0, rows), (1, columns)):
        padded = np.pad(nearest, [(reach, reach) if i == axis else (0, 0) for i in (0, 1)], constant_values=np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
        nearest = windows.min(axis=-1)
    return np.where(depth * (1 - relative) - absolute > nearest, 0, depth).astype(np.float32)


def interpolate_gaps(depth: npt.NDArray[np.float32], largest: int, relative: float = 0.1) -> npt.NDArray[np.float32]:
    """Return the depth map with gaps filled between measurements that belong together: [H, W] metres, 0 = none.

    Along columns, then along rows: where two measurements are at most ``largest`` pixels apart and differ by less than
    ``relative``, the pixels between are interpolated linearly in inverse depth, which is exact on planes.
    """
    return _fill_rows(_fill_rows(depth.T, largest, relative).T, largest, relative)


def _fill_rows(depth: npt.NDArray[np.float32], largest: int, relative: float) -> npt.NDArray[np.float32]:
    index = np.arange(depth.shape[1])
    measured = depth > 0
    before = np.maximum.accumulate(np.where(measured, index, -1), axis=1)
    after = np.minimum.accumulate(np.where(measured, index, depth.shape[1])[:, ::-1], axis=1)[:, ::-1]
    rows, columns = np.nonzero(~measured & (before >= 0) & (after < depth.shape[1]) & (after - before <= largest))
    before, after = before[rows, columns], after[rows, columns]
    first, last = depth[rows, before], depth[rows, after]
    together = np.abs(first - last) < relative * np.minimum(first, last)
    rows, columns, before, after, first, last = (x[together] for x in (rows, columns, before, after, first, last))
    fraction = (columns - before) / (after - before)
    filled = np.ascontiguousarray(depth, dtype=np.float32).copy()
    filled[rows, columns] = 1 / ((1 - fraction) / first + fraction / last)
    return filled
