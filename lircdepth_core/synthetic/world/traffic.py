# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Vehicles in a street: in its lanes, parked beside them, and on the streets that cross it."""

import numpy as np

from lircdepth_core.synthetic.world import vehicles
from lircdepth_core.synthetic.world.parts import Drawing, extent
from lircdepth_core.synthetic.world.site import Motion, Site
from lircdepth_core.synthetic.world.world import START_M

_KINDS = (
    (vehicles.car, 0.66),
    (vehicles.van, 0.12),
    (vehicles.truck, 0.1),
    (vehicles.bus, 0.05),
    (vehicles.motorcycle, 0.07),
)
_CROSSING_ATTEMPTS = 6


def draw_vehicle(random: np.random.Generator) -> tuple[Drawing, str]:
    """Return any vehicle and its attribute when it moves."""
    kind = _KINDS[random.choice(len(_KINDS), p=[share for _, share in _KINDS])][0]
    drawing = kind(random)
    return drawing, "cycle.with_rider" if drawing.category == "vehicle.motorcycle" else "vehicle.moving"


def add_traffic(site: Site) -> None:
    """Fill the lanes; all vehicles of a lane have one speed, so that none runs into another."""
    random, street = site.random, site.street
    end = site.road.length - 20
    for lane in range(street.lanes):
        own, centre = lane == site.ego_lane, street.lane_centre(lane)
        speed = site.ego_speed if own else site.ego_speed + random.uniform(-1.5, 2.5)
        s = START_M + random.uniform(16, 40) if own else random.uniform(0, 40)
        if own:
            site.drive(START_M - random.uniform(18, 40), -centre, *draw_vehicle(random), speed)
        while s < end:
            site.drive(s, -centre, *draw_vehicle(random), speed)
            s += random.uniform(18, 70) / site.density + 6
        speed, s = site.ego_speed + random.uniform(-1.0, 3.0), random.uniform(0, 40)
        while s < end:
            drawing, attribute = draw_vehicle(random)
            site.drive(s, centre, drawing, attribute, speed, against=True)
            s += random.uniform(18, 70) / site.density + 6
    if not street.parking:
        _add_cyclists(site)


def _add_cyclists(site: Site) -> None:
    """Add cyclists at the kerb, beside the lane: only other cyclists could be in their way."""
    random = site.random
    for s in np.arange(START_M + 20, site.road.length - 30, 60) + random.uniform(0, 40):
        if random.random() < 0.4 * site.density:
            drawing = vehicles.bicycle(random)
            site.drive(s, -(site.street.kerb - 0.45), drawing, "cycle.with_rider", random.uniform(3.5, 5.0))


def add_parked(site: Site) -> None:
    """Fill the parking strips, where the street has them."""
    random, street = site.random, site.street
    if not street.parking:
        return
    for side in (-1, 1):
        for start, end in site.blocks(street.crossing_kerb + 9.0):
            s = start + random.uniform(2, 8)
            while s < end - 3:
                if random.random() < 0.72:
                    drawing = vehicles.van(random) if random.random() < 0.12 else vehicles.car(random)
                    d = side * (street.carriageway + 1.15 + random.uniform(-0.08, 0.08))
                    site.drive(s, d, drawing, "vehicle.parked", 0.0, against=side > 0)
                s += random.uniform(5.9, 7.5)


def add_waiting(site: Site, junction: float, side: int) -> None:
    """Add vehicles that stand on one arm of the crossing street at ``junction``; side: 1 for the arm on the left.

    Traffic keeps right: what comes to the junction from the left arm stands on the lane with negative a.
    """
    random, street = site.random, site.street
    for direction in (-1, 1):
        a, turn = direction * street.crossing_kerb / 2, direction * np.pi / 2
        incoming = direction == -side
        if incoming and random.random() < 0.55 * site.density:
            drawing, _ = draw_vehicle(random)
            if drawing.category == "vehicle.motorcycle":
                continue
            left = side * (street.kerb + 7.5 + 3.0 * (drawing.category != "vehicle.car"))
        elif not incoming and random.random() < 0.6 * site.density:
            drawing = vehicles.car(random)
            left = side * (street.edge + random.uniform(15, 50))
        else:
            continue
        x, y, yaw = street.crossing_pose(junction, a, left)
        site.place(float(x), float(y), float(yaw + turn), drawing, "vehicle.stopped")


def add_crossing_vehicle(site: Site, junction: float) -> None:
    """Add a vehicle that drives across at ``junction`` where it hits nobody, if one is found in a few attempts."""
    random, street = site.random, site.street
    for _ in range(_CROSSING_ATTEMPTS):
        direction = random.choice([-1, 1])
        speed, start = random.uniform(6, 10), random.uniform(-140, 20)
        place = street.crossing_pose(junction, direction * street.crossing_kerb / 2, direction * start)
        x, y, yaw = float(place[0]), float(place[1]), float(place[2] + direction * np.pi / 2)
        drawing, attribute = draw_vehicle(random)
        low, high = extent(drawing.parts)
        standing = [actor.position for actor in site.actors if actor.attribute == "vehicle.stopped"]
        blocked = any(
            abs(np.cos(yaw) * (other[1] - y) - np.sin(yaw) * (other[0] - x)) < 1.8
            and np.hypot(other[0] - x, other[1] - y) < 400
            for other in standing
        )
        if not blocked and site.is_free(Motion(x, y, yaw, speed, 0.0, np.hypot(*(high - low)[:2]) / 2)):
            site.place(x, y, yaw, drawing, attribute, speed)
            break
