# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What stands beside a street, as parts: plants, posts, signs, barriers, buildings. Each function draws one and returns
(parts, mean RCS [dBsm]). Frames as in parts; things that face the street do so along -y, signs along -x.
"""

import numpy as np

from lircdepth_core.synthetic.world.parts import (  # fmt: skip
    BARK,
    BRICK,
    CLOTH,
    FACADE,
    LEAVES,
    METAL,
    PICKETS,
    PLAIN,
    ROOF,
    SHOP,
    SIGN_BOARD,
    SIGN_ROUND,
    SIGN_TRIANGLE,
    STREET_LAMP,
    STRIPED,
    TRAFFIC_LIGHT,
    ball,
    box,
    disc,
    hull,
    limb,
)

_WALLS = (
    (0.5, 0.22, 0.15), (0.62, 0.55, 0.42), (0.42, 0.42, 0.44), (0.7, 0.67, 0.62), (0.33, 0.19, 0.14), (0.6, 0.5, 0.32),
    (0.55, 0.6, 0.64), (0.66, 0.42, 0.33), (0.48, 0.52, 0.42),
)  # fmt: skip
_ROOFS = ((0.36, 0.14, 0.09), (0.17, 0.17, 0.19), (0.28, 0.2, 0.15))
_GREENS = ((0.1, 0.21, 0.05), (0.16, 0.26, 0.06), (0.07, 0.17, 0.07), (0.25, 0.27, 0.07), (0.34, 0.2, 0.05))
_POLE = (0.24, 0.25, 0.26)


def _pick(random, choices):
    return (np.array(choices[random.integers(len(choices))]) * random.uniform(0.85, 1.12)).clip(0, 1)


def tree(random):
    """A broad-leaved tree or a conifer."""
    bark, green = _pick(random, ((0.2, 0.15, 0.1), (0.3, 0.27, 0.23))), _pick(random, _GREENS)
    if random.random() < 0.22:
        height, wide = random.uniform(6, 11), random.uniform(1.4, 2.1)
        parts = [limb((0, 0, 0), (0, 0, 0.3 * height), 0.16, bark, BARK)]
        for low, high, share in ((0.14, 0.55, 1.0), (0.38, 0.78, 0.75), (0.62, 1.0, 0.48)):
            parts.append(
                limb(
                    (0, 0, low * height),
                    (0, 0, high * height),
                    wide * share,
                    green * 0.8,
                    LEAVES,
                    random.random(),
                    0.06,
                )
            )
        return parts, 2.0  # fmt: skip
    stem, crown = random.uniform(2.2, 3.4), random.uniform(1.5, 2.6)
    parts = [limb((0, 0, 0), (0.05, 0.05, stem + 0.6 * crown), random.uniform(0.11, 0.22), bark, BARK, top=0.6)]
    top = stem + 0.8 * crown
    count = random.integers(9, 13)
    for index in range(count):
        # Around a ball's surface, the golden angle apart, a first one in its middle.
        level = 1 - 1.5 * index / count
        angle, out = 2.4 * index + random.uniform(-0.3, 0.3), 0.72 * crown * np.sqrt(max(1 - level**2, 0)) * (index > 0)
        rise = top + (0.68 * level * crown if index else 0.0)
        size = crown * (random.uniform(0.65, 1.0) if index else 1.35)
        place = (out * np.cos(angle), out * np.sin(angle), rise)
        parts.append(ball(place, (size, size, 0.85 * size), green * random.uniform(0.8, 1.2), LEAVES, random.random()))
        if index in (1, 3):
            parts.append(limb((0, 0, 0.85 * stem), np.array(place) * 0.8 + (0, 0, 0.2 * stem), 0.07, bark, BARK))
    return parts, 2.0


def bush(random):
    """A low shrub."""
    green = _pick(random, _GREENS)
    parts = []
    for _ in range(random.integers(2, 5)):
        size = random.uniform(0.6, 1.3)
        parts.append(
            ball((*random.uniform(-0.5, 0.5, 2), 0.35 * size), (size, size, 0.9 * size), green, LEAVES, random.random())
        )
    return parts, -2.0


def street_lamp(random, height):
    """A lamp whose arm reaches along -y, over the street."""
    arm = 1.6
    return [
        limb((0, 0, 0), (0, 0, height), 0.09, _POLE, METAL, top=0.6),
        limb((0, 0, height - 0.08), (0, -arm, height + 0.25), 0.045, _POLE, METAL),
        box((0, -arm - 0.2, height + 0.22), (0.24, 0.7, 0.12), (0.5, 0.5, 0.5), STREET_LAMP),
        box((0, 0, 0.5), (0.24, 0.24, 1.0), _POLE, METAL),
    ], 6.0


def sign(random):
    """A traffic sign on its post: prohibition, warning, direction or a street's name; it faces -x."""
    post = limb((0, 0, 0), (0, 0, 2.9), 0.035, (0.5, 0.5, 0.52), METAL)
    kind, variant = random.integers(4), random.random()
    if kind == 0:
        return [post, disc((-0.05, 0, 2.6), 0.33, 0.03, (0.85, 0.85, 0.85), SIGN_ROUND, variant)], 3.0
    if kind == 1:
        return [post, hull((-0.05, 0, 2.6), (0.03, 0.85, 0.75), (0.85, 0.85, 0.85), (1.0, 0.03), 0, SIGN_TRIANGLE)], 3.0
    if kind == 2:
        blue = ((0.03, 0.12, 0.42), (0.05, 0.3, 0.12))[random.integers(2)]
        return [post, box((-0.05, 0, 2.75), (0.04, 1.3, 0.6), blue, SIGN_BOARD, variant)], 5.0
    return [post, box((-0.05, 0, 2.5), (0.03, 0.55, 0.55), (0.03, 0.15, 0.5), SIGN_BOARD, variant)], 4.0


def traffic_light(random):
    """A signal that faces -x."""
    return [
        limb((0, 0, 0), (0, 0, 3.4), 0.06, (0.2, 0.22, 0.2), METAL),
        box((-0.12, 0, 3.0), (0.22, 0.34, 0.95), (0.02, 0.02, 0.02), TRAFFIC_LIGHT, random.random()),
        box((-0.02, 0, 3.0), (0.03, 0.5, 1.1), (0.02, 0.02, 0.02)),
    ], 4.0


def bollard(random):
    colour = _pick(random, ((0.15, 0.15, 0.16), (0.5, 0.5, 0.48)))
    return [
        limb((0, 0, 0), (0, 0, 0.95), 0.08, colour, METAL),
        ball((0, 0, 0.97), (0.18, 0.18, 0.14), colour, METAL),
    ], -3.0


def bin_(random):
    """A litter bin or a wheeled bin."""
    if random.random() < 0.5:
        colour = _pick(random, ((0.12, 0.2, 0.14), (0.2, 0.2, 0.2)))
        return [
            limb((0, 0, 0), (0, 0, 0.85), 0.24, colour, METAL, top=1.15),
            limb((0, 0, 0.85), (0, 0, 0.98), 0.29, colour * 0.6, METAL),
        ], 0.0
    colour = _pick(random, ((0.05, 0.12, 0.3), (0.1, 0.25, 0.1), (0.1, 0.1, 0.1)))
    return [
        hull((0, 0, 0.52), (0.55, 0.5, 0.9), colour, (1.15, 1.15)),
        box((0.0, 0, 1.0), (0.66, 0.6, 0.08), colour * 0.7),
    ], 0.0


def bench(random):
    wood = (0.32, 0.2, 0.1)
    parts = [box((0, 0.0, 0.45), (1.7, 0.45, 0.06), wood), box((0, 0.22, 0.75), (1.7, 0.05, 0.35), wood)]
    return [
        *parts,
        box((-0.65, 0.05, 0.22), (0.06, 0.4, 0.42), _POLE),
        box((0.65, 0.05, 0.22), (0.06, 0.4, 0.42), _POLE),
    ], 0.0


def bus_stop(random):
    """A shelter that opens towards -y."""
    glass, frame = (0.2, 0.27, 0.3), (0.15, 0.16, 0.17)
    posts = [limb((x, y, 0), (x, y, 2.4), 0.05, frame, METAL) for x in (-1.9, 1.9) for y in (-0.6, 0.6)]
    return [
        *posts, box((0, 0, 2.45), (4.1, 1.5, 0.1), frame), box((0, 0.6, 1.25), (3.7, 0.04, 1.9), glass, METAL),
        box((1.9, 0, 1.25), (0.06, 1.2, 1.8), (0.75, 0.72, 0.65), SIGN_BOARD, random.random()),
        box((-0.2, 0.35, 0.48), (2.6, 0.35, 0.06), frame),
    ], 7.0  # fmt: skip


def cone(random):
    """A traffic cone (movable_object.trafficcone)."""
    return [
        box((0, 0, 0.03), (0.4, 0.4, 0.06), (0.04, 0.04, 0.04)),
        limb((0, 0, 0.05), (0, 0, 0.72), 0.15, (0.8, 0.2, 0.03), STRIPED, 0.0, 0.15),
    ], -6.0


def barrier(random):
    """A road-works barrier across x (movable_object.barrier): a plastic wall or a striped board on feet."""
    if random.random() < 0.5:
        colour = ((0.75, 0.2, 0.05), (0.8, 0.8, 0.78))[random.integers(2)]
        return [
            hull((0, 0, 0.45), (0.55, 1.8, 0.9), colour, (0.35, 1.0)),
            box((0, 0, 0.92), (0.16, 1.7, 0.14), colour),
        ], 2.0
    feet = [box((0, y, 0.06), (0.6, 0.16, 0.1), (0.05, 0.05, 0.05)) for y in (-0.7, 0.7)]
    posts = [box((0, y, 0.6), (0.05, 0.05, 1.0), (0.6, 0.6, 0.6), METAL) for y in (-0.7, 0.7)]
    return [*feet, *posts, box((0, 0, 0.95), (0.05, 1.9, 0.25), (0.8, 0.8, 0.8), STRIPED, 1.0)], 3.0


def fence(random, length):
    """A boundary along x: brick wall, hedge, railing or picket fence."""
    kind = random.choice(["wall", "hedge", "railing", "pickets"], p=[0.3, 0.35, 0.2, 0.15])
    if kind == "wall":
        height, colour = random.uniform(0.8, 1.9), _pick(random, _WALLS)
        return [
            box((0, 0, height / 2), (length, 0.3, height), colour, BRICK),
            box((0, 0, height + 0.04), (length, 0.4, 0.08), (0.5, 0.49, 0.46)),
        ], 6.0
    if kind == "hedge":
        height = random.uniform(0.9, 1.9)
        return [
            box(
                (0, 0, height / 2),
                (length, random.uniform(0.6, 1.0), height),
                _pick(random, _GREENS),
                LEAVES,
                random.random(),
            )
        ], 0.0
    if kind == "pickets":
        return [box((0, 0, 0.55), (length, 0.06, 1.1), (0.62, 0.58, 0.5), PICKETS)], 1.0
    parts = [limb((x, 0, 0), (x, 0, 1.05), 0.03, _POLE, METAL) for x in np.arange(-length / 2, length / 2 + 0.1, 2.0)]
    return [
        *parts,
        *(limb((-length / 2, 0, z), (length / 2, 0, z), 0.022, _POLE, METAL) for z in (0.35, 0.7, 1.05)),
    ], 6.0


def guard_rail(random, length):
    """A steel rail along x on posts."""
    parts = [
        box((x, 0.08, 0.35), (0.1, 0.1, 0.7), (0.4, 0.4, 0.41), METAL)
        for x in np.arange(-length / 2 + 1, length / 2, 4.0)
    ]
    return [*parts, box((0, 0, 0.62), (length, 0.06, 0.3), (0.55, 0.56, 0.57), METAL)], 12.0


def town_building(random, front, depth):
    """A terrace block whose front, ``front`` metres along x, faces -y: floors of windows, shops or a door below, a
    cornice, sometimes awnings, balconies and a pitched roof.
    """
    floors = random.integers(2, 7)
    base, height, wall = random.uniform(3.3, 4.2), 0.0, _pick(random, _WALLS)
    height = base + 3.1 * (floors - 1) + 0.5
    variant, shops = random.random(), random.random() < 0.55
    lower = _pick(random, _WALLS) if shops else wall * 0.8
    parts = [
        box((0, 0, base / 2), (front, depth, base), lower, SHOP if shops else FACADE, variant),
        box((0, 0, (base + height) / 2), (front, depth, height - base), wall, FACADE, variant),
        box((0, -0.1, height + 0.12), (front + 0.1, depth + 0.4, 0.3), (wall * 1.15).clip(0, 1)),
        box((0, -depth / 2 - 0.03, base + 0.05), (front, 0.2, 0.22), (wall * 1.2).clip(0, 1)),
    ]
    if shops:
        colour = _pick(random, ((0.4, 0.05, 0.05), (0.06, 0.2, 0.12), (0.08, 0.12, 0.32), (0.6, 0.5, 0.2)))
        for x in np.arange(-front / 2 + 2.5, front / 2 - 2, 5.0):
            if random.random() < 0.6:
                parts.append(hull((x, -depth / 2 - 0.55, 2.75), (3.6, 1.1, 0.35), colour, (1.0, 0.1), 0, CLOTH))
    elif random.random() < 0.5:
        for floor in range(1, floors):
            for x in np.arange(-front / 2 + 2, front / 2 - 1, 5.2):
                place = (x, -depth / 2 - 0.45, base + 3.1 * (floor - 1) + 0.1)
                parts.append(box(place, (2.2, 0.9, 0.12), (0.6, 0.6, 0.58)))
                parts.append(box(np.add(place, (0, -0.42, 0.5)), (2.2, 0.04, 0.9), (0.2, 0.21, 0.22), PICKETS))
    if random.random() < 0.5:
        rise = random.uniform(1.6, 3.0)
        parts.append(
            hull((0, 0, height + 0.27 + rise / 2), (front, depth, rise), _pick(random, _ROOFS), (1.0, 0.15), 0, ROOF)
        )
        for x in random.uniform(-front / 3, front / 3, 2):
            parts.append(box((x, 0.1 * depth, height + rise), (0.8, 0.6, 1.6), (0.35, 0.2, 0.15), BRICK))
    return parts, 9.0


def house(random, front, depth):
    """A detached house, its front along x facing -y."""
    wall, height = _pick(random, _WALLS), random.uniform(3.0, 5.8)
    rise = random.uniform(1.8, 3.0)
    parts = [
        box((0, 0, height / 2), (front, depth, height), wall, FACADE, random.random()),
        hull((0, 0, height + rise / 2), (front + 0.7, depth + 0.9, rise), _pick(random, _ROOFS), (0.98, 0.02), 0, ROOF),
        box((0.3 * front, 0.1 * depth, height + 0.8 * rise), (0.7, 0.6, 1.6), (0.35, 0.2, 0.15), BRICK),
        box((-0.12 * front, -depth / 2 - 0.5, 1.25), (1.7, 1.0, 0.15 + 2.3), wall * 0.9, PLAIN),
        box(
            (-0.12 * front, -depth / 2 - 1.02, 1.05),
            (1.0, 0.06, 2.1),
            _pick(random, ((0.3, 0.05, 0.04), (0.05, 0.12, 0.2), (0.2, 0.12, 0.06))),
        ),
    ]
    if random.random() < 0.5:  # a garage
        parts.append(box((front / 2 + 1.6, 0.1 * depth, 1.3), (3.2, 0.7 * depth, 2.6), wall * 0.95))
        parts.append(
            box((front / 2 + 1.6, 0.1 * depth - 0.35 * depth - 0.02, 1.1), (2.5, 0.06, 2.2), (0.6, 0.6, 0.58), PICKETS)
        )
    return parts, 6.0


def hall(random, front, depth):
    """A low industrial or office building with bands of windows, its front along x facing -y."""
    height, wall = random.uniform(6, 13), _pick(random, _WALLS[1:4] + _WALLS[6:7])
    parts = [
        box((0, 0, height / 2), (front, depth, height), wall, FACADE, 0.9 + 0.1 * random.random()),
        box((0, 0, height + 0.2), (front + 0.1, depth + 0.1, 0.5), (0.3, 0.31, 0.33), METAL),
        box(
            (0, -depth / 2 - 0.06, height - 1.2),
            (min(8, 0.4 * front), 0.12, 1.2),
            _pick(random, _WALLS[:1] + ((0.05, 0.15, 0.45),)),
            SIGN_BOARD,
            random.random(),
        ),
        box((random.uniform(-0.3, 0.3) * front, 0, height + 1.0), (3, 2.5, 1.4), (0.45, 0.45, 0.46), METAL),
    ]
    return parts, 12.0
