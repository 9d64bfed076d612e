# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera's picture with exact depth, normals and actors, from one intersection pass."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.raycast import GROUND, NOTHING, Hits, cast
from lircdepth_core.synthetic.render.shading import Shaded, shade
from lircdepth_core.synthetic.sensors.development import develop
from lircdepth_core.synthetic.sensors.rig import CameraModel
from lircdepth_core.synthetic.sensors.tiles import TILE_PIXELS, Tiles
from lircdepth_core.synthetic.world.scene import Snapshot
from lircdepth_core.synthetic.world.world import World

_EDGE_BUNDLE_PIXELS = 64  # pixels at edges whose extra rays form one bundle


@dataclass(frozen=True)
class CameraPicture:
    """A CameraFrame in NumPy arrays, with the same shapes and types."""

    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    actor: npt.NDArray[np.int64]
    normal: npt.NDArray[np.float32]


@dataclass(frozen=True)
class CameraFrame:
    """What a camera sees, as tensors on the device that rendered them.

    image: uint8 [H, W, 3] RGB. depth: float32 [H, W], metres along the optical axis at the pixel's centre, exact, +inf
    for the sky. actor: int64 [H, W], index into World.actors, -1 for ground and sky. normal: float32 [H, W, 3], global
    axes, 0 for the sky.
    """

    image: torch.Tensor
    depth: torch.Tensor
    actor: torch.Tensor
    normal: torch.Tensor

    def numpy(self) -> CameraPicture:
        """Return the same as NumPy arrays."""
        return CameraPicture(*(values.cpu().numpy() for values in vars(self).values()))


def camera_depth(world: World, camera: CameraModel, time: float, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the depth of a CameraFrame alone, float32 [H, W]: a fraction of its cost."""
    tiles = Tiles(camera, device)
    return tiles.image(_View(world, camera, time, device).first_hits(tiles)[1].distance)


def camera_frame(
    world: World, camera: CameraModel, time: float, device: torch.device | str = "cpu", noise: bool = True
) -> CameraFrame:
    """Return what a camera sees at a time [s].

    One ray through each pixel's centre gives depth and colour; pixels where the surface changes get four rays more.
    noise: with the sensor's noise, which is the same for the same world, camera and time.
    """
    tiles, view = Tiles(camera, device), _View(world, camera, time, device)
    rays, hits = view.first_hits(tiles)
    depth, primitive, normal = tiles.image(hits.distance), tiles.image(hits.primitive), tiles.image(hits.normal)
    light, glow = (tiles.image(values) for values in view.shaded(rays, hits))

    v, u = torch.nonzero(_edges(primitive, normal), as_tuple=True)
    if len(u):
        # Ordered by tile, so that the rays of a bundle stay close together; the last bundle repeats its last pixel.
        order = torch.argsort(tiles.number(u, v), stable=True)
        order = torch.cat([order, order[-1:].expand(-len(order) % _EDGE_BUNDLE_PIXELS)])
        u, v = u[order], v[order]
        light[v, u], glow[v, u] = view.supersampled(u, v)
    image = develop(world, camera, light, glow, time, noise)
    return CameraFrame(image, depth, view.snapshot.actor(primitive), normal)


class _View:
    """A camera in a world at a time."""

    def __init__(self, world: World, camera: CameraModel, time: float, device: torch.device | str) -> None:
        self.world, self.camera, self.time, self.device = world, camera, time, device
        pose = world.ego_pose(time) @ np.array(camera.ego_from_sensor)
        self.snapshot: Snapshot = world.snapshot(time, pose[:3, 3], device)
        self._turn = torch.as_tensor(pose[:3, :3].T.copy(), device=device)

    def directions(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Return the rays [..., 3] through pixel positions, global axes, 1 long along the optical axis."""
        camera = self.camera
        optical = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)], dim=-1)
        return optical @ self._turn

    def first_hits(self, tiles: Tiles) -> tuple[torch.Tensor, Hits]:
        """Return rays [T, R, 3] through all pixel centres and their Hits."""
        u, v = tiles.positions()
        low, high = -0.5, TILE_PIXELS - 0.5
        corner = torch.tensor([[low, low], [low, high], [high, low], [high, high]]).to(u)
        around = torch.stack([u[:, 0], v[:, 0]], dim=1)[:, None] + corner
        rays = self.directions(u, v)
        return rays, cast(self.snapshot.scene, rays, self.directions(*around.unbind(2)))

    def supersampled(self, u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return light and glow [N, 3] of pixels [N] (whole bundles of them), each the mean of four rays."""
        offsets = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], device=self.device)
        around = torch.stack([u, v], dim=1)[:, None] + offsets.double()
        rays = self.directions(*around.reshape(-1, 4 * _EDGE_BUNDLE_PIXELS, 2).unbind(2))
        light, glow = self.shaded(rays, cast(self.snapshot.scene, rays))
        return light.reshape(-1, 4, 3).mean(1), glow.reshape(-1, 4, 3).mean(1)

    def shaded(self, rays: torch.Tensor, hits: Hits) -> Shaded:
        """Return light and glow, flat [T * R, 3], of rays [T, R, 3]."""
        reflection = self._reflection(rays, hits) if self.world.weather.wet > 0 else None
        flat, rays = hits.flat(), rays.flatten(0, 1).float()
        return shade(
            self.world, self.snapshot, rays, flat, self.time, self._footprint(rays, flat), reflection=reflection
        )

    def _footprint(self, rays: torch.Tensor, hits: Hits) -> torch.Tensor:
        """Return the width [N] of a pixel at each hit's depth [m], stretched by the square root of the slant.

        Patterns are stretched in one direction only; stretched in full they would blur in the other one.
        """
        slant = ((rays * hits.normal).sum(1).abs() / rays.norm(dim=1)).clamp(min=0.02)
        return torch.where(torch.isinf(hits.distance), 0, hits.distance / self.camera.fx / slant.sqrt())

    def _reflection(self, rays: torch.Tensor, hits: Hits) -> torch.Tensor:
        """Return the light [T * R, 3] that the wet ground mirrors, NaN elsewhere.

        Mirrored rays all come from the eye's mirror image below the ground: again rays from one point.
        """
        view = self.snapshot
        height = -view.scene.ground
        shift = torch.tensor([0.0, 0.0, -2 * height], dtype=torch.float64, device=rays.device)
        bundle = torch.nonzero((hits.primitive == GROUND).any(1))[:, 0]
        mirrored = rays[bundle] * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64, device=rays.device)
        scene = view.scene.seen_from(shift)
        wet = (hits.primitive[bundle] == GROUND).flatten()
        seen = cast(scene, mirrored).flat()[wet]
        mirrored = mirrored.flatten(0, 1)[wet].float()
        below = replace(view, scene=replace(scene, ground=height), origin=view.origin * (1, 1, -1))
        light, _ = shade(self.world, below, mirrored, seen, self.time, self._footprint(mirrored, seen), shadows=False)
        result = torch.full((*hits.primitive.shape, 3), torch.nan, device=rays.device)
        part = result[bundle].flatten(0, 1)
        part[wet] = light
        result[bundle] = part.reshape(len(bundle), *result.shape[1:])
        return result.flatten(0, 1)


def _edges(primitive: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Return the pixels whose right, left, upper or lower neighbour shows another surface: bool [H, W]."""
    edge = torch.zeros(primitive.shape, dtype=torch.bool, device=primitive.device)
    for axis in (0, 1):
        n = primitive.shape[axis] - 1
        first, second = primitive.narrow(axis, 0, n), primitive.narrow(axis, 1, n)
        # On round things the normal turns from pixel to pixel without an edge.
        turned = (normal.narrow(axis, 0, n) * normal.narrow(axis, 1, n)).sum(2) < 0.8
        differs = (first != second) | (turned & (first != NOTHING))
        edge.narrow(axis, 0, n).logical_or_(differs)
        edge.narrow(axis, 1, n).logical_or_(differs)
    return edge
