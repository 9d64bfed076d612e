# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a converted bag must hold and no table of nuScenes says as it is: twists, times of lidar points, map origins.

verify-bag compares with it. It is derived from the data set by other means than the converter's: pyquaternion, loops
over poses, the devkit's own table of origins. Nothing here may import the converter or lircdepth_core.data.nuscenes.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_HALF_WINDOW_NS = 25_000_000  # a velocity is the difference of poses at least so far before and after
_LIDAR_PERIOD_S = 0.05  # of nuScenes' lidar, which turns 20 times a second

Vector = npt.NDArray[np.float64]


def twists(poses: Mapping[int, dict[str, Any]]) -> dict[int, tuple[Vector, Vector]]:
    """Return {stamp: (linear m/s, angular rad/s)} in the vehicle's own frame.

    poses: {stamp [ns]: ego_pose record}. At each stamp it is the difference of the nearest poses at least 25 ms before
    and after, or of the first and the last one where there is none; zero where there is only one pose.
    """
    from pyquaternion import Quaternion

    stamps = sorted(poses)
    turned = [Quaternion(poses[stamp]["rotation"]).unit for stamp in stamps]
    places = [np.array(poses[stamp]["translation"], float) for stamp in stamps]
    found: dict[int, tuple[Vector, Vector]] = {}
    for here, stamp in zip(turned, stamps, strict=True):
        first = max(bisect.bisect_right(stamps, stamp - _HALF_WINDOW_NS) - 1, 0)
        last = min(bisect.bisect_left(stamps, stamp + _HALF_WINDOW_NS), len(stamps) - 1)
        if first == last:
            found[stamp] = np.zeros(3), np.zeros(3)
            continue
        seconds = (stamps[last] - stamps[first]) / 1e9
        linear = here.inverse.rotate((places[last] - places[first]) / seconds)
        between = turned[first].inverse * turned[last]
        found[stamp] = np.array(linear), np.array(between.axis) * between.radians / seconds
    return found


def lidar_times(rings: Sequence[float] | npt.NDArray[np.float32]) -> Vector:
    """Return the time of each lidar point relative to its scan's stamp, which is the end of a turn [s].

    rings: of the points in file order. A new firing begins where the ring's number does not grow.
    """
    firing, number, last = [], -1, float("inf")
    for ring in np.asarray(rings).tolist():
        number += ring <= last
        firing.append(number)
        last = ring
    return (np.array(firing, float) - number) * _LIDAR_PERIOD_S / (number + 1)


def map_origins() -> Mapping[str, Sequence[float]]:
    """Return {location: (latitude, longitude)} of the maps' origins, as the devkit has them."""
    from nuscenes.scripts.export_poses import REFERENCE_COORDINATES

    origins: Mapping[str, Sequence[float]] = REFERENCE_COORDINATES
    return origins
