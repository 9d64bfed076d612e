# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What varied streets have beside buildings: pillars, walls, decks, plain lorries, hedges. Each function draws one.

See parts for the frame; what is long lies along x.
"""

import numpy as np

from lircdepth_core.synthetic.world.colours import DARK, GREENS, Colour, pick
from lircdepth_core.synthetic.world.parts import Drawing, Material, Vector, ball, box, hull, limb, wheel


def _shade(random: np.random.Generator, colour: Vector) -> Vector:
    return np.multiply(colour, random.uniform(0.8, 1.15)).clip(0, 1)


def pillar(random: np.random.Generator, height: float, radius: float, colour: Colour, square: bool) -> Drawing:
    """Draw a pillar, round or square, sometimes painted at its foot."""
    shade, variant = _shade(random, colour), random.random()
    if square:
        size = (2 * radius, 2 * radius * random.uniform(0.6, 1.6), height)
        parts = [box((0, 0, height / 2), size, shade, Material.CONCRETE, variant)]
        if random.random() < 0.2:
            paint = ((0.7, 0.6, 0.05), (0.6, 0.1, 0.08), (0.1, 0.1, 0.1))[random.integers(3)]
            parts.append(box((0, 0, 0.5), (size[0] + 0.03, size[1] + 0.03, 1.0), paint))
    else:
        parts = [limb((0, 0, 0), (0, 0, height), radius, shade, Material.CONCRETE, variant)]
    return Drawing(parts, 6.0)


def wall(random: np.random.Generator, length: float, height: float, colour: Colour, plastered: bool) -> Drawing:
    """Draw a wall of concrete or plaster."""
    surface = Material.PLASTER if plastered else Material.CONCRETE
    size = (length, random.uniform(0.2, 0.5), height)
    return Drawing([box((0, 0, height / 2), size, _shade(random, colour), surface, random.random())], 7.0)


def deck(random: np.random.Generator, length: float, width: float, clear: float, colour: Colour) -> Drawing:
    """Draw the deck of a bridge or the ceiling of a car park; clear: the height below it [m]."""
    thick = random.uniform(0.6, 1.8)
    shade = _shade(random, colour)
    parts = [box((0, 0, clear + thick / 2), (length, width, thick), shade, Material.CONCRETE, random.random())]
    for side in (-1, 1):
        rail = (0, side * (width / 2 - 0.1), clear + thick + 0.5)
        parts.append(box(rail, (length, 0.2, 1.0), np.multiply(shade, 0.9), Material.CONCRETE, random.random()))
    for y in np.arange(-width / 2 + 1.5, width / 2 - 1, random.uniform(2.5, 5)):
        beam = (0, y, clear - 0.25)
        parts.append(box(beam, (length, 0.4, 0.5), np.multiply(shade, 0.85), Material.CONCRETE, random.random()))
    return Drawing(parts, 10.0)


def lorry(random: np.random.Generator, colour: Colour) -> Drawing:
    """Draw a lorry whose box is plain, long and high: what fills a picture when it stands beside the camera."""
    length, width, height = random.uniform(7, 15), 2.5, random.uniform(3.0, 4.0)
    load, cab = _shade(random, colour), _shade(random, colour)
    floor = random.uniform(0.6, 1.2)
    surface = Material(random.choice([Material.PLAIN, Material.SHEET, Material.PAINT, Material.CLOTH]))
    parts = [
        box((-1.2, 0, (floor + height) / 2), (length - 2.4, width, height - floor), load, surface, random.random()),
        hull((length / 2 - 1.1, 0, 1.75), (2.1, 0.96 * width, 2.4), cab, (0.88, 0.95), -0.12, Material.TRUCK_CAB, 1.0),
        box((0, 0, 0.75), (length - 0.6, 0.35 * width, 0.3), DARK),
    ]
    for x in (-0.38, -0.28, 0.37):
        parts += [wheel((x * length, side * (width / 2 - 0.14), 0.5), 0.5, 0.3) for side in (-1, 1)]
    return Drawing(parts, 19.0, "vehicle.truck")


def hedge(random: np.random.Generator, length: float) -> Drawing:
    """Draw a hedge or a thicket, up to the height of a small tree."""
    height, deep = random.uniform(0.8, 4.5), random.uniform(0.7, 2.0)
    green = pick(random, GREENS)
    size = (length, deep, 0.85 * height)
    parts = [box((0, 0, 0.425 * height), size, np.multiply(green, 0.8), Material.LEAVES, random.random())]
    for x in np.arange(-length / 2 + 0.3, length / 2, 0.5 * height + 0.4):
        wide = height * random.uniform(0.5, 0.9) + 0.3
        place = (x, random.uniform(-0.3, 0.3) * deep, height * random.uniform(0.6, 0.9))
        parts.append(ball(place, (wide, deep + 0.4, 0.6 * height), green, Material.LEAVES, random.random()))
    return Drawing(parts, 0.0)


def bank(random: np.random.Generator, length: float, colour: Vector) -> Drawing:
    """Draw a slope beside the road that rises towards +y, of grass or of concrete."""
    height, deep = random.uniform(1.5, 6), random.uniform(4, 12)
    surface = Material.LEAVES if random.random() < 0.6 else Material.CONCRETE
    shade = pick(random, GREENS) if surface == Material.LEAVES else _shade(random, colour)
    # A box whose top is narrower than its foot: one side leans.
    shape = hull(
        (0, deep / 2, height / 2), (length, 2 * deep, height), shade, (1.0, 0.35), 0.0, surface, random.random()
    )
    return Drawing([shape], 2.0)


def boulder_bed(random: np.random.Generator) -> Drawing:
    """Draw a planter with shrubs, or a heap of material."""
    size = (random.uniform(1.5, 4), random.uniform(0.8, 1.6), random.uniform(0.4, 0.9))
    grey = _shade(random, (0.5, 0.49, 0.46))
    parts = [box((0, 0, size[2] / 2), size, grey, Material.CONCRETE, random.random())]
    for x in np.arange(-size[0] / 2 + 0.4, size[0] / 2, 0.7):
        wide = random.uniform(0.6, 1.2)
        parts.append(
            ball(
                (x, 0, size[2] + 0.25 * wide),
                (wide, wide, wide),
                pick(random, GREENS),
                Material.LEAVES,
                random.random(),
            )
        )
    return Drawing(parts, 2.0)
