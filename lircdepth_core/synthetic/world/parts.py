# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What actors are put together from: parts, each one solid with a colour and a material, in the actor's frame.

The actor's frame has x forward, y left, z up, and its origin on the ground in the middle of the footprint; metres.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.synthetic.world.primitives import BOX, CONE, CYLINDER, ELLIPSOID, HULL, lean, taper

Vector: TypeAlias = Sequence[float] | npt.NDArray[np.float64]  # three numbers
Corner: TypeAlias = npt.NDArray[np.float64]  # [3]


class Material(IntEnum):
    """How a part's surface is painted, see render.materials."""

    PLAIN = 0
    LEAVES = 1
    BARK = 2
    FACADE = 3
    SHOP = 4
    ROOF = 5
    GLASS_CABIN = 6
    VAN_BODY = 7
    BUS_BODY = 8
    TRUCK_CAB = 9
    WHEEL = 10
    BIKE_WHEEL = 11
    HEAD_LAMP = 12
    TAIL_LAMP = 13
    STREET_LAMP = 14
    TRAFFIC_LIGHT = 15
    SIGN_ROUND = 16
    SIGN_TRIANGLE = 17
    SIGN_BOARD = 18
    STRIPED = 19
    PAVEMENT = 20
    BRICK = 21
    PICKETS = 22
    PAINT = 23
    CLOTH = 24
    SKIN = 25
    METAL = 26
    CONCRETE = 27
    PLASTER = 28
    SHEET = 29
    PANELS = 30
    BOARDS = 31


class Part(NamedTuple):
    """One solid.

    kind: see primitives. offset: [3] of its centre. half: [3] half sizes. rotation: [3, 3], whose columns are its axes.
    slopes: [3], see primitives. colour: [3] RGB in 0..1. variant: a number in 0..1 that varies the material.
    """

    kind: int
    offset: Sequence[float]
    half: Sequence[float]
    rotation: npt.NDArray[np.float64]
    slopes: Sequence[float]
    colour: Sequence[float]
    material: int
    variant: float


class Drawing(NamedTuple):
    """Something that can be placed in a street.

    rcs: its mean radar cross section [dBsm]. category: nuScenes' name, "" for scenery, which is not annotated.
    """

    parts: list[Part]
    rcs: float
    category: str = ""


_UPRIGHT = np.eye(3)
_ALONG_Y = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # the solid's z axis lies along y: wheels
_ALONG_X = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # ... along x: signs that face the traffic


def box(
    offset: Vector, size: Vector, colour: Vector, material: Material = Material.PLAIN, variant: float = 0.0
) -> Part:
    """Return an upright box of full ``size`` [3]."""
    return Part(BOX, tuple(offset), tuple(np.divide(size, 2)), _UPRIGHT, (0, 0, 0), tuple(colour), material, variant)


def hull(
    offset: Vector,
    size: Vector,
    colour: Vector,
    top: tuple[float, float] = (1.0, 1.0),
    shift: float = 0.0,
    material: Material = Material.PLAIN,
    variant: float = 0.0,
) -> Part:
    """Return a box whose sides lean.

    Its top is ``top`` times as long and wide as its bottom, and moved ahead by ``shift`` half lengths.
    """
    half, slopes = tuple(np.divide(size, 2)), lean(top[0], top[1], shift)
    return Part(HULL, tuple(offset), half, _UPRIGHT, slopes, tuple(colour), material, variant)


def ball(
    offset: Vector, size: Vector, colour: Vector, material: Material = Material.PLAIN, variant: float = 0.0
) -> Part:
    """Return an ellipsoid with three diameters ``size``."""
    half = tuple(np.divide(size, 2))
    return Part(ELLIPSOID, tuple(offset), half, _UPRIGHT, (0, 0, 0), tuple(colour), material, variant)


def limb(
    start: Vector,
    end: Vector,
    radius: float,
    colour: Vector,
    material: Material = Material.PLAIN,
    variant: float = 0.0,
    top: float = 1.0,
) -> Part:
    """Return a round bar from one point to another; its radius at the end is ``top`` times that at the start."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = end - start
    length = np.linalg.norm(along)
    along = along / length
    side = np.cross(along, (1.0, 0, 0) if abs(along[0]) < 0.7 else (0, 1.0, 0))
    side /= np.linalg.norm(side)
    rotation = np.stack([side, np.cross(along, side), along], axis=1)
    kind, slopes = (CYLINDER, (0.0, 0.0, 0.0)) if top == 1.0 else (CONE, taper(top))
    half = (radius, radius, float(length) / 2)
    return Part(kind, tuple((start + end) / 2), half, rotation, slopes, tuple(colour), material, variant)


def wheel(
    offset: Vector,
    radius: float,
    width: float,
    material: Material = Material.WHEEL,
    colour: tuple[float, float, float] = (0.5, 0.5, 0.52),
) -> Part:
    """Return a disc about the y axis."""
    return Part(CYLINDER, tuple(offset), (radius, radius, width / 2), _ALONG_Y, (0, 0, 0), colour, material, 0.0)


def disc(offset: Vector, radius: float, depth: float, colour: Vector, material: Material, variant: float = 0.0) -> Part:
    """Return a disc about the x axis: a round sign that faces along the road."""
    half = (radius, radius, depth / 2)
    return Part(CYLINDER, tuple(offset), half, _ALONG_X, (0, 0, 0), tuple(colour), material, variant)


def extent(parts: Iterable[Part]) -> tuple[Corner, Corner]:
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
