# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pedestrians in a street: on its pavements, and some who cross the road."""

import numpy as np

from lircdepth_core.synthetic.world.people import pedestrian
from lircdepth_core.synthetic.world.road import KERB_HEIGHT_M
from lircdepth_core.synthetic.world.site import Motion, Site

_BUSY = {"town": 1.0, "suburb": 0.4, "arterial": 0.25}  # how many people, by setting


def add_people(site: Site) -> None:
    """Add pedestrians on both pavements and on the zebra crossings."""
    busy = _BUSY[site.setting] * site.density
    for side in (-1, 1):
        for start, end in site.blocks(site.street.crossing_kerb + 1.0):
            for s in np.arange(start + 2, end - 2, 4.5):
                if site.random.random() <= 0.32 * busy:
                    _add_group(site, side, s)
    for junction in site.street.junctions:
        for _ in range(round(5 * busy)):
            _add_crosser(site, junction)


def _add_group(site: Site, side: int, s: float) -> None:
    """Add one to three people at one place of a pavement, who walk or stand."""
    random, street = site.random, site.street
    walking = random.random() < 0.75
    d = side * random.uniform(street.kerb + 1.1, max(street.edge - 0.5, street.kerb + 1.2))
    for neighbour in range(random.choice([1, 2, 3], p=(0.7, 0.22, 0.08))):
        drawing = pedestrian(random, walking, random.random() < 0.12)
        speed, back = (random.uniform(0.9, 1.6) if walking else 0.0), random.random() < 0.5
        turn = (np.pi if back else 0.0) if walking else random.uniform(-np.pi, np.pi)
        rate = speed * site.road.curvature * (-1 if back else 1)
        attribute = "pedestrian.moving" if walking else "pedestrian.standing"
        site.along(s + 0.8 * neighbour, d, drawing, turn, KERB_HEIGHT_M, attribute, speed, rate)


def _add_crosser(site: Site, junction: float) -> None:
    """Add someone who crosses the road beside a junction, if nobody is in the way."""
    random, street = site.random, site.street
    across = junction + random.choice([-1, 1]) * (street.crossing_kerb + random.uniform(1.6, 3.4))
    direction = random.choice([-1, 1])
    speed = random.uniform(1.0, 1.6)
    place = site.road.pose(across, -direction * (street.kerb + random.uniform(-6, 12)))
    x, y, yaw = float(place[0]), float(place[1]), float(place[2] + direction * np.pi / 2)
    if site.is_free(Motion(x, y, yaw, speed, 0.0, 0.4), 1.0):
        site.place(x, y, yaw, pedestrian(random), "pedestrian.moving", speed)
