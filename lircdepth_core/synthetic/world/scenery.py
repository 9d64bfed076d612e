# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What stands beside a street: plants, posts, signs and barriers. Each function draws one.

Things that face the street do so along -y, signs along -x; see parts for the frame.
"""

import numpy as np

from lircdepth_core.synthetic.world.colours import GREENS, POLE, WALLS, pick
from lircdepth_core.synthetic.world.parts import Drawing, Material, ball, box, disc, hull, limb


def tree(random: np.random.Generator) -> Drawing:
    """Draw a broad-leaved tree or a conifer."""
    bark, green = pick(random, ((0.2, 0.15, 0.1), (0.3, 0.27, 0.23))), pick(random, GREENS)
    if random.random() < 0.22:
        height, wide = random.uniform(6, 11), random.uniform(1.4, 2.1)
        parts = [limb((0, 0, 0), (0, 0, 0.3 * height), 0.16, bark, Material.BARK)]
        for low, high, share in ((0.14, 0.55, 1.0), (0.38, 0.78, 0.75), (0.62, 1.0, 0.48)):
            parts.append(
                limb(
                    (0, 0, low * height),
                    (0, 0, high * height),
                    wide * share,
                    green * 0.8,
                    Material.LEAVES,
                    random.random(),
                    0.06,
                )
            )
        return Drawing(parts, 2.0)
    stem, crown = random.uniform(2.2, 3.4), random.uniform(1.5, 2.6)
    parts = [
        limb((0, 0, 0), (0.05, 0.05, stem + 0.6 * crown), random.uniform(0.11, 0.22), bark, Material.BARK, top=0.6)
    ]
    top = stem + 0.8 * crown
    count = random.integers(9, 13)
    for index in range(count):
        # The first one is in the middle, the others around the surface of a ball, the golden angle apart.
        level = 1 - 1.5 * index / count
        angle, out = 2.4 * index + random.uniform(-0.3, 0.3), 0.72 * crown * np.sqrt(max(1 - level**2, 0)) * (index > 0)
        rise = top + (0.68 * level * crown if index else 0.0)
        size = crown * (random.uniform(0.65, 1.0) if index else 1.35)
        place = (out * np.cos(angle), out * np.sin(angle), rise)
        parts.append(
            ball(place, (size, size, 0.85 * size), green * random.uniform(0.8, 1.2), Material.LEAVES, random.random())
        )
        if index in (1, 3):
            parts.append(
                limb((0, 0, 0.85 * stem), np.array(place) * 0.8 + (0, 0, 0.2 * stem), 0.07, bark, Material.BARK)
            )
    return Drawing(parts, 2.0)


def bush(random: np.random.Generator) -> Drawing:
    """Draw a low shrub."""
    green = pick(random, GREENS)
    parts = []
    for _ in range(random.integers(2, 5)):
        size = random.uniform(0.6, 1.3)
        parts.append(
            ball(
                (*random.uniform(-0.5, 0.5, 2), 0.35 * size),
                (size, size, 0.9 * size),
                green,
                Material.LEAVES,
                random.random(),
            )
        )
    return Drawing(parts, -2.0)


def street_lamp(height: float) -> Drawing:
    """Draw a lamp whose arm reaches along -y, over the street."""
    arm = 1.6
    return Drawing(
        [
            limb((0, 0, 0), (0, 0, height), 0.09, POLE, Material.METAL, top=0.6),
            limb((0, 0, height - 0.08), (0, -arm, height + 0.25), 0.045, POLE, Material.METAL),
            box((0, -arm - 0.2, height + 0.22), (0.24, 0.7, 0.12), (0.5, 0.5, 0.5), Material.STREET_LAMP),
            box((0, 0, 0.5), (0.24, 0.24, 1.0), POLE, Material.METAL),
        ],
        6.0,
    )


def sign(random: np.random.Generator) -> Drawing:
    """Draw a traffic sign on its post: prohibition, warning, direction or a street's name; it faces -x."""
    post = limb((0, 0, 0), (0, 0, 2.9), 0.035, (0.5, 0.5, 0.52), Material.METAL)
    kind, variant = random.integers(4), random.random()
    if kind == 0:
        return Drawing([post, disc((-0.05, 0, 2.6), 0.33, 0.03, (0.85, 0.85, 0.85), Material.SIGN_ROUND, variant)], 3.0)
    if kind == 1:
        return Drawing(
            [
                post,
                hull((-0.05, 0, 2.6), (0.03, 0.85, 0.75), (0.85, 0.85, 0.85), (1.0, 0.03), 0, Material.SIGN_TRIANGLE),
            ],
            3.0,
        )
    if kind == 2:
        blue = ((0.03, 0.12, 0.42), (0.05, 0.3, 0.12))[random.integers(2)]
        return Drawing([post, box((-0.05, 0, 2.75), (0.04, 1.3, 0.6), blue, Material.SIGN_BOARD, variant)], 5.0)
    return Drawing(
        [post, box((-0.05, 0, 2.5), (0.03, 0.55, 0.55), (0.03, 0.15, 0.5), Material.SIGN_BOARD, variant)], 4.0
    )


def traffic_light(random: np.random.Generator) -> Drawing:
    """Draw a signal that faces -x."""
    return Drawing(
        [
            limb((0, 0, 0), (0, 0, 3.4), 0.06, (0.2, 0.22, 0.2), Material.METAL),
            box((-0.12, 0, 3.0), (0.22, 0.34, 0.95), (0.02, 0.02, 0.02), Material.TRAFFIC_LIGHT, random.random()),
            box((-0.02, 0, 3.0), (0.03, 0.5, 1.1), (0.02, 0.02, 0.02)),
        ],
        4.0,
    )


def bollard(random: np.random.Generator) -> Drawing:
    """Draw a bollard."""
    colour = pick(random, ((0.15, 0.15, 0.16), (0.5, 0.5, 0.48)))
    return Drawing(
        [
            limb((0, 0, 0), (0, 0, 0.95), 0.08, colour, Material.METAL),
            ball((0, 0, 0.97), (0.18, 0.18, 0.14), colour, Material.METAL),
        ],
        -3.0,
    )


def litter_bin(random: np.random.Generator) -> Drawing:
    """Draw a litter bin or a wheeled bin."""
    if random.random() < 0.5:
        colour = pick(random, ((0.12, 0.2, 0.14), (0.2, 0.2, 0.2)))
        return Drawing(
            [
                limb((0, 0, 0), (0, 0, 0.85), 0.24, colour, Material.METAL, top=1.15),
                limb((0, 0, 0.85), (0, 0, 0.98), 0.29, colour * 0.6, Material.METAL),
            ],
            0.0,
        )
    colour = pick(random, ((0.05, 0.12, 0.3), (0.1, 0.25, 0.1), (0.1, 0.1, 0.1)))
    return Drawing(
        [
            hull((0, 0, 0.52), (0.55, 0.5, 0.9), colour, (1.15, 1.15)),
            box((0.0, 0, 1.0), (0.66, 0.6, 0.08), colour * 0.7),
        ],
        0.0,
    )


def bench() -> Drawing:
    """Draw a bench whose back is on the side of +y."""
    wood = (0.32, 0.2, 0.1)
    parts = [box((0, 0.0, 0.45), (1.7, 0.45, 0.06), wood), box((0, 0.22, 0.75), (1.7, 0.05, 0.35), wood)]
    return Drawing(
        [
            *parts,
            box((-0.65, 0.05, 0.22), (0.06, 0.4, 0.42), POLE),
            box((0.65, 0.05, 0.22), (0.06, 0.4, 0.42), POLE),
        ],
        0.0,
    )


def bus_stop(random: np.random.Generator) -> Drawing:
    """Draw a shelter that opens towards -y."""
    glass, frame = (0.2, 0.27, 0.3), (0.15, 0.16, 0.17)
    posts = [limb((x, y, 0), (x, y, 2.4), 0.05, frame, Material.METAL) for x in (-1.9, 1.9) for y in (-0.6, 0.6)]
    return Drawing(
        [
            *posts,
            box((0, 0, 2.45), (4.1, 1.5, 0.1), frame),
            box((0, 0.6, 1.25), (3.7, 0.04, 1.9), glass, Material.METAL),
            box((1.9, 0, 1.25), (0.06, 1.2, 1.8), (0.75, 0.72, 0.65), Material.SIGN_BOARD, random.random()),
            box((-0.2, 0.35, 0.48), (2.6, 0.35, 0.06), frame),
        ],
        7.0,
    )


def cone() -> Drawing:
    """Draw a traffic cone."""
    parts = [
        box((0, 0, 0.03), (0.4, 0.4, 0.06), (0.04, 0.04, 0.04)),
        limb((0, 0, 0.05), (0, 0, 0.72), 0.15, (0.8, 0.2, 0.03), Material.STRIPED, 0.0, 0.15),
    ]
    return Drawing(parts, -6.0, "movable_object.trafficcone")


def barrier(random: np.random.Generator) -> Drawing:
    """Draw a road-works barrier across x: a plastic wall or a striped board on feet."""
    category = "movable_object.barrier"
    if random.random() < 0.5:
        colour = ((0.75, 0.2, 0.05), (0.8, 0.8, 0.78))[random.integers(2)]
        wall = hull((0, 0, 0.45), (0.55, 1.8, 0.9), colour, (0.35, 1.0))
        return Drawing([wall, box((0, 0, 0.92), (0.16, 1.7, 0.14), colour)], 2.0, category)
    feet = [box((0, y, 0.06), (0.6, 0.16, 0.1), (0.05, 0.05, 0.05)) for y in (-0.7, 0.7)]
    posts = [box((0, y, 0.6), (0.05, 0.05, 1.0), (0.6, 0.6, 0.6), Material.METAL) for y in (-0.7, 0.7)]
    board = box((0, 0, 0.95), (0.05, 1.9, 0.25), (0.8, 0.8, 0.8), Material.STRIPED, 1.0)
    return Drawing([*feet, *posts, board], 3.0, category)


def fence(random: np.random.Generator, length: float) -> Drawing:
    """Draw a boundary along x: brick wall, hedge, railing or picket fence."""
    kind = random.choice(["wall", "hedge", "railing", "pickets"], p=[0.3, 0.35, 0.2, 0.15])
    if kind == "wall":
        height, colour = random.uniform(0.8, 1.9), pick(random, WALLS)
        return Drawing(
            [
                box((0, 0, height / 2), (length, 0.3, height), colour, Material.BRICK),
                box((0, 0, height + 0.04), (length, 0.4, 0.08), (0.5, 0.49, 0.46)),
            ],
            6.0,
        )
    if kind == "hedge":
        height = random.uniform(0.9, 1.9)
        return Drawing(
            [
                box(
                    (0, 0, height / 2),
                    (length, random.uniform(0.6, 1.0), height),
                    pick(random, GREENS),
                    Material.LEAVES,
                    random.random(),
                )
            ],
            0.0,
        )
    if kind == "pickets":
        return Drawing([box((0, 0, 0.55), (length, 0.06, 1.1), (0.62, 0.58, 0.5), Material.PICKETS)], 1.0)
    parts = [
        limb((x, 0, 0), (x, 0, 1.05), 0.03, POLE, Material.METAL) for x in np.arange(-length / 2, length / 2 + 0.1, 2.0)
    ]
    return Drawing(
        [
            *parts,
            *(limb((-length / 2, 0, z), (length / 2, 0, z), 0.022, POLE, Material.METAL) for z in (0.35, 0.7, 1.05)),
        ],
        6.0,
    )


def guard_rail(length: float) -> Drawing:
    """Draw a steel rail along x on posts."""
    parts = [
        box((x, 0.08, 0.35), (0.1, 0.1, 0.7), (0.4, 0.4, 0.41), Material.METAL)
        for x in np.arange(-length / 2 + 1, length / 2, 4.0)
    ]
    return Drawing([*parts, box((0, 0, 0.62), (length, 0.06, 0.3), (0.55, 0.56, 0.57), Material.METAL)], 12.0)
