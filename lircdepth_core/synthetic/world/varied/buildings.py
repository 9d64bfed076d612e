# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Buildings of varied streets. Each function draws one; its front lies along x and faces -y, see parts for the frame.

``wall`` is the colour of the building's walls. panel_tower, boarded_house and stepped_block are of the unseen style.
"""

import numpy as np

from lircdepth_core.synthetic.world.colours import Colour
from lircdepth_core.synthetic.world.parts import Drawing, Material, box, hull, limb


def blank_block(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a building whose front has no window, or a door alone."""
    height = random.uniform(4, 22)
    surface = Material.CONCRETE if random.random() < 0.4 else Material.PLASTER
    parts = [box((0, 0, height / 2), (front, depth, height), wall, surface, random.random())]
    if random.random() < 0.6:
        x = random.uniform(-0.3, 0.3) * front
        parts.append(box((x, -depth / 2 - 0.02, 1.1), (1.1, 0.08, 2.2), np.multiply(wall, random.uniform(0.2, 0.7))))
    if random.random() < 0.4:
        parts.append(box((0, 0, height + 0.15), (front + 0.2, depth + 0.2, 0.3), np.multiply(wall, 0.7)))
    return Drawing(parts, 9.0)


def punched_block(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a plastered building with few windows, here and there."""
    floors, storey = int(random.integers(1, 7)), random.uniform(2.8, 3.6)
    height = floors * storey + 0.6
    parts = [box((0, 0, height / 2), (front, depth, height), wall, Material.PLASTER, random.random())]
    wide, tall = random.uniform(0.7, 1.8), random.uniform(0.9, 1.9)
    glass = (0.05, 0.06, 0.07) if random.random() < 0.7 else (0.25, 0.28, 0.3)
    for floor in range(floors):
        for x in np.arange(-front / 2 + 1.5, front / 2 - 1, random.uniform(2.2, 5.0)):
            if random.random() < 0.65:
                place = (x, -depth / 2 - 0.01, floor * storey + 1.0 + tall / 2)
                parts.append(box(place, (wide, 0.06, tall), glass, Material.METAL))
    return Drawing(parts, 9.0)


def warehouse(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a hall of sheet metal with gates."""
    height = random.uniform(5, 11)
    parts = [box((0, 0, height / 2), (front, depth, height), wall, Material.SHEET, random.random())]
    for x in np.arange(-front / 2 + 4, front / 2 - 3, random.uniform(6, 11)):
        if random.random() < 0.6:
            colour = np.multiply(wall, random.uniform(0.4, 0.9))
            parts.append(box((x, -depth / 2 - 0.02, 2.0), (3.6, 0.08, 4.0), colour, Material.SHEET, random.random()))
    return Drawing(parts, 12.0)


def arcade(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a building that stands on pillars: its ground floor lies behind them."""
    height, clear, pitch = random.uniform(8, 20), random.uniform(2.8, 4.5), random.uniform(3.0, 6.0)
    upper = (0, 0, (clear + height) / 2)
    lower = (0, 1.4, clear / 2)
    surface = Material.FACADE if random.random() < 0.5 else Material.PLASTER
    parts = [
        box(upper, (front, depth, height - clear), wall, surface, random.random()),
        box(lower, (front, depth - 2.8, clear), np.multiply(wall, 0.8), Material.PLASTER, random.random()),
    ]
    half = random.uniform(0.15, 0.4)
    for x in np.arange(-front / 2 + half, front / 2, pitch):
        size = (2 * half, 2 * half, clear)
        parts.append(box((x, -depth / 2 + half, clear / 2), size, wall, Material.CONCRETE, random.random()))
    return Drawing(parts, 9.0)


def panel_tower(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a high building of panels with bands of glass."""
    height = random.uniform(14, 40)
    parts = [
        box((0, 0, height / 2), (front, depth, height), wall, Material.PANELS, random.random()),
        box((0, -depth / 2 - 0.5, 3.4), (0.4 * front, 1.0, 0.25), np.multiply(wall, 0.6), Material.CONCRETE),
    ]
    return Drawing(parts, 9.0)


def boarded_house(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a house of upright boards under a steep roof."""
    width, height, rise = min(front, random.uniform(6, 10)), random.uniform(2.8, 5.5), random.uniform(2.0, 4.0)
    parts = [
        box((0, 0, height / 2), (width, depth, height), wall, Material.BOARDS, random.random()),
        hull((0, 0, height + rise / 2), (width + 0.8, depth + 0.8, rise), np.multiply(wall, 0.4), (0.98, 0.03)),
    ]
    for x in (-0.3 * width, 0.25 * width):
        parts.append(box((x, -depth / 2 - 0.02, 1.6), (1.2, 0.08, 1.3), (0.1, 0.11, 0.12), Material.METAL))
    for x in (-0.48 * width, 0.48 * width):
        parts.append(
            limb((x, -depth / 2 - 1.4, 0), (x, -depth / 2 - 1.4, 2.6), 0.09, np.multiply(wall, 1.1).clip(0, 1))
        )
    parts.append(box((0, -depth / 2 - 0.8, 2.65), (width, 1.7, 0.12), np.multiply(wall, 0.5)))
    return Drawing(parts, 6.0)


def stepped_block(random: np.random.Generator, front: float, depth: float, wall: Colour) -> Drawing:
    """Draw a building whose floors step back, without windows towards the street."""
    low = random.uniform(3.5, 6)
    parts = [box((0, 0, low / 2), (front, depth, low), wall, Material.CONCRETE, random.random())]
    for step in range(1, int(random.integers(2, 4))):
        size = (front * (1 - 0.18 * step), depth * (1 - 0.22 * step), low)
        place = (0, 0.08 * depth * step, low * (step + 0.5))
        parts.append(box(place, size, np.multiply(wall, 1 - 0.12 * step), Material.PANELS, random.random()))
    return Drawing(parts, 9.0)
