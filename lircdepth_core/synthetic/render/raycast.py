# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""First hits of rays from one point with a ground plane and many solids, in plain PyTorch.

Coordinates are centred on the sensor with axes parallel to the global ones, so that float32 is as good a thousand
metres from the map's origin as at it. Rays come in bundles that look roughly the same way. Which solids a bundle can
meet is found by a hierarchy: groups of 256 bundles, then of 16, then single bundles are tested against what their
parent touches. The nearest solid is searched in float32, its hit then solved in float64: at a grazing angle a direction
rounded to float32 alone would move the hit by millimetres.
"""

from dataclasses import dataclass

import torch

from lircdepth_core.synthetic.world.primitives import BOX, ELLIPSOID, KINDS, enter, unit_normal

GROUND = -1  # in Hits.primitive
NOTHING = -2
_BLOCK = 1 << 15  # rays worked on at once: the temporaries of a block stay in the cache
_FAN_OUT = 16


@dataclass(frozen=True)
class Hits:
    """What rays of shape [...] meet first.

    distance: float32 [...] in units of the ray's direction (so a depth for directions with z = 1, a range for unit
    directions), +inf for nothing. primitive: int64 [...] index of the solid, or GROUND or NOTHING. normal: float32
    [..., 3], global axes. local: float32 [..., 3], the point in the solid's frame from its centre [m]; for the ground
    the sensor-centred point. The last two are 0 where nothing is hit.
    """

    distance: torch.Tensor
    primitive: torch.Tensor
    normal: torch.Tensor
    local: torch.Tensor

    def flat(self):
        """Return the same with one dimension for all rays."""
        shape = self.distance.dim()
        return Hits(*(values.flatten(0, shape - 1) for values in vars(self).values()))

    def __getitem__(self, index):
        return Hits(*(values[index] for values in vars(self).values()))


def cast(scene, directions, hull=None):
    """Return the first Hits of rays [T, R, 3] (float64): T bundles of R rays, not necessarily of unit length.

    hull: [T, C, 3], directions whose convex cone holds the bundle's; the rays themselves when it is None. What contains
    the sensor is not hit. Neighbouring bundles should look to neighbouring places: it is faster, not different.
    """
    bundles, rays = directions.shape[:2]
    device = directions.device
    solid = _Solids(scene)
    pairs = _candidates(solid, directions if hull is None else hull)
    count = torch.bincount(pairs[0], minlength=bundles)
    # Blocks of bundles with alike numbers of candidates, so that few rounds are needed.
    order = torch.argsort(count, descending=True, stable=True)
    distance = torch.empty((bundles, rays), dtype=torch.float32, device=device)
    primitive = torch.empty((bundles, rays), dtype=torch.int64, device=device)
    normal = torch.empty((bundles, rays, 3), dtype=torch.float32, device=device)
    local = torch.empty((bundles, rays, 3), dtype=torch.float32, device=device)
    lists = [_Lists(pairs, solid.kind, kind, bundles) for kind in KINDS]
    for some in order.split(max(1, _BLOCK // max(rays, 1))):
        block = directions[some]
        found = _search(solid, scene.ground, block.float(), [part.of(some) for part in lists])
        distance[some], normal[some], local[some] = _solve(solid, scene.ground, block, found)
        primitive[some] = found
    return Hits(distance, primitive, normal, local)


class _Solids:
    """A Scene in the forms that the search wants."""

    def __init__(self, scene):
        self.kind, self.centre, self.axes = scene.kind, scene.centre.float(), scene.axes.float()
        inverse = scene.inverse
        self.half = scene.half
        # [K, 15]: the inverse's rows, the centre in unit coordinates, the slopes.
        self.exact = torch.cat(
            [inverse.flatten(1), (inverse @ scene.centre[:, :, None])[:, :, 0], scene.slopes.to(inverse)], dim=1
        )
        self.rounded = self.exact.float()


class _Lists:
    """The candidates of one kind, bundle by bundle."""

    def __init__(self, pairs, kind, wanted, bundles):
        chosen = kind[pairs[1]] == wanted
        self.kind, self.solid = wanted, pairs[1][chosen]
        self.count = torch.bincount(pairs[0][chosen], minlength=bundles)
        self.start = torch.cumsum(self.count, 0) - self.count

    def of(self, some):
        """Return the kind, an order of the bundles ``some``, and candidates for each round: for bundles order[:n]."""
        count = self.count[some]
        order = torch.argsort(count, descending=True, stable=True)
        count, start = count[order], self.start[some][order]
        # One transfer for all rounds, which a GPU would have to wait for.
        most = int(count[0]) if len(count) else 0
        numbers = (count[None] > torch.arange(most, device=count.device)[:, None]).sum(1).tolist()
        return self.kind, order, [self.solid[start[:n] + j] for j, n in enumerate(numbers)]


def _candidates(solid, hull):
    """Return pairs (bundle [P], solid [P]) that may meet, sorted by bundle; errs only towards more."""
    levels = [hull.float()]
    while len(levels[-1]) > _FAN_OUT:
        last = levels[-1]
        last = torch.cat([last, last[-1:].expand(-len(last) % _FAN_OUT, *last.shape[1:])])
        levels.append(_corners(last).reshape(-1, _FAN_OUT * 4, 3))
    parents = torch.arange(len(levels[-1]), device=hull.device)
    solids = torch.arange(len(solid.kind), device=hull.device)
    pairs = parents.repeat_interleave(len(solids)), solids.repeat(len(parents))
    for depth in range(len(levels) - 1, -1, -1):
        planes = _pyramids(levels[depth])
        touching = torch.cat(
            [_touches(solid, planes, *some) for some in zip(*(p.split(1 << 17) for p in pairs), strict=True)]
            or [torch.zeros(0, dtype=torch.bool, device=hull.device)]
        )
        pairs = pairs[0][touching], pairs[1][touching]
        if depth:
            member = torch.arange(_FAN_OUT, device=hull.device)
            bundle = (pairs[0][:, None] * _FAN_OUT + member).flatten()
            real = bundle < len(levels[depth - 1])
            pairs = bundle[real], pairs[1].repeat_interleave(_FAN_OUT)[real]
    order = torch.argsort(pairs[0], stable=True)
    return pairs[0][order], pairs[1][order]


def _sides(directions):
    """Return the axis and two sides [T, 3] of a frame for each bundle [T, C, 3], and where its rays lie in it."""
    axis = torch.nn.functional.normalize(torch.nn.functional.normalize(directions, dim=2).mean(1), dim=1)
    up = torch.zeros_like(axis)
    # Any direction that is not the axis gives two sides; up makes a camera's pyramids follow its rows and columns.
    up.scatter_(1, torch.where(axis[:, 2].abs() < 0.9, 2, 0)[:, None], 1.0)
    side = torch.nn.functional.normalize(torch.linalg.cross(up, axis), dim=1)
    top = torch.linalg.cross(axis, side)
    along = (directions @ axis[:, :, None])[..., 0]
    wide = ~(along > 0.05 * directions.norm(dim=2)).all(1)  # nearly a half space: bounds nothing
    slopes = []
    for edge in (side, top):
        slope = (directions @ edge[:, :, None])[..., 0] / along
        slopes += [slope.amin(1), slope.amax(1)]
    return axis, side, top, slopes, wide


def _corners(directions):
    """Return [T, 4, 3], the corner rays of the pyramids around bundles [T, C, 3]; NaN where a bundle is too wide."""
    axis, side, top, (left, right, low, high), wide = _sides(directions)
    rays = [axis + a[:, None] * side + b[:, None] * top for a in (left, right) for b in (low, high)]
    return torch.stack(rays, dim=1).masked_fill(wide[:, None, None], torch.nan)


def _pyramids(directions):
    """Return planes [T, 4, 3] around bundles [T, C, 3]: inside is where no product is negative; 0 where too wide."""
    axis, side, top, (left, right, low, high), wide = _sides(directions)
    planes = []
    for edge, first, last in ((side, left, right), (top, low, high)):
        planes += [edge - first[:, None] * axis, last[:, None] * axis - edge]
    planes = torch.nn.functional.normalize(torch.stack(planes, dim=1), dim=2)
    return torch.where(wide[:, None, None] | planes.isnan(), 0.0, planes)


def _touches(solid, planes, bundle, index):
    """Return which pairs may meet: bool [P]."""
    planes = planes[bundle]
    along = (planes @ solid.axes[index]).abs()  # [P, 4, 3]: how far each half axis reaches towards each plane
    ball = (solid.kind[index] == ELLIPSOID)[:, None]
    reach = torch.where(ball, along.norm(dim=2), along.sum(2))
    # A centimetre of slack covers the rounding.
    return ((planes @ solid.centre[index][:, :, None])[..., 0] + reach > -1e-2).all(1)


def _search(solid, ground, directions, candidates):
    """Return the nearest primitive of each ray [B, R, 3]; candidates: what ``_Lists.of`` returns for each kind."""
    x, y, z = (component.contiguous() for component in directions.unbind(2))
    best = torch.where(z < 0, ground / z, torch.inf)
    nearest = torch.where(torch.isfinite(best), GROUND, NOTHING)
    for kind, order, rounds in candidates:
        if not rounds:
            continue
        rows = order[: len(rounds[0])]  # the bundles that have a candidate of this kind
        kx, ky, kz, kbest, knearest = x[rows], y[rows], z[rows], best[rows], nearest[rows]
        for chosen in rounds:
            n = len(chosen)
            m = solid.rounded[chosen][:, :, None].unbind(1)  # [n, 1] each
            dx, dy, dz = kx[:n], ky[:n], kz[:n]
            if kind == BOX:
                direction = m[0] * dx + m[1] * dy, m[3] * dx + m[4] * dy, m[8] * dz
            else:
                direction = tuple(torch.addcmul(m[i] * dx + m[i + 1] * dy, m[i + 2], dz) for i in (0, 3, 6))
            t, hit = enter(kind, direction, m[9:12], m[12:15])
            closer = hit & (t < kbest[:n])
            kbest[:n] = torch.where(closer, t, kbest[:n])
            knearest[:n] = torch.where(closer, chosen[:, None], knearest[:n])
        best[rows], nearest[rows] = kbest, knearest
    return nearest


def _solve(solid, ground, directions, primitive):
    """Return distance, normal and local point (float32) of rays [B, R, 3] whose primitive [B, R] is known."""
    shape = primitive.shape
    primitive, directions = primitive.flatten(), directions.flatten(0, 1)
    distance = torch.full(primitive.shape, torch.inf, dtype=torch.float32, device=primitive.device)
    normal = torch.zeros(directions.shape, dtype=torch.float32, device=primitive.device)
    local = torch.zeros_like(normal)
    on_ground = torch.nonzero(primitive == GROUND)[:, 0]
    rays = directions[on_ground]
    t = ground / rays[:, 2]
    distance[on_ground] = t.float()
    local[on_ground] = (rays * t[:, None]).float()
    normal[on_ground, 2] = 1.0

    hit = torch.nonzero(primitive >= 0)[:, 0]
    kinds = solid.kind[primitive[hit]]
    for kind in KINDS:
        some = hit[kinds == kind]
        if not len(some):
            continue
        chosen = primitive[some]
        data = solid.exact[chosen].T.contiguous()  # component by component: sums over the last axis are slow
        inverse, centre, slopes = data[:9], data[9:12], data[12:15]
        x, y, z = directions[some].T.contiguous()
        turned = [inverse[k] * x + inverse[k + 1] * y + inverse[k + 2] * z for k in (0, 3, 6)]
        t, _ = enter(kind, turned, centre, slopes)
        point = torch.stack([turned[k] * t - centre[k] for k in range(3)], dim=1)
        nx, ny, nz = unit_normal(kind, point, slopes.T).T
        outward = torch.stack([inverse[k] * nx + inverse[k + 3] * ny + inverse[k + 6] * nz for k in range(3)], dim=1)
        distance[some] = t.float()
        local[some] = (point * solid.half[chosen]).float()
        normal[some] = torch.nn.functional.normalize(outward, dim=1).float()
    return distance.reshape(shape), normal.reshape(*shape, 3), local.reshape(*shape, 3)
