# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The draft of a street: its curve, its cross section and its junctions."""

import numpy as np

from lircdepth_core.synthetic.world.road import Road, Street
from lircdepth_core.synthetic.world.world import MAX_DURATION_S, START_M

_FASTEST_EGO_M_S = 15.0
_STREET_AHEAD_M = 290.0  # of where the ego vehicle may end
_VERGES = {"town": (0.3, 0.29, 0.27), "suburb": (0.17, 0.26, 0.08), "arterial": (0.26, 0.28, 0.14)}


def draw_street(random: np.random.Generator, setting: str, corner: tuple[float, float] | None) -> Street:
    """Return a street of a setting (town, suburb or arterial).

    corner: (x, y) of the south-west corner of the road's extent [m]; drawn when it is None.
    """
    fast = setting == "arterial"
    length = START_M + _FASTEST_EGO_M_S * MAX_DURATION_S + _STREET_AHEAD_M
    curvature = random.choice([-1, 1]) * (1e-6 if random.random() < 0.4 else 1 / random.uniform(170.0, 800.0))
    road = Road(0.0, 0.0, random.uniform(-np.pi, np.pi), curvature, length)
    drawn = random.uniform(300.0, 500.0, 2)
    x, y, _ = road.pose(np.linspace(0, length, 200), 0.0)
    west, south = drawn if corner is None else corner
    road = Road(west - x.min(), south - y.min(), road.heading, curvature, length)
    lanes = int(random.choice([1, 2], p=(0.2, 0.8) if fast else (0.75, 0.25)))
    lane_width = random.uniform(3.1, 3.6)
    parking = bool(not fast and random.random() < 0.75)
    kerb = lanes * lane_width + (2.3 if parking else 0.9)
    # All three are drawn whatever the setting is: which one is used does not change the draws that follow.
    pavements = {
        "town": random.uniform(2.6, 4.5),
        "suburb": random.uniform(1.8, 2.6),
        "arterial": random.uniform(1.6, 3.0),
    }
    s, junctions = START_M + random.uniform(25, 110), []
    while s < length - 60:
        junctions.append(float(s))
        s += random.uniform(90, 190)
    return Street(
        road=road,
        lanes=lanes,
        lane_width=lane_width,
        parking=parking,
        kerb=kerb,
        edge=kerb + pavements[setting],
        junctions=tuple(junctions),
        crossing_kerb=random.uniform(3.4, 5.5),
        double_line=bool(fast or random.random() < 0.3),
        verge=_VERGES[setting],
    )
