# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What actors are put together from: parts, each one solid with a colour and a material, in the actor's frame.

The actor's frame has x forward, y left, z up, and its origin on the ground in the middle of the footprint; metres.
"""

from typing import NamedTuple

import numpy as np

from lircdepth_core.synthetic.world.primitives import BOX, CONE, CYLINDER, ELLIPSOID, HULL, lean, taper

# Materials: how a part's surface is painted, see materials.
(PLAIN, LEAVES, BARK, FACADE, SHOP, ROOF, GLASS_CABIN, VAN_BODY, BUS_BODY, TRUCK_CAB, WHEEL, BIKE_WHEEL, HEAD_LAMP,
 TAIL_LAMP, STREET_LAMP, TRAFFIC_LIGHT, SIGN_ROUND, SIGN_TRIANGLE, SIGN_BOARD, STRIPED, PAVEMENT, BRICK, PICKETS,
 PAINT, CLOTH, SKIN, METAL) = range(27)  # fmt: skip


class Part(NamedTuple):
    """One solid: half sizes [3], offset of its centre [3], rotation [3, 3] (columns are its axes), slopes [3] as in
    primitives, colour [3] in 0..1, material, and a number in 0..1 that varies the material.
    """

    kind: int
    offset: tuple
    half: tuple
    rotation: np.ndarray
    slopes: tuple
    colour: tuple
    material: int
    variant: float


_UPRIGHT = np.eye(3)
_ALONG_Y = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # the solid's z axis lies along y: wheels
_ALONG_X = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # ... along x: signs that face the traffic


def box(offset, size, colour, material=PLAIN, variant=0.0):
    """An upright box of full ``size`` [3]."""
    return Part(BOX, tuple(offset), tuple(np.divide(size, 2)), _UPRIGHT, (0, 0, 0), tuple(colour), material, variant)


def hull(offset, size, colour, top=(1.0, 1.0), shift=0.0, material=PLAIN, variant=0.0):
    """A box whose top is ``top`` times as long and wide as its bottom, and moved ahead by ``shift`` half lengths."""
    half = tuple(np.divide(size, 2))
    return Part(HULL, tuple(offset), half, _UPRIGHT, lean(*top, shift), tuple(colour), material, variant)


def ball(offset, size, colour, material=PLAIN, variant=0.0):
    """An ellipsoid with three diameters."""
    half = tuple(np.divide(size, 2))
    return Part(ELLIPSOID, tuple(offset), half, _UPRIGHT, (0, 0, 0), tuple(colour), material, variant)


def limb(start, end, radius, colour, material=PLAIN, variant=0.0, top=1.0):
    """A round bar from one point to another; ``top`` is the radius at its end in terms of that at its start."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = end - start
    length = np.linalg.norm(along)
    along = along / length
    side = np.cross(along, (1.0, 0, 0) if abs(along[0]) < 0.7 else (0, 1.0, 0))
    side /= np.linalg.norm(side)
    rotation = np.stack([side, np.cross(along, side), along], axis=1)
    kind, slopes = (CYLINDER, (0, 0, 0)) if top == 1.0 else (CONE, taper(top))
    half = (radius, radius, length / 2)
    return Part(kind, tuple((start + end) / 2), half, rotation, slopes, tuple(colour), material, variant)


def wheel(offset, radius, width, material=WHEEL, colour=(0.5, 0.5, 0.52)):
    """A disc about the y axis."""
    return Part(CYLINDER, tuple(offset), (radius, radius, width / 2), _ALONG_Y, (0, 0, 0), colour, material, 0.0)


def disc(offset, radius, depth, colour, material, variant=0.0):
    """A disc about the x axis: a round sign that faces along the road."""
    return Part(
        CYLINDER, tuple(offset), (radius, radius, depth / 2), _ALONG_X, (0, 0, 0), tuple(colour), material, variant
    )


def extent(parts):
    """Return the least and greatest corner [3] of an upright box around the parts."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for part in parts:
        axes = np.abs(part.rotation * np.asarray(part.half))
        reach = np.linalg.norm(axes, axis=1) if part.kind == ELLIPSOID else axes.sum(1)
        if part.kind in (CYLINDER, CONE):  # round about the third axis
            across = np.sqrt(np.clip(1 - part.rotation[:, 2] ** 2, 0, None)) * part.half[0]
            reach = across + axes[:, 2]
        low, high = np.minimum(low, part.offset - reach), np.maximum(high, part.offset + reach)
    return low, high
