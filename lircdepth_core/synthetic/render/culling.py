# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which solids a bundle of rays may meet, found by a hierarchy of pyramids around groups of bundles.

Groups of 256 bundles, then of 16, then single bundles are tested against the solids that their parent touches.
"""

from dataclasses import dataclass

import torch

from lircdepth_core.synthetic.world.primitives import ELLIPSOID
from lircdepth_core.synthetic.world.scene import Scene

_FAN_OUT = 16  # bundles a group
_PAIRS_AT_ONCE = 1 << 17
_SLACK_M = 1e-2  # covers the rounding to float32
_NARROWEST_COSINE = 0.05  # between a ray and its bundle's axis: below it, a pyramid bounds nothing


@dataclass(frozen=True)
class Bounds:
    """K solids in float32: kind [K], centre [K, 3] and axes [K, 3, 3] as in a Scene."""

    kind: torch.Tensor
    centre: torch.Tensor
    axes: torch.Tensor

    @classmethod
    def of(cls, scene: Scene) -> "Bounds":
        """Return the bounds of a Scene's solids."""
        return cls(scene.kind, scene.centre.float(), scene.axes.float())


def candidates(bounds: Bounds, directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs (bundle [P], solid [P]) that may meet, sorted by bundle.

    directions: [T, C, 3], the rays of T bundles or the corners of a cone around them. A pair too many may be among
    the result, but none is missing.
    """
    levels = [directions.float()]
    while len(levels[-1]) > _FAN_OUT:
        last = levels[-1]
        last = torch.cat([last, last[-1:].expand(-len(last) % _FAN_OUT, *last.shape[1:])])
        levels.append(_corners(last).reshape(-1, _FAN_OUT * 4, 3))
    parents = torch.arange(len(levels[-1]), device=directions.device)
    solids = torch.arange(len(bounds.kind), device=directions.device)
    bundle, solid = parents.repeat_interleave(len(solids)), solids.repeat(len(parents))
    for depth in range(len(levels) - 1, -1, -1):
        planes = _planes(levels[depth])
        batches = zip(bundle.split(_PAIRS_AT_ONCE), solid.split(_PAIRS_AT_ONCE), strict=True)
        touching = [_touches(bounds, planes[some], spot) for some, spot in batches]
        kept = torch.cat(touching or [torch.zeros(0, dtype=torch.bool, device=directions.device)])
        bundle, solid = bundle[kept], solid[kept]
        if depth:
            member = torch.arange(_FAN_OUT, device=directions.device)
            bundle = (bundle[:, None] * _FAN_OUT + member).flatten()
            real = bundle < len(levels[depth - 1])
            bundle, solid = bundle[real], solid.repeat_interleave(_FAN_OUT)[real]
    order = torch.argsort(bundle, stable=True)
    return bundle[order], solid[order]


@dataclass(frozen=True)
class _Pyramids:
    """Pyramids around T bundles.

    axis, side, top: [T, 3], a frame. left, right, low, high: [T], the least and greatest slopes of the rays towards
    side and top. wide: bool [T], where the rays fill nearly a half space and the slopes mean nothing.
    """

    axis: torch.Tensor
    side: torch.Tensor
    top: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    wide: torch.Tensor

    @classmethod
    def around(cls, directions: torch.Tensor) -> "_Pyramids":
        """Return the pyramids around bundles [T, C, 3]."""
        axis = torch.nn.functional.normalize(torch.nn.functional.normalize(directions, dim=2).mean(1), dim=1)
        up = torch.zeros_like(axis)
        # Any direction that is not along the axis would do; with up, a camera's pyramids follow its rows and columns.
        up.scatter_(1, torch.where(axis[:, 2].abs() < 0.9, 2, 0)[:, None], 1.0)
        side = torch.nn.functional.normalize(torch.linalg.cross(up, axis), dim=1)
        top = torch.linalg.cross(axis, side)
        along = (directions @ axis[:, :, None])[..., 0]
        wide = ~(along > _NARROWEST_COSINE * directions.norm(dim=2)).all(1)
        across, rise = ((directions @ edge[:, :, None])[..., 0] / along for edge in (side, top))
        return cls(axis, side, top, across.amin(1), across.amax(1), rise.amin(1), rise.amax(1), wide)


def _corners(directions: torch.Tensor) -> torch.Tensor:
    """Return the corner rays [T, 4, 3] of the pyramids around bundles [T, C, 3]; NaN where a bundle is too wide."""
    p = _Pyramids.around(directions)
    rays = [p.axis + a[:, None] * p.side + b[:, None] * p.top for a in (p.left, p.right) for b in (p.low, p.high)]
    return torch.stack(rays, dim=1).masked_fill(p.wide[:, None, None], torch.nan)


def _planes(directions: torch.Tensor) -> torch.Tensor:
    """Return planes [T, 4, 3] around bundles [T, C, 3]: a point is inside where no product is negative.

    The planes are 0 where a bundle is too wide: then every point is inside.
    """
    p = _Pyramids.around(directions)
    planes = []
    for edge, first, last in ((p.side, p.left, p.right), (p.top, p.low, p.high)):
        planes += [edge - first[:, None] * p.axis, last[:, None] * p.axis - edge]
    unit = torch.nn.functional.normalize(torch.stack(planes, dim=1), dim=2)
    return torch.where(p.wide[:, None, None] | unit.isnan(), 0.0, unit)


def _touches(bounds: Bounds, planes: torch.Tensor, solid: torch.Tensor) -> torch.Tensor:
    """Return which of P solids reach into the space between P times four planes [P, 4, 3]: bool [P]."""
    # How far each half axis reaches towards each plane, [P, 4]; axis by axis, since sums over the last one are slow.
    first, second, third = (planes @ bounds.axes[solid]).abs().unbind(2)
    ball = (bounds.kind[solid] == ELLIPSOID)[:, None]
    length = torch.sqrt(first * first + second * second + third * third)
    reach = torch.where(ball, length, first + second + third)
    return ((planes @ bounds.centre[solid][:, :, None])[..., 0] + reach > -_SLACK_M).all(1)
