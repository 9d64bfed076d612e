# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Buildings, gardens and boundaries beyond the pavement, plot by plot along a street."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from lircdepth_core.synthetic.world import buildings, scenery
from lircdepth_core.synthetic.world.parts import Drawing
from lircdepth_core.synthetic.world.site import Site

Put: TypeAlias = Callable[[float, float, Drawing], None]  # (metres along the street, metres from its middle, drawing)
_DEEPEST_M = 60.0
_CROSSING_DEPTH_M = 12.0  # beside a crossing street, whose plots lie behind those of the road


class Row(NamedTuple):
    """One side of a street that is filled with plots up to ``end``.

    line: distance of the plots from the street's middle. room: how deep buildings may be. bend: the curvature [1/m].
    """

    random: np.random.Generator
    put: Put
    end: float
    line: float
    room: float
    bend: float


AddPlot: TypeAlias = Callable[[Row, float], float]  # adds a plot at a place [m] of a row; returns its front [m]


def add_plots(site: Site, add_plot: AddPlot | None = None) -> None:
    """Fill both sides of the road; add_plot: in place of the plots of the site's setting."""
    street = site.street
    for side in (-1, 1):

        def put(s: float, out: float, drawing: Drawing, side: int = side) -> None:
            site.facing(s, side * out, drawing)

        for start, end in site.blocks(street.edge - street.kerb + street.crossing_kerb):
            _fill(site, put, start, end, street.edge, _DEEPEST_M, add_plot)


def add_crossing_plots(site: Site, junction: float, side: int) -> None:
    """Fill both sides of one arm of the street that crosses at ``junction``; side: 1 for the arm on the left."""
    street = site.street
    places = np.arange(street.edge + 17.0, 110.0)
    for a in (-1, 1):

        def put(distance: float, out: float, drawing: Drawing, a: int = a) -> None:
            x, y, yaw = street.crossing_pose(junction, a * out, side * distance)
            site.place(float(x), float(y), float(yaw) + (-np.pi / 2 if a > 0 else np.pi / 2), drawing)

        line = street.crossing_kerb + street.edge - street.kerb
        _fill(site, put, places[0], places[-1], line, _CROSSING_DEPTH_M)


def _fill(
    site: Site, put: Put, start: float, end: float, line: float, room: float, add_plot: AddPlot | None = None
) -> None:
    row = Row(site.random, put, end, line, room, abs(site.road.curvature))
    add_plot = add_plot or PLOTS[site.setting]
    s = start
    while s < end - 5:
        s += add_plot(row, s)


def _add_town_plot(row: Row, s: float) -> float:
    """Add a building of a terrace, or a gap with trees; return its front [m]."""
    random, put, line = row.random, row.put, row.line
    front, depth = min(random.uniform(8, 20), row.end - s), min(random.uniform(9, 14), row.room)
    if random.random() < 0.9:
        # A straight front would reach into a curved road: move it back by the sagitta of its chord.
        back = line + depth / 2 + 0.25 + front**2 * row.bend / 8
        put(s + front / 2, back, buildings.town_building(random, front - 0.05, depth))
    else:
        put(s + front / 2, line + 0.5, scenery.fence(random, front - 0.5))
        for _ in range(3):
            put(s + random.uniform(2, front - 1), line + random.uniform(3, 9), scenery.tree(random))
    return front


def _add_suburb_plot(row: Row, s: float) -> float:
    """Add a house in its garden; return its front [m], infinite where there is no room for another one."""
    random, put, line = row.random, row.put, row.line
    front, garden = random.uniform(15, 24), random.uniform(3.5, 8.0)
    width, depth = random.uniform(7, 10), min(random.uniform(7, 10), row.room)
    if s + front > row.end:
        return np.inf
    put(s + front / 2 - 1.5, line + garden + depth / 2, buildings.house(random, width, depth))
    if random.random() < 0.75:
        put(s + front / 2 - 1.5, line + 0.45, scenery.fence(random, front - 4))
    for _ in range(random.integers(0, 4)):
        drawing = scenery.tree(random) if random.random() < 0.45 else scenery.bush(random)
        put(s + random.uniform(1, front - 1), line + random.uniform(1.2, max(garden - 1.2, 1.3)), drawing)
    return front


def _add_arterial_plot(row: Row, s: float) -> float:
    """Add a hall or green space, and a guard rail or a fence before it; return its front [m]."""
    random, put, line = row.random, row.put, row.line
    front, back = random.uniform(25, 55), random.uniform(4, 16)
    front = min(front, row.end - s)
    kind = random.random()
    if kind < 0.6 and front > 14:
        depth = min(random.uniform(14, 24), row.room)
        distance = line + back + depth / 2 + front**2 * row.bend / 8
        put(s + front / 2, distance, buildings.hall(random, 0.8 * front, depth))
    for _ in range(random.integers(1, 6)):
        drawing = scenery.tree(random) if random.random() < 0.6 else scenery.bush(random)
        put(s + random.uniform(0, front), line + random.uniform(1.5, max(back - 2, 2)), drawing)
    for step in np.arange(s + 6, s + front - 5, 12.0):
        drawing = scenery.guard_rail(12.0) if kind < 0.35 else scenery.fence(random, 11.8)
        if kind < 0.7:
            put(step, line + 0.35, drawing)
    return front


PLOTS: dict[str, AddPlot] = {"town": _add_town_plot, "suburb": _add_suburb_plot, "arterial": _add_arterial_plot}
