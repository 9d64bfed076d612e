# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a seed and a style to a varied World: a street with concrete, near walls, bridges, lorries and thickets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lircdepth_core.synthetic.world import scenery, vehicles
from lircdepth_core.synthetic.world.crowds import add_people
from lircdepth_core.synthetic.world.planning import draw_street
from lircdepth_core.synthetic.world.plots import PLOTS, Row, add_crossing_plots, add_plots
from lircdepth_core.synthetic.world.road import Street
from lircdepth_core.synthetic.world.roadside import add_pavements, add_roadside
from lircdepth_core.synthetic.world.site import Site
from lircdepth_core.synthetic.world.texture import Texture
from lircdepth_core.synthetic.world.traffic import add_parked, add_traffic
from lircdepth_core.synthetic.world.varied import structures
from lircdepth_core.synthetic.world.varied.style import VARIED, Style
from lircdepth_core.synthetic.world.weather import Weather
from lircdepth_core.synthetic.world.world import World

_LONGEST_DECK_M = 25.0  # of a piece: a straight piece leaves a curved road
_KEPT_CLEAR_M = 3.0  # height below which nothing reaches over the road


def build_varied_world(seed: int | Sequence[int], style: Style = VARIED) -> World:
    """Return the varied World of a seed."""
    random = np.random.default_rng(seed)
    weather = _weather(random, style)
    setting = str(random.choice(["town", "suburb", "arterial"], p=(0.5, 0.25, 0.25)))
    street = draw_street(random, setting, None)
    if random.random() < 0.4:
        street = _narrowed(random, street)
    site = Site(street, setting, float(random.choice([0.3, 0.8, 1.6])), random)
    add_pavements(site)
    add_traffic(site)
    add_parked(site)
    add_roadside(site)
    add_plots(site, _PlotDrawer(random, style))
    for junction in street.junctions:
        for side in (-1, 1):
            add_crossing_plots(site, junction, side)
    _add_structures(site, style)
    add_people(site)
    actors, parts = site.columns()
    return World(
        street=street,
        actors=actors,
        parts=parts,
        weather=weather,
        ego_speed=site.ego_speed * float(random.choice([0.0, 0.3, 1.0, 1.3], p=(0.15, 0.15, 0.5, 0.2))),
        ego_phase=float(random.uniform(0, 2 * np.pi)),
        ego_offset=site.ego_offset,
        lamps=site.lamp_period,
        number=int(random.integers(1 << 30)),
        texture=_texture(random, style),
    )


def _weather(random: np.random.Generator, style: Style) -> Weather:
    chances = [chance for _, chance in style.skies]
    sky = style.skies[random.choice(len(chances), p=np.divide(chances, np.sum(chances)))][0]
    return sky(np.random.default_rng(random.integers(1 << 32)))


def _texture(random: np.random.Generator, style: Style) -> Texture:
    return Texture(
        strength=float(random.choice([0.0, 0.12, 0.3, 0.5], p=(0.1, 0.3, 0.35, 0.25)) * random.uniform(0.6, 1.2)),
        slope=float(random.uniform(0.5, 0.85)),
        ridged=style.ridged,
        dirt=float(random.uniform(0, 1) ** 2),
        shade=float(random.choice([0.0, 1.0], p=(0.55, 0.45)) * random.uniform(0.3, 0.9)),
        shade_size=float(np.exp(random.uniform(np.log(0.4), np.log(6.0)))),
        offset=float(random.uniform(0, 500)),
    )


def _narrowed(random: np.random.Generator, street: Street) -> Street:
    """Return a lane between walls: one narrow lane each way, hardly a pavement."""
    lane_width = random.uniform(2.4, 3.0)
    kerb = lane_width + random.uniform(0.2, 0.7)
    return replace(
        street, lanes=1, lane_width=lane_width, parking=False, kerb=kerb, edge=kerb + random.uniform(0.7, 1.8),
        double_line=False,
    )  # fmt: skip


class _PlotDrawer:
    """Fills plots of a street: with what usual streets have, or with what the style adds."""

    def __init__(self, random: np.random.Generator, style: Style) -> None:
        self._style = style
        kinds = [self._building, self._wall, self._hedge, self._bank, self._grove]
        if style.usual_plots:
            kinds.append(self._usual)
        # Each street has a character: some kinds prevail.
        self._kinds = [
            (kind, share) for kind, share in zip(kinds, random.dirichlet(np.full(len(kinds), 0.7)), strict=True)
        ]
        self._setting = str(random.choice(list(PLOTS)))

    def __call__(self, row: Row, s: float) -> float:
        """Add one plot at ``s`` of a row; return its front [m]."""
        kind = self._kinds[row.random.choice(len(self._kinds), p=[share for _, share in self._kinds])][0]
        return kind(row, s)

    def _usual(self, row: Row, s: float) -> float:
        return PLOTS[self._setting](row, s)

    def _building(self, row: Row, s: float) -> float:
        random, style = row.random, self._style
        front, depth = min(random.uniform(6, 26), row.end - s), min(random.uniform(7, 14), row.room)
        draw = style.buildings[random.integers(len(style.buildings))]
        back = row.line + depth / 2 + 0.2 + front**2 * row.bend / 8 + (random.random() < 0.3) * random.uniform(0, 5)
        row.put(s + front / 2, back, draw(random, front - 0.05, depth, style.walls[random.integers(len(style.walls))]))
        return front

    def _wall(self, row: Row, s: float) -> float:
        random, style = row.random, self._style
        front, plastered = min(random.uniform(6, 20), row.end - s), random.random() < 0.4
        colours = style.walls if plastered else style.concretes
        colour = colours[random.integers(len(colours))]
        height = random.uniform(1.5, 7)
        row.put(s + front / 2, row.line + 0.4, structures.wall(random, front, height, colour, plastered))
        if random.random() < 0.4:
            row.put(s + front / 2, row.line + random.uniform(3, 8), scenery.tree(random))
        return front

    def _hedge(self, row: Row, s: float) -> float:
        front = min(row.random.uniform(5, 16), row.end - s)
        row.put(s + front / 2, row.line + row.random.uniform(0.3, 1.5), structures.hedge(row.random, front))
        return front

    def _bank(self, row: Row, s: float) -> float:
        front = min(row.random.uniform(12, 30), row.end - s)
        colour = self._style.concretes[row.random.integers(len(self._style.concretes))]
        row.put(s + front / 2, row.line + 0.5 + front**2 * row.bend / 8, structures.bank(row.random, front, colour))
        return front

    def _grove(self, row: Row, s: float) -> float:
        random = row.random
        front = min(random.uniform(8, 18), row.end - s)
        for _ in range(int(random.integers(2, 7))):
            drawing = scenery.tree(random) if random.random() < 0.6 else scenery.bush(random)
            row.put(s + random.uniform(0.5, front), row.line + random.uniform(0.3, 9), drawing)
        return front


def _add_structures(site: Site, style: Style) -> None:
    """Add pillars, bridges, car parks, lorries and planters between the carriageway and the plots."""
    random, street = site.random, site.street
    for start, end in site.blocks(street.crossing_kerb + 3.0):
        if end - start < 8:
            continue
        if random.random() < 0.4:
            _add_underpass(site, style, start, end)
        for side in (-1, 1):
            if random.random() < 0.5:
                _add_pillars(site, style, side, start, end)
            if random.random() < 0.35:
                _add_lorries(site, style, side, start, end)
            if random.random() < 0.3:
                for s in np.arange(start + 1, end - 1, random.uniform(4, 12)):
                    near = side * (street.kerb + random.uniform(0.7, 1.2))
                    site.facing(s, near, structures.boulder_bed(random))
    if random.random() < 0.15:
        _add_viaduct(site, style)


def _concrete(random: np.random.Generator, style: Style) -> tuple[float, float, float]:
    return style.concretes[random.integers(len(style.concretes))]


def _add_pillars(site: Site, style: Style, side: int, start: float, end: float) -> None:
    random, street, colour = site.random, site.street, _concrete(site.random, style)
    first = random.uniform(start, end)
    stop = min(end, first + random.uniform(10, 70))
    radius, height, square = random.uniform(0.15, 1.0), random.uniform(2.5, 9), random.random() < 0.6
    out = side * (street.kerb + radius + random.uniform(0.05, 1.2))
    for s in np.arange(first, stop, random.uniform(3, 12)):
        site.facing(s, out, structures.pillar(random, height, radius, colour, square))


def _add_underpass(site: Site, style: Style, start: float, end: float) -> None:
    """Add a bridge over the road, or the ceiling of a car park, on pillars or between walls."""
    random, street, colour = site.random, site.street, _concrete(site.random, style)
    s = random.uniform(start, end - 6)
    stop = min(end, s + random.choice([random.uniform(6, 20), random.uniform(30, 120)]))
    clear = random.uniform(_KEPT_CLEAR_M + 1.2, 6.5)
    half = street.kerb + random.uniform(0.5, 5)
    walled, square, radius = random.random() < 0.4, random.random() < 0.7, random.uniform(0.2, 0.7)
    plastered, pitch = random.random() < 0.3, random.uniform(3.5, 9)
    while s < stop - 3:
        length = min(_LONGEST_DECK_M, stop - s)
        site.along(s + length / 2, 0.0, structures.deck(random, length, 2 * half, clear, colour), z=0.0)
        for side in (-1, 1):
            if walled:
                drawing = structures.wall(random, length, clear, colour, plastered)
                site.facing(s + length / 2, side * (half - 0.3), drawing, z=0.0)
                continue
            for place in np.arange(s + 0.5, s + length, pitch):
                drawing = structures.pillar(random, clear, radius, colour, square)
                site.facing(place, side * max(street.kerb + radius, half - 1.0), drawing, z=0.0)
        s += length


def _add_lorries(site: Site, style: Style, side: int, start: float, end: float) -> None:
    """Add plain lorries, vans or buses that stand at the kerb."""
    random, street = site.random, site.street
    s, stop = random.uniform(start, end), end
    d = side * max(street.carriageway + 1.3, street.kerb - 1.0)
    for _ in range(int(random.integers(1, 5))):
        colour = style.lorries[random.integers(len(style.lorries))]
        kind = random.random()
        drawing = (
            structures.lorry(random, colour)
            if kind < 0.7
            else vehicles.bus(random)
            if kind < 0.85
            else vehicles.van(random)
        )
        if s > stop - 8:
            return
        if not site.parked_near(s, d):
            site.drive(s, d, drawing, "vehicle.parked", 0.0, against=side > 0)
        s += random.uniform(14, 22)


def _add_viaduct(site: Site, style: Style) -> None:
    """Add a viaduct along the road whose pillars stand between the two directions."""
    random, colour = site.random, _concrete(site.random, style)
    clear, radius, pitch = random.uniform(5.5, 9), random.uniform(0.4, 0.8), random.uniform(12, 30)
    width = random.uniform(6, 12)
    for s in np.arange(10, site.road.length - 10, pitch):
        site.along(s, 0.0, structures.pillar(random, clear, radius, colour, random.random() < 0.5), z=0.0)
        site.along(s + pitch / 2, 0.0, structures.deck(random, pitch + 0.3, width, clear, colour), z=0.0)
