# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Latitude and longitude of places on nuScenes' maps."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Latitude and longitude [deg] of each map's south-western corner, where its x (east) and y (north) are 0 (devkit).
MAP_ORIGINS = {
    "boston-seaport": (42.336849169438615, -71.05785369873047),
    "singapore-onenorth": (1.2882100868743724, 103.78475189208984),
    "singapore-hollandvillage": (1.2993652317780957, 103.78217697143555),
    "singapore-queenstown": (1.2782562240223188, 103.76741409301758),
}
_EARTH_RADIUS_M = 6_378_137.0  # of the devkit's sphere


def geodetic(location: str, position: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Return (latitude, longitude) [deg] of a position (x, y) [m] on a map, or None for a map without known origin.

    The Earth is the devkit's sphere (its export_poses.py), which is exact to metres over the size of a map.
    """
    if location not in MAP_ORIGINS:
        return None
    latitude, longitude = map(math.radians, MAP_ORIGINS[location])
    x, y = position[:2]
    angle, bearing = math.hypot(x, y) / _EARTH_RADIUS_M, math.atan2(x, y)  # clockwise from north
    sine = math.sin(latitude) * math.cos(angle) + math.cos(latitude) * math.sin(angle) * math.cos(bearing)
    longitude += math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(latitude), math.cos(angle) - math.sin(latitude) * sine
    )
    return math.degrees(math.asin(sine)), math.degrees(longitude)
