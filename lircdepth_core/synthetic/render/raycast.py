# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""First hits of rays from one point with a ground plane and many solids, in plain PyTorch.

Coordinates are centred on the sensor with axes parallel to the global ones, so that float32 is as good a thousand
metres from the map's origin as at it. Rays come in bundles that look roughly the same way; only the solids that a
bundle may meet are searched (see culling). The nearest one is searched in float32 and its hit is then solved in
float64: at a grazing angle a direction rounded to float32 would move the hit by millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lircdepth_core.synthetic.render.culling import Bounds, candidates
from lircdepth_core.synthetic.world.primitives import BOX, KINDS, enter, unit_normal
from lircdepth_core.synthetic.world.scene import Scene

GROUND = -1  # in Hits.primitive
NOTHING = -2
_BLOCK_RAYS = 1 << 15  # worked on at once: the temporaries of a block stay in the cache


@dataclass(frozen=True)
class Hits:
    """The first hits of rays of shape [...].

    distance: float32 [...] in units of the ray's direction (so a depth for directions with z = 1, a range for unit
    directions), +inf where nothing is hit. primitive: int64 [...], index of the solid, or GROUND or NOTHING. normal:
    float32 [..., 3], global axes. local: float32 [..., 3], the point in the solid's frame from its centre [m]; for the
    ground the sensor-centred point. The last two are 0 where nothing is hit.
    """

    distance: torch.Tensor
    primitive: torch.Tensor
    normal: torch.Tensor
    local: torch.Tensor

    def flat(self) -> "Hits":
        """Return the same with one dimension for all rays."""
        shape = self.distance.dim()
        return Hits(*(values.flatten(0, shape - 1) for values in vars(self).values()))

    def __getitem__(self, index: torch.Tensor | slice) -> "Hits":
        """Return the hits of some rays."""
        return Hits(*(values[index] for values in vars(self).values()))


def cast(scene: Scene, directions: torch.Tensor, hull: torch.Tensor | None = None) -> Hits:
    """Return the first Hits of rays [T, R, 3] (float64): T bundles of R rays, not necessarily of unit length.

    hull: [T, C, 3], directions whose convex cone holds the bundle's; the rays themselves when it is None. A solid that
    contains the sensor is not hit. Neighbouring bundles should look to neighbouring places: this is faster, but the
    result is the same.
    """
    pairs = candidates(Bounds.of(scene), directions if hull is None else hull)
    ground = directions.new_full(directions.shape[:1], scene.ground)
    return _first_hits(_Solids.of(scene), ground, directions, pairs)


def cast_together(scenes: Sequence[Scene], directions: Sequence[torch.Tensor]) -> list[Hits]:
    """Return the Hits of each scene's own rays [T, R, 3], as ``cast`` gives them; R is the same for all.

    Scenes with few rays are cast faster together: a search with small tensors costs what its many operations cost to
    start.
    """
    if not scenes:
        return []
    pairs, bundles, solids = [], 0, 0
    for scene, rays in zip(scenes, directions, strict=True):
        bundle, solid = candidates(Bounds.of(scene), rays)
        pairs.append((bundle + bundles, solid + solids))
        bundles, solids = bundles + len(rays), solids + len(scene.kind)
    first = [torch.cat(column) for column in zip(*pairs, strict=True)]
    ground = torch.cat(
        [rays.new_full(rays.shape[:1], scene.ground) for scene, rays in zip(scenes, directions, strict=True)]
    )
    hits = _first_hits(_Solids.of_all(scenes), ground, torch.cat(list(directions)), (first[0], first[1]))
    result, bundles, solids = [], 0, 0
    for scene, rays in zip(scenes, directions, strict=True):
        own = hits[bundles : bundles + len(rays)]
        result.append(replace(own, primitive=torch.where(own.primitive >= 0, own.primitive - solids, own.primitive)))
        bundles, solids = bundles + len(rays), solids + len(scene.kind)
    return result


def _first_hits(
    solids: "_Solids", ground: torch.Tensor, directions: torch.Tensor, pairs: tuple[torch.Tensor, torch.Tensor]
) -> Hits:
    """Return the Hits of rays [T, R, 3] among the solids that ``pairs`` names, and the ground of each bundle [T]."""
    bundles, rays = directions.shape[:2]
    device = directions.device
    count = torch.bincount(pairs[0], minlength=bundles)
    # Blocks of bundles with alike numbers of candidates, so that few rounds are needed.
    order = torch.argsort(count, descending=True, stable=True)
    distance = torch.empty((bundles, rays), dtype=torch.float32, device=device)
    primitive = torch.empty((bundles, rays), dtype=torch.int64, device=device)
    normal = torch.empty((bundles, rays, 3), dtype=torch.float32, device=device)
    local = torch.empty((bundles, rays, 3), dtype=torch.float32, device=device)
    lists = [_Lists(pairs, solids.kind, kind, bundles) for kind in KINDS]
    for some in order.split(max(1, _BLOCK_RAYS // max(rays, 1))):
        block, level = directions[some], ground[some, None].expand(-1, rays)
        found = _nearest(solids, level.float(), block.float(), [part.of(some) for part in lists])
        distance[some], normal[some], local[some] = _solve(solids, level, block, found)
        primitive[some] = found
    return Hits(distance, primitive, normal, local)


@dataclass(frozen=True)
class _Solids:
    """K solids in the form that the search takes.

    kind: [K]. half: [K, 3]. exact: [K, 15] float64: the rows of the inverse, the centre in unit coordinates and the
    slopes. rounded: the same in float32.
    """

    kind: torch.Tensor
    half: torch.Tensor
    exact: torch.Tensor
    rounded: torch.Tensor

    @classmethod
    def of(cls, scene: Scene) -> "_Solids":
        inverse = scene.inverse
        centre = (inverse @ scene.centre[:, :, None])[:, :, 0]
        exact = torch.cat([inverse.flatten(1), centre, scene.slopes.to(inverse)], dim=1)
        return cls(scene.kind, scene.half, exact, exact.float())

    @classmethod
    def of_all(cls, scenes: Sequence[Scene]) -> "_Solids":
        parts = [vars(cls.of(scene)) for scene in scenes]
        return cls(*(torch.cat([part[name] for part in parts]) for name in parts[0]))


@dataclass(frozen=True)
class _Rounds:
    """Candidates of one kind for some bundles: round k tests ``solids[k]`` with the first bundles of ``order``."""

    kind: int
    order: torch.Tensor
    solids: list[torch.Tensor]


class _Lists:
    """The candidates of one kind, bundle by bundle."""

    def __init__(self, pairs: tuple[torch.Tensor, torch.Tensor], kind: torch.Tensor, wanted: int, bundles: int) -> None:
        chosen = kind[pairs[1]] == wanted
        self._kind, self._solid = wanted, pairs[1][chosen]
        self._count = torch.bincount(pairs[0][chosen], minlength=bundles)
        self._start = torch.cumsum(self._count, 0) - self._count

    def of(self, some: torch.Tensor) -> _Rounds:
        """Return the rounds for the bundles ``some``."""
        count = self._count[some]
        order = torch.argsort(count, descending=True, stable=True)
        count, start = count[order], self._start[some][order]
        # One transfer for all rounds: a GPU would have to wait for each of them.
        most = int(count[0]) if len(count) else 0
        numbers = (count[None] > torch.arange(most, device=count.device)[:, None]).sum(1).tolist()
        return _Rounds(self._kind, order, [self._solid[start[:n] + j] for j, n in enumerate(numbers)])


def _nearest(solids: _Solids, ground: torch.Tensor, directions: torch.Tensor, lists: list[_Rounds]) -> torch.Tensor:
    """Return the nearest primitive [B, R] of rays [B, R, 3] among the ground [B, R] (float32) and their candidates."""
    x, y, z = (component.contiguous() for component in directions.unbind(2))
    best = torch.where(z < 0, ground / z, torch.inf)
    nearest = torch.where(torch.isfinite(best), GROUND, NOTHING)
    for rounds in lists:
        if not rounds.solids:
            continue
        rows = rounds.order[: len(rounds.solids[0])]  # the bundles that have a candidate of this kind
        kx, ky, kz, kbest, knearest = x[rows], y[rows], z[rows], best[rows], nearest[rows]
        for chosen in rounds.solids:
            n = len(chosen)
            m = solids.rounded[chosen][:, :, None].unbind(1)  # [n, 1] each
            dx, dy, dz = kx[:n], ky[:n], kz[:n]
            if rounds.kind == BOX:  # upright: its inverse has zeros
                direction = [m[0] * dx + m[1] * dy, m[3] * dx + m[4] * dy, m[8] * dz]
            else:
                direction = [torch.addcmul(m[i] * dx + m[i + 1] * dy, m[i + 2], dz) for i in (0, 3, 6)]
            t, hit = enter(rounds.kind, direction, m[9:12], m[12:15])
            closer = hit & (t < kbest[:n])
            kbest[:n] = torch.where(closer, t, kbest[:n])
            knearest[:n] = torch.where(closer, chosen[:, None], knearest[:n])
        best[rows], nearest[rows] = kbest, knearest
    return nearest


def _solve(
    solids: _Solids, ground: torch.Tensor, directions: torch.Tensor, primitive: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return distance, normal and local point (float32) of rays [B, R, 3] whose primitive [B, R] is known."""
    shape = primitive.shape
    primitive, directions, ground = primitive.flatten(), directions.flatten(0, 1), ground.flatten()
    distance = torch.full(primitive.shape, torch.inf, dtype=torch.float32, device=primitive.device)
    normal = torch.zeros(directions.shape, dtype=torch.float32, device=primitive.device)
    local = torch.zeros_like(normal)
    on_ground = torch.nonzero(primitive == GROUND)[:, 0]
    rays = directions[on_ground]
    t = ground[on_ground] / rays[:, 2]
    distance[on_ground] = t.float()
    local[on_ground] = (rays * t[:, None]).float()
    normal[on_ground, 2] = 1.0

    hit = torch.nonzero(primitive >= 0)[:, 0]
    kinds = solids.kind[primitive[hit]]
    for kind in KINDS:
        some = hit[kinds == kind]
        if not len(some):
            continue
        chosen = primitive[some]
        data = solids.exact[chosen].T.contiguous()  # component by component: sums over the last axis are slow
        inverse, centre, slopes = data[:9], data[9:12], data[12:15]
        x, y, z = directions[some].T.contiguous()
        turned = [inverse[k] * x + inverse[k + 1] * y + inverse[k + 2] * z for k in (0, 3, 6)]
        t, _ = enter(kind, turned, centre.unbind(), slopes.unbind())
        point = torch.stack([turned[k] * t - centre[k] for k in range(3)], dim=1)
        nx, ny, nz = unit_normal(kind, point, slopes.T).T
        outward = torch.stack([inverse[k] * nx + inverse[k + 3] * ny + inverse[k + 6] * nz for k in range(3)], dim=1)
        distance[some] = t.float()
        local[some] = (point * solids.half[chosen]).float()
        normal[some] = torch.nn.functional.normalize(outward, dim=1).float()
    return distance.reshape(shape), normal.reshape(*shape, 3), local.reshape(*shape, 3)
