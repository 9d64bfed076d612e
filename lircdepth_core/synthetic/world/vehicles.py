# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Road vehicles and their riders as parts. Each function draws one and returns (parts, category, mean RCS [dBsm])."""

import numpy as np

from lircdepth_core.synthetic.world.parts import (  # fmt: skip
    BIKE_WHEEL,
    BUS_BODY,
    CLOTH,
    GLASS_CABIN,
    HEAD_LAMP,
    METAL,
    PAINT,
    SIGN_BOARD,
    SKIN,
    TAIL_LAMP,
    TRUCK_CAB,
    VAN_BODY,
    ball,
    box,
    hull,
    limb,
    wheel,
)

_PAINT = (
    (0.82, 0.82, 0.83), (0.035, 0.035, 0.04), (0.28, 0.3, 0.32), (0.55, 0.56, 0.58), (0.45, 0.03, 0.03),
    (0.04, 0.09, 0.28), (0.6, 0.55, 0.42), (0.05, 0.16, 0.1), (0.75, 0.42, 0.04), (0.16, 0.3, 0.45),
)  # fmt: skip
_LIVERY = (
    (0.8, 0.8, 0.8),
    (0.75, 0.6, 0.1),
    (0.1, 0.25, 0.5),
    (0.55, 0.08, 0.06),
    (0.15, 0.4, 0.2),
    (0.85, 0.84, 0.78),
)
_DARK = (0.03, 0.03, 0.035)
_SKIN = ((0.62, 0.43, 0.34), (0.42, 0.27, 0.2), (0.22, 0.13, 0.09), (0.7, 0.52, 0.43))
_CLOTHES = (
    (0.08, 0.09, 0.13), (0.35, 0.05, 0.06), (0.55, 0.55, 0.52), (0.1, 0.18, 0.35), (0.3, 0.26, 0.18), (0.7, 0.6, 0.1),
    (0.12, 0.28, 0.18), (0.5, 0.25, 0.35),
)  # fmt: skip


def _pick(random, choices):
    return np.array(choices[random.integers(len(choices))]) * random.uniform(0.85, 1.1)


def _wheels(length, width, radius, tread, places):
    return [
        wheel((x * length, side * (width / 2 - tread / 2 + 0.015), radius), radius, tread)
        for x in places
        for side in (-1, 1)
    ]


def _lamps(length, width, low, high, front_shift=0.0):
    middle, height = (low + high) / 2, high - low
    parts = []
    for side in (-1, 1):
        parts.append(
            box(
                (length / 2 - 0.05 + front_shift, side * 0.36 * width, middle),
                (0.12, 0.21 * width, height),
                (0.85, 0.85, 0.8),
                HEAD_LAMP,
            )
        )
        parts.append(
            box(
                (-length / 2 + 0.04, side * 0.38 * width, middle + 0.08),
                (0.1, 0.17 * width, height * 1.2),
                (0.5, 0.02, 0.02),
                TAIL_LAMP,
            )
        )
    for end in (-1, 1):
        parts.append(box((end * (length / 2), 0, low - 0.1), (0.03, 0.5, 0.11), (0.75, 0.75, 0.7), SIGN_BOARD))
    return parts


def car(random):
    """A saloon, hatchback, estate or SUV."""
    style = random.choice(["saloon", "hatch", "estate", "suv"], p=[0.3, 0.28, 0.17, 0.25])
    length = {"saloon": 4.6, "hatch": 4.05, "estate": 4.65, "suv": 4.5}[style] * random.uniform(0.96, 1.05)
    width = {"suv": 1.88}.get(style, 1.78) * random.uniform(0.97, 1.03)
    height = {"suv": 1.68, "estate": 1.48, "hatch": 1.5}.get(style, 1.43) * random.uniform(0.98, 1.04)
    colour, waist, floor = _pick(random, _PAINT).clip(0, 0.9), 0.6 * height, 0.2
    radius = 0.35 if style == "suv" else 0.31
    long, rear, top = {
        "saloon": (0.58, -0.06, 0.56),
        "hatch": (0.66, -0.13, 0.68),
        "estate": (0.72, -0.12, 0.76),
        "suv": (0.72, -0.12, 0.76),
    }[style]
    cabin = long * length
    shift = {"saloon": -0.05, "hatch": -0.14, "estate": -0.15, "suv": -0.12}[style]
    nose = 0.52 * height
    parts = [
        hull((0, 0, (floor + nose) / 2), (length, width, nose - floor), colour, (0.985, 0.985), material=PAINT),
        hull(
            (0, 0, (nose + waist) / 2), (0.975 * length, 0.985 * width, waist - nose), colour, (0.9, 0.95), -0.02, PAINT
        ),
        hull(
            (rear * length, 0, (waist + height) / 2),
            (cabin, 0.92 * width, height - waist),
            colour,
            (top, 0.78),
            shift,
            GLASS_CABIN,
        ),
        box((0, 0, 0.24), (0.9 * length, 0.9 * width, 0.16), _DARK),
        box((length / 2 - 0.02, 0, 0.5 * nose + 0.12), (0.06, 0.4 * width, 0.14), _DARK),
        *_wheels(length, width, radius, 0.21, (-0.3, 0.31)),
        *_lamps(length, width, nose - 0.17, nose - 0.02),
    ]
    for side in (-1, 1):
        mirror = ((rear + long / 2) * length - 0.35, side * (width / 2 + 0.06), waist + 0.06)
        parts.append(box(mirror, (0.1, 0.16, 0.12), colour, PAINT))
    return parts, "vehicle.car", 9.0


def van(random):
    """A delivery van."""
    length, width, height = random.uniform(4.9, 5.9), random.uniform(1.95, 2.05), random.uniform(2.1, 2.6)
    colour = _pick(random, _LIVERY).clip(0, 0.88)
    parts = [
        box(
            (-0.08 * length, 0, (0.3 + height) / 2),
            (0.84 * length, width, height - 0.3),
            colour,
            VAN_BODY,
            random.random(),
        ),
        hull(
            (0.385 * length, 0, (1.05 + 0.95 * height) / 2),
            (0.16 * length, 0.97 * width, 0.95 * height - 1.05),
            colour,
            (0.35, 0.9),
            -0.6,
            TRUCK_CAB,
        ),
        hull((0.41 * length, 0, 0.68), (0.18 * length, 0.98 * width, 0.76), colour, (0.85, 0.97), -0.1, PAINT),
        *_wheels(length, width, 0.34, 0.22, (-0.3, 0.33)),
        *_lamps(length, width, 0.72, 0.95),
    ]
    return parts, "vehicle.car", 13.0


def bus(random):
    """A city bus."""
    length, width, height = random.uniform(10.5, 12.5), 2.55, random.uniform(3.0, 3.25)
    colour = _pick(random, _LIVERY[1:]).clip(0, 0.85)
    parts = [
        box((0, 0, (0.3 + height) / 2), (length, width, height - 0.3), colour, BUS_BODY, random.random()),
        box((-0.1 * length, 0, height + 0.12), (0.3 * length, 1.6, 0.24), (0.7, 0.7, 0.7)),
        *_wheels(length, width, 0.48, 0.28, (-0.26, 0.28)),
        *_lamps(length, width, 0.6, 0.85),
    ]
    return parts, "vehicle.bus.rigid", 20.0


def truck(random):
    """A lorry with a box, a tank or a tipper."""
    length, width, height = random.uniform(7.2, 10.0), 2.5, random.uniform(3.2, 3.8)
    colour, load = _pick(random, _LIVERY).clip(0, 0.85), _pick(random, _LIVERY).clip(0, 0.85)
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
            TRUCK_CAB,
            1.0,
        ),
        box((middle, 0, 0.85), (length - 0.6, 0.35 * width, 0.3), _DARK),
        box((-length / 2 + 0.1, 0, 0.62), (0.12, 0.92 * width, 0.16), (0.6, 0.6, 0.58)),
        *_wheels(length, width, 0.5, 0.3, (-0.38, -0.25, 0.37)),
        *_lamps(length, width, 0.68, 0.92),
    ]
    if style == "box":
        parts.append(
            box((middle, 0, (1.0 + height) / 2), (body, width, height - 1.0), load, SIGN_BOARD, random.random())
        )
    elif style == "tank":
        ends = (middle - body / 2, 0, 2.05), (middle + body / 2, 0, 2.05)
        parts.append(limb(*ends, 1.05, (0.7, 0.71, 0.73), METAL))
    else:
        parts.append(hull((middle, 0, 1.75), (0.9 * body, 0.88 * width, 1.5), load, (1.1, 1.12), 0.0, PAINT))
        parts.append(ball((middle, 0, 2.45), (0.85 * body, 0.85 * width, 1.0), (0.3, 0.24, 0.17), CLOTH))
    return parts, "vehicle.truck", 19.0


def rider(random, hip, shoulder, hands, feet, helmet):
    """A seated person, from the places of hip, shoulder, hands and feet (x, z); returns parts."""
    clothes, trousers, skin = _pick(random, _CLOTHES), _pick(random, _CLOTHES[:2]), _pick(random, _SKIN)
    hip, shoulder = np.array([hip[0], 0, hip[1]]), np.array([shoulder[0], 0, shoulder[1]])
    head = shoulder + (0.06, 0, 0.24)
    knee = (hip + (feet[0], 0, feet[1])) / 2 + (0.18, 0, 0.1)
    parts = [limb(hip, shoulder, 0.17, clothes, CLOTH), ball(head, (0.22, 0.19, 0.26), skin, SKIN)]
    parts.append(ball(head + (-0.01, 0, 0.05), (0.28, 0.25, 0.22), helmet))
    for side in (-1, 1):
        parts.append(limb(shoulder + (0, 0.2 * side, -0.05), (hands[0], 0.28 * side, hands[1]), 0.05, clothes, CLOTH))
        parts.append(limb(hip + (0, 0.1 * side, 0), knee + (0, 0.14 * side, 0), 0.085, trousers, CLOTH, top=0.8))
        parts.append(limb(knee + (0, 0.14 * side, 0), (feet[0], 0.13 * side, feet[1]), 0.065, trousers, CLOTH, top=0.7))
    return parts


def motorcycle(random, ridden=True):
    """A motorcycle or scooter."""
    colour = _pick(random, _PAINT)
    parts = [
        wheel((0.68, 0, 0.31), 0.31, 0.13), wheel((-0.68, 0, 0.31), 0.31, 0.16),
        ball((0.12, 0, 0.78), (0.75, 0.36, 0.36), colour, PAINT),
        box((-0.42, 0, 0.8), (0.7, 0.26, 0.12), _DARK),
        box((0.02, 0, 0.48), (0.6, 0.3, 0.36), (0.2, 0.2, 0.21), METAL),
        hull((0.55, 0, 0.85), (0.3, 0.4, 0.4), colour, (0.4, 0.6), -0.3, PAINT),
        limb((0.5, -0.36, 1.02), (0.5, 0.36, 1.02), 0.025, _DARK),
        limb((0.68, 0.09, 0.31), (0.48, 0.09, 0.95), 0.035, (0.6, 0.6, 0.6), METAL),
        limb((0.68, -0.09, 0.31), (0.48, -0.09, 0.95), 0.035, (0.6, 0.6, 0.6), METAL),
        box((0.71, 0, 0.85), (0.06, 0.18, 0.16), (0.85, 0.85, 0.8), HEAD_LAMP),
        box((-0.79, 0, 0.8), (0.06, 0.16, 0.09), (0.5, 0.02, 0.02), TAIL_LAMP),
    ]  # fmt: skip
    if ridden:
        parts += rider(random, (-0.3, 0.92), (-0.12, 1.42), (0.42, 1.02), (-0.05, 0.35), _pick(random, _PAINT[:6]))
    return parts, "vehicle.motorcycle", 4.0


def bicycle(random, ridden=True):
    """A bicycle."""
    colour = _pick(random, _PAINT)
    crank, seat, head = np.array([-0.08, 0, 0.3]), np.array([-0.22, 0, 0.85]), np.array([0.36, 0, 0.85])
    bar = 0.022
    parts = [
        wheel((0.52, 0, 0.34), 0.34, 0.045, BIKE_WHEEL), wheel((-0.52, 0, 0.34), 0.34, 0.045, BIKE_WHEEL),
        limb(crank, seat, bar, colour, PAINT), limb(crank, head - (0, 0, 0.12), bar, colour, PAINT),
        limb(seat - (0, 0, 0.1), head, bar, colour, PAINT), limb(crank, (-0.52, 0, 0.34), bar, colour, PAINT),
        limb((-0.52, 0, 0.34), seat - (0, 0, 0.1), bar, colour, PAINT),
        limb((0.52, 0, 0.34), head + (-0.03, 0, 0.15), bar, colour, PAINT),
        limb((0.34, -0.29, 1.02), (0.34, 0.29, 1.02), 0.018, _DARK),
        box(seat + (0, 0, 0.06), (0.26, 0.15, 0.06), _DARK),
    ]  # fmt: skip
    if ridden:
        parts += rider(random, (-0.22, 0.98), (0.06, 1.46), (0.34, 1.03), (-0.05, 0.22), _pick(random, _PAINT))
    return parts, "vehicle.bicycle", 0.0


def pedestrian(random, walking=True, child=False):
    """Someone on foot: legs, arms, head; mean radar cross section of a person is about -3 dBsm."""
    tall = random.uniform(1.58, 1.9) * (random.uniform(0.62, 0.75) if child else 1.0)
    k = tall / 1.75
    top, trousers, skin = (
        _pick(random, _CLOTHES),
        _pick(random, (*_CLOTHES[:4], (0.05, 0.05, 0.06))),
        _pick(random, _SKIN),
    )
    hair = np.array(((0.04, 0.03, 0.02), (0.2, 0.12, 0.05), (0.45, 0.33, 0.15), (0.4, 0.4, 0.4))[random.integers(4)])
    stride = random.uniform(0.16, 0.3) * random.choice([-1, 1]) if walking else 0.03
    parts = [
        hull((0, 0, 1.15 * k), (0.25 * k, 0.36 * k, 0.58 * k), top, (0.95, 1.22), 0.0, CLOTH),
        ball((0.0, 0, 1.44 * k), (0.22 * k, 0.46 * k, 0.2 * k), top, CLOTH),
        limb((0, 0, 1.44 * k), (0.01, 0, 1.58 * k), 0.055 * k, skin, SKIN),
        ball((0.02 * k, 0, 1.63 * k), (0.2 * k, 0.16 * k, 0.24 * k), skin, SKIN),
        ball((-0.015 * k, 0, 1.67 * k), (0.21 * k, 0.18 * k, 0.2 * k), hair),
    ]
    for side in (-1, 1):
        swing = side * stride
        hip, foot = np.array([0, 0.09 * side, 0.9]) * k, np.array([swing, 0.1 * side, 0.06]) * k
        knee = (hip + foot) / 2 + np.array([0.05 if walking else 0.01, 0, 0]) * k
        parts.append(limb(hip, knee, 0.092 * k, trousers, CLOTH, top=0.75))
        parts.append(limb(knee, foot, 0.068 * k, trousers, CLOTH, top=0.7))
        parts.append(box(foot + np.array([0.05, 0, -0.015]) * k, np.array([0.26, 0.1, 0.09]) * k, _DARK))
        shoulder, hand = np.array([0, 0.24 * side, 1.4]) * k, np.array([-swing * 0.8, 0.29 * side, 0.85]) * k
        elbow = (shoulder + hand) / 2 + np.array([-0.06, 0.02 * side, 0]) * k
        parts.append(limb(shoulder, elbow, 0.055 * k, top, CLOTH))
        parts.append(limb(elbow, hand, 0.045 * k, top, CLOTH, top=0.8))
        parts.append(ball(hand, (0.09 * k, 0.07 * k, 0.12 * k), skin, SKIN))
    if random.random() < 0.3:
        parts.append(box((-0.19 * k, 0, 1.2 * k), (0.16 * k, 0.28 * k, 0.42 * k), _pick(random, _CLOTHES), CLOTH))
    return parts, "human.pedestrian.child" if child else "human.pedestrian.adult", -4.0
