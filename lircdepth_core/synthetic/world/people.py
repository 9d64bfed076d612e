# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""People: riders of what has two wheels, and pedestrians."""

from typing import TypeAlias

import numpy as np

from lircdepth_core.synthetic.world.colours import CLOTHES, DARK, HAIRS, SKINS, pick
from lircdepth_core.synthetic.world.parts import Drawing, Material, Part, Vector, ball, box, hull, limb

Place: TypeAlias = tuple[float, float]  # x and z [m], in the middle plane of what is ridden
_BRIGHTEST = 1.1  # factor, of the shades that are drawn from a palette


def rider(
    random: np.random.Generator, hip: Place, shoulder: Place, hands: Place, feet: Place, helmet: Vector
) -> list[Part]:
    """Return the parts of a seated person, from where hip, shoulder, hands and feet are."""
    clothes, trousers, skin = (pick(random, colours, _BRIGHTEST) for colours in (CLOTHES, CLOTHES[:2], SKINS))
    waist, neck = np.array([hip[0], 0, hip[1]]), np.array([shoulder[0], 0, shoulder[1]])
    head = neck + (0.06, 0, 0.24)
    knee = (waist + (feet[0], 0, feet[1])) / 2 + (0.18, 0, 0.1)
    parts = [
        limb(waist, neck, 0.17, clothes, Material.CLOTH),
        ball(head, (0.22, 0.19, 0.26), skin, Material.SKIN),
        ball(head + (-0.01, 0, 0.05), (0.28, 0.25, 0.22), helmet),
    ]
    for side in (-1, 1):
        hand, bent = (hands[0], 0.28 * side, hands[1]), knee + (0, 0.14 * side, 0)
        foot = (feet[0], 0.13 * side, feet[1])
        parts.append(limb(neck + (0, 0.2 * side, -0.05), hand, 0.05, clothes, Material.CLOTH))
        parts.append(limb(waist + (0, 0.1 * side, 0), bent, 0.085, trousers, Material.CLOTH, top=0.8))
        parts.append(limb(bent, foot, 0.065, trousers, Material.CLOTH, top=0.7))
    return parts


def pedestrian(random: np.random.Generator, walking: bool = True, child: bool = False) -> Drawing:
    """Someone on foot: legs, arms, head; mean radar cross section of a person is about -3 dBsm."""
    tall = random.uniform(1.58, 1.9) * (random.uniform(0.62, 0.75) if child else 1.0)
    k = tall / 1.75
    palettes = CLOTHES, (*CLOTHES[:4], (0.05, 0.05, 0.06)), SKINS
    top, trousers, skin = (pick(random, colours, _BRIGHTEST) for colours in palettes)
    hair = HAIRS[random.integers(len(HAIRS))]
    stride = random.uniform(0.16, 0.3) * random.choice([-1, 1]) if walking else 0.03
    parts = [
        hull((0, 0, 1.15 * k), (0.25 * k, 0.36 * k, 0.58 * k), top, (0.95, 1.22), 0.0, Material.CLOTH),
        ball((0.0, 0, 1.44 * k), (0.22 * k, 0.46 * k, 0.2 * k), top, Material.CLOTH),
        limb((0, 0, 1.44 * k), (0.01, 0, 1.58 * k), 0.055 * k, skin, Material.SKIN),
        ball((0.02 * k, 0, 1.63 * k), (0.2 * k, 0.16 * k, 0.24 * k), skin, Material.SKIN),
        ball((-0.015 * k, 0, 1.67 * k), (0.21 * k, 0.18 * k, 0.2 * k), hair),
    ]
    for side in (-1, 1):
        swing = side * stride
        hip, foot = np.array([0, 0.09 * side, 0.9]) * k, np.array([swing, 0.1 * side, 0.06]) * k
        knee = (hip + foot) / 2 + np.array([0.05 if walking else 0.01, 0, 0]) * k
        parts.append(limb(hip, knee, 0.092 * k, trousers, Material.CLOTH, top=0.75))
        parts.append(limb(knee, foot, 0.068 * k, trousers, Material.CLOTH, top=0.7))
        parts.append(box(foot + np.array([0.05, 0, -0.015]) * k, np.array([0.26, 0.1, 0.09]) * k, DARK))
        shoulder, hand = np.array([0, 0.24 * side, 1.4]) * k, np.array([-swing * 0.8, 0.29 * side, 0.85]) * k
        elbow = (shoulder + hand) / 2 + np.array([-0.06, 0.02 * side, 0]) * k
        parts.append(limb(shoulder, elbow, 0.055 * k, top, Material.CLOTH))
        parts.append(limb(elbow, hand, 0.045 * k, top, Material.CLOTH, top=0.8))
        parts.append(ball(hand, (0.09 * k, 0.07 * k, 0.12 * k), skin, Material.SKIN))
    if random.random() < 0.3:
        colour = pick(random, CLOTHES, _BRIGHTEST)
        parts.append(box((-0.19 * k, 0, 1.2 * k), (0.16 * k, 0.28 * k, 0.42 * k), colour, Material.CLOTH))
    return Drawing(parts, -4.0, "human.pedestrian.child" if child else "human.pedestrian.adult")
