# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which points lie in the shadow of parallel light. Their rays are bundled by where they lie across the light."""

import torch

from lircdepth_core.synthetic.world.primitives import ELLIPSOID, KINDS, enter
from lircdepth_core.synthetic.world.scene import Scene

_BUNDLE_POINTS = 128
_GROUP_BUNDLES = 16
_CELL_M = 1.5  # across the light: points of one cell end up in one bundle
_BLOCK_POINTS = 1 << 15  # tested at once: the temporaries of a block stay in the cache


def occluded(scene: Scene, points: torch.Tensor, towards: torch.Tensor) -> torch.Tensor:
    """Return which points [N, 3] (float32, sensor-centred, outside every solid) see a solid in direction ``towards``.

    towards: unit vector [3]. Returns bool [N]. The ground hides nothing, since light comes from above.
    """
    n = len(points)
    if n == 0 or len(scene.kind) == 0:
        return torch.zeros(n, dtype=torch.bool, device=points.device)
    towards = towards.to(points)
    first = torch.linalg.cross(towards, towards.roll(1) + towards.new_tensor([0.1, 0.2, 0.3]))
    first = first / first.norm()
    frame = torch.stack([first, torch.linalg.cross(towards, first), towards], dim=1)
    place = points @ frame  # across, across, along the light
    order = _coherent_order(place[:, :2])
    padded = torch.cat([order, order[-1:].expand(-n % _BUNDLE_POINTS)]).reshape(-1, _BUNDLE_POINTS)
    bundles, spots = _pairs(scene, place[padded], frame)
    shaded = torch.zeros(padded.shape, dtype=torch.int32, device=points.device)  # how many solids hide each point
    inverse = scene.inverse
    centre = (inverse @ scene.centre[:, :, None])[:, :, 0].float()
    light = (inverse @ towards.to(inverse)).float()
    inverse, slopes = inverse.float(), scene.slopes.float()
    kinds = scene.kind[spots]
    for kind in KINDS:
        chosen = kinds == kind
        for bundle, solid in zip(
            bundles[chosen].split(_BLOCK_POINTS // _BUNDLE_POINTS),
            spots[chosen].split(_BLOCK_POINTS // _BUNDLE_POINTS),
            strict=True,
        ):
            offset = points[padded[bundle]] @ inverse[solid].transpose(1, 2)
            start = centre[solid][:, None] - offset
            _, hit = enter(
                kind,
                light[solid][:, :, None].unbind(1),
                start.unbind(2),
                slopes[solid][:, :, None].unbind(1),
            )
            shaded.index_add_(0, bundle, hit.to(torch.int32))
    result = torch.zeros(n, dtype=torch.bool, device=points.device)
    result[padded.flatten()] = shaded.flatten() > 0
    return result


def _coherent_order(place: torch.Tensor) -> torch.Tensor:
    """Return an order of points [N, 2] that keeps neighbours together: cells of a grid, along a Z curve."""
    cell = (place / _CELL_M).floor().clamp(-2047, 2047).to(torch.int32) + 2048
    key = torch.zeros_like(cell[:, 0])
    for bit in range(12):
        key |= ((cell[:, 0] >> bit) & 1) << (2 * bit) | ((cell[:, 1] >> bit) & 1) << (2 * bit + 1)
    return torch.argsort(key, stable=True)


def _pairs(scene: Scene, place: torch.Tensor, frame: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs (bundle [P], solid [P]) where the solid's shadow may fall on a point of the bundle.

    place: [T, R, 3] in the light's frame. First groups of bundles, then the bundles of each group.
    """
    centre = scene.centre.float() @ frame
    along = (frame.T @ scene.axes.float()).abs()  # [K, 3 directions, 3 axes]
    reach = torch.where((scene.kind == ELLIPSOID)[:, None], along.norm(dim=2), along.sum(2)) + 1e-3
    low, high = place.amin(1), place.amax(1)
    missing = -len(low) % _GROUP_BUNDLES
    group_low = torch.cat([low, low[-1:].expand(missing, 3)]).reshape(-1, _GROUP_BUNDLES, 3).amin(1)
    group_high = torch.cat([high, high[-1:].expand(missing, 3)]).reshape(-1, _GROUP_BUNDLES, 3).amax(1)

    def meets(low: torch.Tensor, high: torch.Tensor, centre: torch.Tensor, reach: torch.Tensor) -> torch.Tensor:
        across = ((centre - reach)[..., :2] <= high[..., :2]) & ((centre + reach)[..., :2] >= low[..., :2])
        return across.all(-1) & ((centre + reach)[..., 2] >= low[..., 2])

    found = []
    for some in torch.arange(len(group_low), device=place.device).split(64):
        row, solid = meets(group_low[some, None], group_high[some, None], centre, reach).nonzero(as_tuple=True)
        found.append((some[row], solid))
    group, solid = (torch.cat(parts) for parts in zip(*found, strict=True))
    bundle = (group[:, None] * _GROUP_BUNDLES + torch.arange(_GROUP_BUNDLES, device=place.device)).flatten()
    solid = solid.repeat_interleave(_GROUP_BUNDLES)
    real = bundle < len(low)
    bundle, solid = bundle[real], solid[real]
    kept = meets(low[bundle], high[bundle], centre[solid], reach[solid])
    return bundle[kept], solid[kept]
