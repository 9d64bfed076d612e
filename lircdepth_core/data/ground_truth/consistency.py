# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lidar points of things that moved are found without boxes: other scans have seen through the place where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.geometry.transforms import Float64Array

_Points = npt.NDArray[np.float32]

_AZIMUTH_RAD, _ELEVATION_RAD = np.radians(0.5), np.radians(1.4)  # cells: about the spacing of a spinning lidar's points
_MARGIN_M, _RELATIVE_MARGIN = 0.5, 0.05  # by which a scan must see farther than a point to have seen through it
_LEAST_VOTES = 2  # scans that must have seen through a point


class SeenDirections:
    """How far one scan saw, direction by direction, from where the sensor stood.

    points: [N, 3] metres in the sensor's frame. A direction in which nothing came back tells nothing.
    """

    def __init__(self, points: npt.NDArray[np.floating[Any]]) -> None:
        columns, rows, distance = _cells(points)
        self._origin = int(columns.min(initial=0)), int(rows.min(initial=0))
        shape = int(rows.max(initial=0)) - self._origin[1] + 1, int(columns.max(initial=0)) - self._origin[0] + 1
        self._nearest = np.full(shape, np.nan, np.float32)
        order = np.argsort(-distance)  # the nearest is written last
        self._nearest[rows[order] - self._origin[1], columns[order] - self._origin[0]] = distance[order]
        self._nearest = _filled(self._nearest)

    def votes(self, points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int8]:
        """Return for each point [N, 3], in this scan's sensor frame: 1 it was seen, -1 it was seen through, else 0."""
        columns, rows, distance = _cells(points)
        columns, rows = columns - self._origin[0], rows - self._origin[1]
        height, width = self._nearest.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        seen = np.full(len(points), np.nan, np.float32)
        seen[inside] = self._nearest[rows[inside], columns[inside]]
        margin = _MARGIN_M + _RELATIVE_MARGIN * distance
        with np.errstate(invalid="ignore"):
            hit, through = np.abs(seen - distance) <= margin, seen > distance + margin
        votes: npt.NDArray[np.int8] = hit.astype(np.int8) - through.astype(np.int8)
        return votes


def standing(
    points: _Points, scan: int, now: int, sensors: Sequence[Float64Array], directions: Sequence[SeenDirections]
) -> npt.NDArray[np.bool_]:
    """Return which points [N, 3] of one of several scans are where they were at the time of another one.

    points: metres in a frame that is fixed. scan: which of the scans they are of. now: the other one. sensors:
    ``fixed <- sensor`` of each scan, in the order of time. A point has moved, or was not there yet, when two of the
    three scans around that time have seen through it, or two of all scans and more than have seen it.
    """
    through, seen, through_now = (np.zeros(len(points), int) for _ in range(3))
    for other, (fixed_from_sensor, view) in enumerate(zip(sensors, directions, strict=True)):
        if other == scan:
            continue
        votes = view.votes(geometry.transform_points(geometry.invert(fixed_from_sensor), points))
        through += votes < 0
        seen += votes > 0
        if abs(other - now) <= 1:
            through_now += votes < 0
    return (through_now < _LEAST_VOTES) & ((through < _LEAST_VOTES) | (through <= seen))


def _filled(nearest: _Points) -> _Points:
    """Return distances [rows, columns] with empty cells (NaN) as near as the nearest cell around them.

    The rings of a lidar may be farther apart than a cell is high.
    """
    around = np.pad(np.where(np.isnan(nearest), np.inf, nearest), 1, constant_values=np.inf)
    least = np.lib.stride_tricks.sliding_window_view(around, (3, 3)).min(axis=(2, 3))
    return np.where(np.isnan(nearest) & np.isfinite(least), least, nearest).astype(np.float32)


def _cells(
    points: npt.NDArray[np.floating[Any]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return (column, row, distance) of each point's direction."""
    x, y, z = np.asarray(points, np.float64).T
    flat = np.hypot(x, y)
    columns = np.floor(np.arctan2(y, x) / _AZIMUTH_RAD).astype(np.int64)
    rows = np.floor(np.arctan2(z, flat) / _ELEVATION_RAD).astype(np.int64)
    return columns, rows, np.hypot(flat, z).astype(np.float32)
