# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Buildings. Each function draws one; its front lies along x and faces -y, see parts for the frame."""

import numpy as np

from lircdepth_core.synthetic.world.colours import ROOFS, WALLS, pick
from lircdepth_core.synthetic.world.parts import Drawing, Material, box, hull


def town_building(random: np.random.Generator, front: float, depth: float) -> Drawing:
    """Draw a terrace block: floors of windows, shops or a door below, a cornice.

    Some have awnings, balconies and a pitched roof. front, depth: metres.
    """
    floors = random.integers(2, 7)
    base, height, wall = random.uniform(3.3, 4.2), 0.0, pick(random, WALLS)
    height = base + 3.1 * (floors - 1) + 0.5
    variant, shops = random.random(), random.random() < 0.55
    lower = pick(random, WALLS) if shops else wall * 0.8
    parts = [
        box((0, 0, base / 2), (front, depth, base), lower, Material.SHOP if shops else Material.FACADE, variant),
        box((0, 0, (base + height) / 2), (front, depth, height - base), wall, Material.FACADE, variant),
        box((0, -0.1, height + 0.12), (front + 0.1, depth + 0.4, 0.3), (wall * 1.15).clip(0, 1)),
        box((0, -depth / 2 - 0.03, base + 0.05), (front, 0.2, 0.22), (wall * 1.2).clip(0, 1)),
    ]
    if shops:
        colour = pick(random, ((0.4, 0.05, 0.05), (0.06, 0.2, 0.12), (0.08, 0.12, 0.32), (0.6, 0.5, 0.2)))
        for x in np.arange(-front / 2 + 2.5, front / 2 - 2, 5.0):
            if random.random() < 0.6:
                parts.append(
                    hull((x, -depth / 2 - 0.55, 2.75), (3.6, 1.1, 0.35), colour, (1.0, 0.1), 0, Material.CLOTH)
                )
    elif random.random() < 0.5:
        for floor in range(1, floors):
            for x in np.arange(-front / 2 + 2, front / 2 - 1, 5.2):
                place = (x, -depth / 2 - 0.45, base + 3.1 * (floor - 1) + 0.1)
                parts.append(box(place, (2.2, 0.9, 0.12), (0.6, 0.6, 0.58)))
                parts.append(box(np.add(place, (0, -0.42, 0.5)), (2.2, 0.04, 0.9), (0.2, 0.21, 0.22), Material.PICKETS))
    if random.random() < 0.5:
        rise = random.uniform(1.6, 3.0)
        parts.append(
            hull(
                (0, 0, height + 0.27 + rise / 2),
                (front, depth, rise),
                pick(random, ROOFS),
                (1.0, 0.15),
                0,
                Material.ROOF,
            )
        )
        for x in random.uniform(-front / 3, front / 3, 2):
            parts.append(box((x, 0.1 * depth, height + rise), (0.8, 0.6, 1.6), (0.35, 0.2, 0.15), Material.BRICK))
    return Drawing(parts, 9.0)


def house(random: np.random.Generator, front: float, depth: float) -> Drawing:
    """Draw a detached house, its front along x facing -y."""
    wall, height = pick(random, WALLS), random.uniform(3.0, 5.8)
    rise = random.uniform(1.8, 3.0)
    parts = [
        box((0, 0, height / 2), (front, depth, height), wall, Material.FACADE, random.random()),
        hull(
            (0, 0, height + rise / 2),
            (front + 0.7, depth + 0.9, rise),
            pick(random, ROOFS),
            (0.98, 0.02),
            0,
            Material.ROOF,
        ),
        box((0.3 * front, 0.1 * depth, height + 0.8 * rise), (0.7, 0.6, 1.6), (0.35, 0.2, 0.15), Material.BRICK),
        box((-0.12 * front, -depth / 2 - 0.5, 1.25), (1.7, 1.0, 0.15 + 2.3), wall * 0.9, Material.PLAIN),
        box(
            (-0.12 * front, -depth / 2 - 1.02, 1.05),
            (1.0, 0.06, 2.1),
            pick(random, ((0.3, 0.05, 0.04), (0.05, 0.12, 0.2), (0.2, 0.12, 0.06))),
        ),
    ]
    if random.random() < 0.5:  # a garage
        parts.append(box((front / 2 + 1.6, 0.1 * depth, 1.3), (3.2, 0.7 * depth, 2.6), wall * 0.95))
        parts.append(
            box(
                (front / 2 + 1.6, 0.1 * depth - 0.35 * depth - 0.02, 1.1),
                (2.5, 0.06, 2.2),
                (0.6, 0.6, 0.58),
                Material.PICKETS,
            )
        )
    return Drawing(parts, 6.0)


def hall(random: np.random.Generator, front: float, depth: float) -> Drawing:
    """Draw a low industrial or office building with bands of windows, its front along x facing -y."""
    height, wall = random.uniform(6, 13), pick(random, WALLS[1:4] + WALLS[6:7])
    parts = [
        box((0, 0, height / 2), (front, depth, height), wall, Material.FACADE, 0.9 + 0.1 * random.random()),
        box((0, 0, height + 0.2), (front + 0.1, depth + 0.1, 0.5), (0.3, 0.31, 0.33), Material.METAL),
        box(
            (0, -depth / 2 - 0.06, height - 1.2),
            (min(8, 0.4 * front), 0.12, 1.2),
            pick(random, WALLS[:1] + ((0.05, 0.15, 0.45),)),
            Material.SIGN_BOARD,
            random.random(),
        ),
        box((random.uniform(-0.3, 0.3) * front, 0, height + 1.0), (3, 2.5, 1.4), (0.45, 0.45, 0.46), Material.METAL),
    ]
    return Drawing(parts, 12.0)
