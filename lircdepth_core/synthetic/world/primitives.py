# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The solids that everything is made of, and where a ray enters them.

Each solid is a unit shape under an affine map: a point p of the sensor-centred frame is ``centre + axes @ q`` for a
point q of the unit shape. A ray t * d from the sensor is then t * (M d) - M centre there, with M = inverse(axes) and
the same t. The formulas below work in those unit coordinates, on any shape and float type: one text for the search in
float32 and the exact solution in float64.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

Hit: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # t and whether the ray enters

# BOX: |x|, |y|, |z| <= 1, upright (turned about the vertical alone).
# HULL: a box whose four sides may lean: its half width at height z changes linearly with the slopes, see ``lean``.
# ELLIPSOID: |q| <= 1. CYLINDER: x^2 + y^2 <= 1, |z| <= 1. CONE: its radius is 1 at z = -1, 1 + 2 slope at z = 1.
BOX, HULL, ELLIPSOID, CYLINDER, CONE = range(5)
KINDS = (BOX, HULL, ELLIPSOID, CYLINDER, CONE)
_TINY = 1e-20  # makes the two distances of a slab huge instead of NaN for a ray that is parallel to its faces


def lean(top_x: float = 1.0, top_y: float = 1.0, shift: float = 0.0) -> tuple[float, float, float]:
    """Return the slopes (front, back, side) of a HULL.

    Its top is ``top_x``, ``top_y`` times its bottom's length and width, and moved ahead by ``shift`` half lengths of
    the bottom.
    """
    middle = (top_x - 1) / 2
    return middle + shift / 2, middle - shift / 2, (top_y - 1) / 2


def taper(top: float) -> tuple[float, float, float]:
    """Return the slopes of a CONE whose top radius is ``top`` times its bottom's (0 to 1)."""
    return (top - 1) / 2, 0.0, 0.0


def enter(
    kind: int, direction: Sequence[torch.Tensor], centre: Sequence[torch.Tensor], slopes: Sequence[torch.Tensor]
) -> Hit:
    """Return where rays from outside enter a solid: t [...] (of any value for a miss) and whether they do, bool [...].

    direction: three tensors, M d. centre: three tensors, M centre. slopes: three tensors. All broadcast.
    """
    return _ENTER[kind](*direction, *centre, *slopes)


def _slab(d: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    inverse = 1 / (d + _TINY)
    middle, reach = c * inverse, inverse.abs()
    return middle - reach, middle + reach


def _enter_box(
    dx: torch.Tensor,
    dy: torch.Tensor,
    dz: torch.Tensor,
    cx: torch.Tensor,
    cy: torch.Tensor,
    cz: torch.Tensor,
    *_slopes: torch.Tensor,
) -> Hit:
    near, far = _slab(dx, cx)
    low, high = _slab(dy, cy)
    near, far = torch.maximum(near, low), torch.minimum(far, high)
    low, high = _slab(dz, cz)
    near, far = torch.maximum(near, low), torch.minimum(far, high)
    return near, (near <= far) & (near > 0)


def _enter_hull(
    dx: torch.Tensor,
    dy: torch.Tensor,
    dz: torch.Tensor,
    cx: torch.Tensor,
    cy: torch.Tensor,
    cz: torch.Tensor,
    front: torch.Tensor,
    back: torch.Tensor,
    side: torch.Tensor,
) -> Hit:
    near, far = _slab(dz, cz)
    for rate, room in (
        (dx - front * dz, 1 + front + cx - front * cz),
        (-dx - back * dz, 1 + back - cx - back * cz),
        (dy - side * dz, 1 + side + cy - side * cz),
        (-dy - side * dz, 1 + side - cy - side * cz),
    ):
        bound = room / (rate + _TINY)
        near = torch.where(rate < 0, torch.maximum(near, bound), near)
        far = torch.where(rate < 0, far, torch.minimum(far, bound))
    return near, (near <= far) & (near > 0)


def _enter_ellipsoid(
    dx: torch.Tensor,
    dy: torch.Tensor,
    dz: torch.Tensor,
    cx: torch.Tensor,
    cy: torch.Tensor,
    cz: torch.Tensor,
    *_slopes: torch.Tensor,
) -> Hit:
    a = dx * dx + dy * dy + dz * dz
    b = dx * cx + dy * cy + dz * cz
    # This is b^2 - a (c^2 - 1) without the difference of large numbers, in which float32 would lose a far, thin solid.
    under = a - (dy * cz - dz * cy) ** 2 - (dz * cx - dx * cz) ** 2 - (dx * cy - dy * cx) ** 2
    t = (b - torch.sqrt(under.clamp(min=0))) / a
    return t, (under >= 0) & (t > 0)


def _enter_cylinder(
    dx: torch.Tensor,
    dy: torch.Tensor,
    dz: torch.Tensor,
    cx: torch.Tensor,
    cy: torch.Tensor,
    cz: torch.Tensor,
    *_slopes: torch.Tensor,
) -> Hit:
    a = dx * dx + dy * dy + _TINY
    b = dx * cx + dy * cy
    under = a - (dx * cy - dy * cx) ** 2  # see the ellipsoid
    root = torch.sqrt(under.clamp(min=0))
    low, high = _slab(dz, cz)
    near, far = torch.maximum((b - root) / a, low), torch.minimum((b + root) / a, high)
    return near, (under >= 0) & (near <= far) & (near > 0)


def _enter_cone(
    dx: torch.Tensor,
    dy: torch.Tensor,
    dz: torch.Tensor,
    cx: torch.Tensor,
    cy: torch.Tensor,
    cz: torch.Tensor,
    slope: torch.Tensor,
    *_slopes: torch.Tensor,
) -> Hit:
    r0, r1 = 1 + slope - slope * cz, slope * dz  # the radius along the ray: r0 + r1 t
    a = dx * dx + dy * dy - r1 * r1
    a = torch.where(a.abs() < 1e-12, 1e-12, a)
    b = dx * cx + dy * cy + r0 * r1
    under = (r0 * dx + r1 * cx) ** 2 + (r0 * dy + r1 * cy) ** 2 - (dx * cy - dy * cx) ** 2
    root = torch.sqrt(under.clamp(min=0))
    t = torch.full_like(a, torch.inf)
    for candidate in ((b - root) / a, (b + root) / a):
        inside = (under >= 0) & (candidate > 0) & ((candidate * dz - cz).abs() <= 1)
        t = torch.where(inside, torch.minimum(t, candidate), t)
    for end in (-1.0, 1.0):
        candidate = (end + cz) / (dz + _TINY)
        x, y = candidate * dx - cx, candidate * dy - cy
        inside = (x * x + y * y <= (1 + slope + slope * end) ** 2) & (candidate > 0)
        t = torch.where(inside, torch.minimum(t, candidate), t)
    hit = torch.isfinite(t)
    # Where a ray just misses, return its closest approach: the float32 search may have taken it for a hit.
    return torch.where(hit, t, b / a), hit


_ENTER: tuple[Callable[..., Hit], ...] = (_enter_box, _enter_hull, _enter_ellipsoid, _enter_cylinder, _enter_cone)


def unit_normal(kind: int, point: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """Return the outward directions [N, 3] (not of unit length) at points [N, 3] of a unit shape's surface.

    They are in the dual coordinates: the global normal is along M^T times it. slopes: [N, 3].
    """
    x, y, z = point.unbind(1)
    if kind in (BOX, HULL):
        front, back, side = slopes.unbind(1)
        one = torch.ones_like(x)
        rooms = torch.stack(
            [
                x - front * z - 1 - front,
                -x - back * z - 1 - back,
                y - side * z - 1 - side,
                -y - side * z - 1 - side,
                z - 1,
                -z - 1,
            ]
        )
        face = rooms.argmax(0)
        along_x = one * (face == 0) - one * (face == 1)
        along_y = one * (face == 2) - one * (face == 3)
        along_z = one * (face == 4) - one * (face == 5)
        leaning = front * (face == 0) + back * (face == 1) + side * ((face == 2) | (face == 3))
        return torch.stack([along_x, along_y, along_z - leaning], dim=1)
    if kind == ELLIPSOID:
        return point
    slope = slopes[:, 0] if kind == CONE else torch.zeros_like(x)
    radius = 1 + slope + slope * z
    cap = (z.abs() - 1).abs() < (torch.hypot(x, y) - radius).abs()
    around = torch.stack([x, y, -slope * radius], dim=1)
    end = torch.stack([torch.zeros_like(x), torch.zeros_like(x), torch.sign(z)], dim=1)
    return torch.where(cap[:, None], end, around)
