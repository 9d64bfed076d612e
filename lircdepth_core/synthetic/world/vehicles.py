# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Road vehicles. Each function draws one; see parts for the frame."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lircdepth_core.synthetic.world.colours import DARK, LIVERIES, PAINTS, pick
from lircdepth_core.synthetic.world.parts import Drawing, Material, Part, ball, box, hull, limb, wheel
from lircdepth_core.synthetic.world.people import rider

_BRIGHTEST = 1.1  # factor, of the shades that are drawn from a palette


def _wheels(length: float, width: float, radius: float, tread: float, places: Sequence[float]) -> list[Part]:
    return [
        wheel((x * length, side * (width / 2 - tread / 2 + 0.015), radius), radius, tread)
        for x in places
        for side in (-1, 1)
    ]


def _lamps(length: float, width: float, low: float, high: float, front_shift: float = 0.0) -> list[Part]:
    middle, height = (low + high) / 2, high - low
    parts = []
    for side in (-1, 1):
        parts.append(
            box(
                (length / 2 - 0.05 + front_shift, side * 0.36 * width, middle),
                (0.12, 0.21 * width, height),
                (0.85, 0.85, 0.8),
                Material.HEAD_LAMP,
            )
        )
        parts.append(
            box(
                (-length / 2 + 0.04, side * 0.38 * width, middle + 0.08),
                (0.1, 0.17 * width, height * 1.2),
                (0.5, 0.02, 0.02),
                Material.TAIL_LAMP,
            )
        )
    for end in (-1, 1):
        parts.append(box((end * (length / 2), 0, low - 0.1), (0.03, 0.5, 0.11), (0.75, 0.75, 0.7), Material.SIGN_BOARD))
    return parts


class _CarStyle(NamedTuple):
    """A body of a car.

    share: of all cars. length, width, height: in metres. cabin, rear: the cabin's length and offset in terms of the
    car's length. top, shift: the size and the offset of its roof, see parts.hull. wheel: radius [m].
    """

    share: float
    length: float
    width: float
    height: float
    cabin: float
    rear: float
    top: float
    shift: float
    wheel: float


_CAR_STYLES = {
    "saloon": _CarStyle(0.3, 4.6, 1.78, 1.43, 0.58, -0.06, 0.56, -0.05, 0.31),
    "hatch": _CarStyle(0.28, 4.05, 1.78, 1.5, 0.66, -0.13, 0.68, -0.14, 0.31),
    "estate": _CarStyle(0.17, 4.65, 1.78, 1.48, 0.72, -0.12, 0.76, -0.15, 0.31),
    "suv": _CarStyle(0.25, 4.5, 1.88, 1.68, 0.72, -0.12, 0.76, -0.12, 0.35),
}


def car(random: np.random.Generator) -> Drawing:
    """Draw a saloon, hatchback, estate or SUV."""
    style = _CAR_STYLES[random.choice(list(_CAR_STYLES), p=[style.share for style in _CAR_STYLES.values()])]
    length = style.length * random.uniform(0.96, 1.05)
    width = style.width * random.uniform(0.97, 1.03)
    height = style.height * random.uniform(0.98, 1.04)
    colour, waist, floor = pick(random, PAINTS, _BRIGHTEST).clip(0, 0.9), 0.6 * height, 0.2
    cabin = style.cabin * length
    nose = 0.52 * height
    parts = [
        hull(
            (0, 0, (floor + nose) / 2), (length, width, nose - floor), colour, (0.985, 0.985), material=Material.PAINT
        ),
        hull(
            (0, 0, (nose + waist) / 2),
            (0.975 * length, 0.985 * width, waist - nose),
            colour,
            (0.9, 0.95),
            -0.02,
            Material.PAINT,
        ),
        hull(
            (style.rear * length, 0, (waist + height) / 2),
            (cabin, 0.92 * width, height - waist),
            colour,
            (style.top, 0.78),
            style.shift,
            Material.GLASS_CABIN,
        ),
        box((0, 0, 0.24), (0.9 * length, 0.9 * width, 0.16), DARK),
        box((length / 2 - 0.02, 0, 0.5 * nose + 0.12), (0.06, 0.4 * width, 0.14), DARK),
        *_wheels(length, width, style.wheel, 0.21, (-0.3, 0.31)),
        *_lamps(length, width, nose - 0.17, nose - 0.02),
    ]
    for side in (-1, 1):
        mirror = ((style.rear + style.cabin / 2) * length - 0.35, side * (width / 2 + 0.06), waist + 0.06)
        parts.append(box(mirror, (0.1, 0.16, 0.12), colour, Material.PAINT))
    return Drawing(parts, 9.0, "vehicle.car")


def van(random: np.random.Generator) -> Drawing:
    """Draw a delivery van."""
    length, width, height = random.uniform(4.9, 5.9), random.uniform(1.95, 2.05), random.uniform(2.1, 2.6)
    colour = pick(random, LIVERIES, _BRIGHTEST).clip(0, 0.88)
    parts = [
        box(
            (-0.08 * length, 0, (0.3 + height) / 2),
            (0.84 * length, width, height - 0.3),
            colour,
            Material.VAN_BODY,
            random.random(),
        ),
        hull(
            (0.385 * length, 0, (1.05 + 0.95 * height) / 2),
            (0.16 * length, 0.97 * width, 0.95 * height - 1.05),
            colour,
            (0.35, 0.9),
            -0.6,
            Material.TRUCK_CAB,
        ),
        hull((0.41 * length, 0, 0.68), (0.18 * length, 0.98 * width, 0.76), colour, (0.85, 0.97), -0.1, Material.PAINT),
        *_wheels(length, width, 0.34, 0.22, (-0.3, 0.33)),
        *_lamps(length, width, 0.72, 0.95),
    ]
    return Drawing(parts, 13.0, "vehicle.car")


def bus(random: np.random.Generator) -> Drawing:
    """Draw a city bus."""
    length, width, height = random.uniform(10.5, 12.5), 2.55, random.uniform(3.0, 3.25)
    colour = pick(random, LIVERIES[1:], _BRIGHTEST).clip(0, 0.85)
    parts = [
        box((0, 0, (0.3 + height) / 2), (length, width, height - 0.3), colour, Material.BUS_BODY, random.random()),
        box((-0.1 * length, 0, height + 0.12), (0.3 * length, 1.6, 0.24), (0.7, 0.7, 0.7)),
        *_wheels(length, width, 0.48, 0.28, (-0.26, 0.28)),
        *_lamps(length, width, 0.6, 0.85),
    ]
    return Drawing(parts, 20.0, "vehicle.bus.rigid")


def truck(random: np.random.Generator) -> Drawing:
    """Draw a lorry with a box, a tank or a tipper."""
    length, width, height = random.uniform(7.2, 10.0), 2.5, random.uniform(3.2, 3.8)
    colour, load = pick(random, LIVERIES, _BRIGHTEST).clip(0, 0.85), pick(random, LIVERIES, _BRIGHTEST).clip(0, 0.85)
    cab, cab_height = 2.1, 2.9
    body, middle = length - cab - 0.25, -(cab + 0.25) / 2
    style = random.choice(["box", "tank", "tipper"], p=[0.65, 0.15, 0.2])
    parts = [
        hull(
            ((length - cab) / 2, 0, (0.5 + cab_height) / 2),
            (cab, 0.96 * width, cab_height - 0.5),
            colour,
            (0.88, 0.95),
            -0.12,
            Material.TRUCK_CAB,
            1.0,
        ),
        box((middle, 0, 0.85), (length - 0.6, 0.35 * width, 0.3), DARK),
        box((-length / 2 + 0.1, 0, 0.62), (0.12, 0.92 * width, 0.16), (0.6, 0.6, 0.58)),
        *_wheels(length, width, 0.5, 0.3, (-0.38, -0.25, 0.37)),
        *_lamps(length, width, 0.68, 0.92),
    ]
    if style == "box":
        parts.append(
            box(
                (middle, 0, (1.0 + height) / 2), (body, width, height - 1.0), load, Material.SIGN_BOARD, random.random()
            )
        )
    elif style == "tank":
        ends = (middle - body / 2, 0, 2.05), (middle + body / 2, 0, 2.05)
        parts.append(limb(*ends, 1.05, (0.7, 0.71, 0.73), Material.METAL))
    else:
        parts.append(hull((middle, 0, 1.75), (0.9 * body, 0.88 * width, 1.5), load, (1.1, 1.12), 0.0, Material.PAINT))
        parts.append(ball((middle, 0, 2.45), (0.85 * body, 0.85 * width, 1.0), (0.3, 0.24, 0.17), Material.CLOTH))
    return Drawing(parts, 19.0, "vehicle.truck")


def motorcycle(random: np.random.Generator, ridden: bool = True) -> Drawing:
    """Draw a motorcycle or scooter."""
    colour = pick(random, PAINTS, _BRIGHTEST)
    parts = [
        wheel((0.68, 0, 0.31), 0.31, 0.13),
        wheel((-0.68, 0, 0.31), 0.31, 0.16),
        ball((0.12, 0, 0.78), (0.75, 0.36, 0.36), colour, Material.PAINT),
        box((-0.42, 0, 0.8), (0.7, 0.26, 0.12), DARK),
        box((0.02, 0, 0.48), (0.6, 0.3, 0.36), (0.2, 0.2, 0.21), Material.METAL),
        hull((0.55, 0, 0.85), (0.3, 0.4, 0.4), colour, (0.4, 0.6), -0.3, Material.PAINT),
        limb((0.5, -0.36, 1.02), (0.5, 0.36, 1.02), 0.025, DARK),
        limb((0.68, 0.09, 0.31), (0.48, 0.09, 0.95), 0.035, (0.6, 0.6, 0.6), Material.METAL),
        limb((0.68, -0.09, 0.31), (0.48, -0.09, 0.95), 0.035, (0.6, 0.6, 0.6), Material.METAL),
        box((0.71, 0, 0.85), (0.06, 0.18, 0.16), (0.85, 0.85, 0.8), Material.HEAD_LAMP),
        box((-0.79, 0, 0.8), (0.06, 0.16, 0.09), (0.5, 0.02, 0.02), Material.TAIL_LAMP),
    ]
    if ridden:
        parts += rider(
            random, (-0.3, 0.92), (-0.12, 1.42), (0.42, 1.02), (-0.05, 0.35), pick(random, PAINTS[:6], _BRIGHTEST)
        )
    return Drawing(parts, 4.0, "vehicle.motorcycle")


def bicycle(random: np.random.Generator, ridden: bool = True) -> Drawing:
    """Draw a bicycle."""
    colour = pick(random, PAINTS, _BRIGHTEST)
    crank, seat, head = np.array([-0.08, 0, 0.3]), np.array([-0.22, 0, 0.85]), np.array([0.36, 0, 0.85])
    bar = 0.022
    parts = [
        wheel((0.52, 0, 0.34), 0.34, 0.045, Material.BIKE_WHEEL),
        wheel((-0.52, 0, 0.34), 0.34, 0.045, Material.BIKE_WHEEL),
        limb(crank, seat, bar, colour, Material.PAINT),
        limb(crank, head - (0, 0, 0.12), bar, colour, Material.PAINT),
        limb(seat - (0, 0, 0.1), head, bar, colour, Material.PAINT),
        limb(crank, (-0.52, 0, 0.34), bar, colour, Material.PAINT),
        limb((-0.52, 0, 0.34), seat - (0, 0, 0.1), bar, colour, Material.PAINT),
        limb((0.52, 0, 0.34), head + (-0.03, 0, 0.15), bar, colour, Material.PAINT),
        limb((0.34, -0.29, 1.02), (0.34, 0.29, 1.02), 0.018, DARK),
        box(seat + (0, 0, 0.06), (0.26, 0.15, 0.06), DARK),
    ]
    if ridden:
        parts += rider(
            random, (-0.22, 0.98), (0.06, 1.46), (0.34, 1.03), (-0.05, 0.22), pick(random, PAINTS, _BRIGHTEST)
        )
    return Drawing(parts, 0.0, "vehicle.bicycle")
