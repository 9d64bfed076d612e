# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What lies between the carriageway and the plots: pavements, and what stands on them or at the kerb."""

import numpy as np

from lircdepth_core.synthetic.world import scenery
from lircdepth_core.synthetic.world.parts import Drawing, Material, box
from lircdepth_core.synthetic.world.road import KERB_HEIGHT_M
from lircdepth_core.synthetic.world.site import Site

_SLAB_COLOUR = (0.4, 0.385, 0.36)
_CROSSING_PAVEMENT_M = 120.0  # length of the pavements along a crossing street


def add_pavements(site: Site) -> None:
    """Add raised slabs with kerbs on both sides of the road and of the streets that cross it."""
    street, width = site.street, site.street.edge - site.street.kerb
    middle = (street.kerb + street.edge) / 2
    for start, end in site.blocks(street.crossing_kerb):
        count = max(1, round((end - start) / 9.0))
        pitch = (end - start) / count
        for s in start + (np.arange(count) + 0.5) * pitch:
            for side in (-1, 1):
                # Outside of a bend the slabs must be longer to meet.
                length = pitch * (1 + abs(site.road.curvature) * street.edge)
                site.facing(s, side * middle, _slab(length, width), z=0.0)
    for s in street.junctions:
        for side in (-1, 1):
            for a in (-1, 1):
                centre = street.crossing_kerb + width / 2
                x, y, yaw = street.crossing_pose(s, a * centre, side * (street.edge + _CROSSING_PAVEMENT_M / 2))
                turn = -np.pi / 2 if a > 0 else np.pi / 2
                site.place(float(x), float(y), float(yaw + turn), _slab(_CROSSING_PAVEMENT_M, width))


def _slab(length: float, width: float) -> Drawing:
    size = (length, width, KERB_HEIGHT_M)
    return Drawing([box((0, 0, KERB_HEIGHT_M / 2), size, _SLAB_COLOUR, Material.PAVEMENT)], -10.0)


def add_roadside(site: Site) -> None:
    """Add lamps, trees, signs, bins and such between kerb and facade, and now and then road works."""
    random, street = site.random, site.street
    if site.setting != "suburb" or random.random() < 0.6:
        site.lamp_period = float(random.uniform(24, 34))
    trees, lamp_height = random.random() < (0.85 if site.setting != "arterial" else 0.5), random.uniform(6.5, 8.5)
    pitch = random.uniform(8, 15)
    blocks = site.blocks(street.crossing_kerb + 2.5)
    for side in (-1, 1):
        for start, end in blocks:
            lamps = _add_lamps(site, side, start, end, lamp_height)
            _add_junction_post(site, side, end - 0.8 if side < 0 else start + 0.8)
            s = start + random.uniform(2, pitch)
            while s < end - 2:
                if all(abs(s - lamp) > 2.5 for lamp in lamps):
                    _add_furniture(site, side, s, trees)
                s += random.uniform(0.6, 1.4) * pitch
    if random.random() < 0.45 * site.density:
        _add_road_works(site, blocks)


def _near(site: Site, side: int) -> float:
    """Return the offset from the centre line [m] of what stands at the kerb."""
    return side * (site.street.kerb + 0.55)


def _add_lamps(site: Site, side: int, start: float, end: float, height: float) -> list[float]:
    """Add street lamps between two places along the road; return theirs."""
    if not site.lamp_period:
        return []
    first = np.ceil((start + 1) / site.lamp_period) * site.lamp_period
    places: list[float] = np.arange(first, end - 1, site.lamp_period).tolist()
    for s in places:
        site.facing(s, _near(site, side), scenery.street_lamp(height))
    return places


def _add_junction_post(site: Site, side: int, s: float) -> None:
    """Add a signal or a sign at a corner of a junction, for the traffic that comes to it."""
    random = site.random
    if 0 < s < site.road.length and any(abs(s - junction) < 12 for junction in site.street.junctions):
        drawing = scenery.traffic_light(random) if random.random() < 0.6 else scenery.sign(random)
        site.along(s, _near(site, side), drawing, 0.0 if side < 0 else np.pi)


def _add_furniture(site: Site, side: int, s: float, trees: bool) -> None:
    """Add a tree, a sign, a bin, a bench, a bus stop or bollards, or nothing."""
    random, street, near = site.random, site.street, _near(site, side)
    kind, width = random.random(), street.edge - street.kerb
    if trees and kind < 0.62 and width > 2.2:
        site.along(s, near + side * 0.3, scenery.tree(random), random.uniform(-3, 3))
    elif kind < 0.72:
        site.along(s, near, scenery.sign(random), 0.0 if side < 0 else np.pi)
    elif kind < 0.79:
        site.facing(s, near, scenery.litter_bin(random))
    elif kind < 0.84 and width > 2.5:
        site.facing(s, side * (street.edge - 0.6), scenery.bench())
    elif kind < 0.87 and width > 3.0:
        site.facing(s, side * (street.edge - 0.9), scenery.bus_stop(random))
    elif kind < 0.93:
        for step in range(4):
            site.along(s + 1.4 * step, near - side * 0.1, scenery.bollard(random))


def _add_road_works(site: Site, blocks: list[tuple[float, float]]) -> None:
    """Add a row of barriers and cones in the parking strip or at the kerb, where nobody is parked."""
    random, street = site.random, site.street
    side = random.choice([-1, 1])
    start, end = blocks[random.integers(min(3, len(blocks)))]
    s = random.uniform(start, max(start + 1, end - 15))
    d = side * (street.carriageway + (0.5 if street.parking else 0.1))
    for step in range(random.integers(4, 9)):
        drawing, turn = (scenery.cone(), 0.0) if step % 2 else (scenery.barrier(random), np.pi / 2)
        if not street.parking or not site.parked_near(s + 2.2 * step, d):
            site.along(s + 2.2 * step, d, drawing, turn)
