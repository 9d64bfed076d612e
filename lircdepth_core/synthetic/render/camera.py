# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera's picture with exact depth, normals and actors, from one intersection pass."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from lircdepth_core.synthetic.render.patterns import scramble
from lircdepth_core.synthetic.render.raycast import GROUND, NOTHING, cast
from lircdepth_core.synthetic.render.shading import shade

_TILE = 16  # pixels: side of a bundle of camera rays
_GROUP = 4  # tiles: side of a group of neighbouring bundles
_EDGE_BUNDLE = 64  # pixels at edges whose extra rays form one bundle


@dataclass(frozen=True)
class CameraFrame:
    """image: uint8 [H, W, 3] RGB. depth: float32 [H, W], metres along the optical axis at the pixel's centre, exact,
    +inf for the sky. actor: int64 [H, W], index into World.actors, -1 for ground and sky. normal: float32 [H, W, 3],
    global axes, 0 for the sky. Tensors on the device that rendered them.
    """

    image: torch.Tensor
    depth: torch.Tensor
    actor: torch.Tensor
    normal: torch.Tensor

    def numpy(self):
        """Return the same as NumPy arrays."""
        return CameraFrame(*(values.cpu().numpy() for values in vars(self).values()))


def camera_depth(world, camera, time, device="cpu"):
    """Return the depth of a CameraFrame alone, float32 [H, W]: a fraction of its cost."""
    tiles = _Tiles(camera, device)
    return tiles.image(_first_hits(world, camera, time, tiles)[3].distance)


def _first_hits(world, camera, time, tiles):
    """Return the Snapshot, a function from pixel positions to rays, rays [T, R, 3] and Hits through all pixel
    centres.
    """
    pose = world.ego_pose(time) @ np.array(camera.ego_from_sensor)
    view = world.snapshot(time, pose[:3, 3], tiles.device)
    turn = torch.as_tensor(pose[:3, :3].T.copy(), device=tiles.device)

    def directions(u, v):
        optical = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)], dim=-1)
        return optical @ turn

    u, v = tiles.positions()
    corner = torch.tensor([[-0.5, -0.5], [-0.5, _TILE - 0.5], [_TILE - 0.5, -0.5], [_TILE - 0.5, _TILE - 0.5]]).to(u)
    around = torch.stack([u[:, 0], v[:, 0]], dim=1)[:, None] + corner
    rays = directions(u, v)
    return view, directions, rays, cast(view.scene, rays, directions(*around.unbind(2)))


def camera_frame(world, camera, time, device="cpu", noise=True):
    """Return what a camera sees at a time [s] as a CameraFrame.

    One ray through each pixel's centre gives depth and colour; pixels where the surface changes get four rays more.
    noise: with the sensor's noise, which is the same for the same world, camera and time.
    """
    tiles = _Tiles(camera, device)
    view, directions, rays, hits = _first_hits(world, camera, time, tiles)
    light, glow = _shaded(world, view, rays, hits, time, camera)
    depth, primitive, normal = tiles.image(hits.distance), tiles.image(hits.primitive), tiles.image(hits.normal)
    light, glow = tiles.image(light), tiles.image(glow)

    v, u = torch.nonzero(_edges(primitive, normal), as_tuple=True)
    if len(u):
        quarter = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], device=device).double()
        # Tile by tile, so that the rays of a bundle stay close together; the last bundle repeats its last pixel.
        order = torch.argsort(tiles.number(u, v), stable=True)
        order = torch.cat([order, order[-1:].expand(-len(order) % _EDGE_BUNDLE)])
        around = torch.stack([u[order], v[order]], dim=1)[:, None] + quarter
        rays = directions(*around.reshape(-1, 4 * _EDGE_BUNDLE, 2).unbind(2))
        more, more_glow = _shaded(world, view, rays, cast(view.scene, rays), time, camera)
        light[v[order], u[order]] = more.reshape(-1, 4, 3).mean(1)
        glow[v[order], u[order]] = more_glow.reshape(-1, 4, 3).mean(1)
    image = _developed(world, camera, light, glow, time, noise)
    return CameraFrame(image, depth, view.actor(primitive), normal)


class _Tiles:
    """The pixels of a camera in tiles, neighbours in groups, padded at the right and lower border."""

    def __init__(self, camera, device):
        self.camera, self.device = camera, device
        side = _TILE * _GROUP
        self.columns, self.rows = -(-camera.width // side), -(-camera.height // side)

    def positions(self):
        """Return the columns u and rows v [T, R] (float64) of all pixels, tile by tile."""
        v, u = torch.meshgrid(
            torch.arange(self.rows * _TILE * _GROUP, dtype=torch.float64, device=self.device),
            torch.arange(self.columns * _TILE * _GROUP, dtype=torch.float64, device=self.device),
            indexing="ij",
        )
        return self._tiled(u), self._tiled(v)

    def _tiled(self, image):
        split = image.reshape(self.rows, _GROUP, _TILE, self.columns, _GROUP, _TILE)
        return split.permute(0, 3, 1, 4, 2, 5).reshape(-1, _TILE * _TILE)

    def image(self, values):
        """Return values [T, R, ...] (or flat [T * R, ...]) as an image [H, W, ...]."""
        trailing = values.shape[2:] if values.dim() > 1 and values.shape[1] == _TILE * _TILE else values.shape[1:]
        split = values.reshape(self.rows, self.columns, _GROUP, _GROUP, _TILE, _TILE, *trailing)
        whole = split.permute(0, 2, 4, 1, 3, 5, *range(6, split.dim()))
        whole = whole.reshape(self.rows * _GROUP * _TILE, self.columns * _GROUP * _TILE, *trailing)
        return whole[: self.camera.height, : self.camera.width].contiguous()

    def number(self, u, v):
        """Return the tile that each pixel is in, in the order of ``positions``."""
        side = _TILE * _GROUP
        group = (v // side) * self.columns + u // side
        return (group * _GROUP + v % side // _TILE) * _GROUP + u % side // _TILE


def _shaded(world, view, rays, hits, time, camera):
    """Return light and glow, flat [T * R, 3], of rays [T, R, 3]."""
    reflection = _reflection(world, view, rays, hits, time, camera) if world.weather.wet > 0 else None
    flat, rays = hits.flat(), rays.flatten(0, 1).float()
    return shade(world, view, rays, flat, time, _footprint(rays, flat, camera), reflection=reflection)


def _footprint(rays, hits, camera):
    """Return a pixel's width at each hit's depth, stretched by the angle of incidence. Half of it, since patterns are
    stretched in one direction only and would blur in the other.
    """
    slant = ((rays * hits.normal).sum(1).abs() / rays.norm(dim=1)).clamp(min=0.02)
    return torch.where(torch.isinf(hits.distance), 0, hits.distance / camera.fx / slant.sqrt())


def _reflection(world, view, rays, hits, time, camera):
    """Return the light [T * R, 3] that the wet ground mirrors, NaN elsewhere.

    Mirrored rays all come from the eye's mirror image below the ground: again rays from one point.
    """
    height = -view.scene.ground
    shift = torch.tensor([0.0, 0.0, -2 * height], dtype=torch.float64, device=rays.device)
    bundle = torch.nonzero((hits.primitive == GROUND).any(1))[:, 0]
    mirrored = rays[bundle] * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64, device=rays.device)
    scene = view.scene.seen_from(shift)
    wet = (hits.primitive[bundle] == GROUND).flatten()
    seen = cast(scene, mirrored).flat()[wet]
    mirrored = mirrored.flatten(0, 1)[wet].float()
    below = replace(view, scene=replace(scene, ground=height), origin=view.origin * (1, 1, -1))
    light, _ = shade(world, below, mirrored, seen, time, _footprint(mirrored, seen, camera), shadows=False)
    result = torch.full((*hits.primitive.shape, 3), torch.nan, device=rays.device)
    part = result[bundle].flatten(0, 1)
    part[wet] = light
    result[bundle] = part.reshape(len(bundle), -1, 3)
    return result.flatten(0, 1)


def _edges(primitive, normal):
    """Return bool [H, W]: pixels whose right, left, upper or lower neighbour shows another surface."""
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


def _developed(world, camera, light, glow, time, noise):
    """Return the image uint8 [H, W, 3] that a camera makes of light [H, W, 3]."""
    weather = world.weather
    height, width = light.shape[:2]
    if weather.dark:
        light = light + _halo(glow, max(8, round(camera.fx / 60)))
    light = light * (weather.exposure * light.new_tensor(weather.balance))
    # Loss towards the corners of the full picture, whose size the focal length tells even for a crop.
    across = (torch.arange(width, device=light.device) - camera.cx) / camera.fx
    down = (torch.arange(height, device=light.device) - camera.cy) / camera.fy
    light = light * (1 - weather.vignette * 1.3 * (across**2 + down[:, None] ** 2).clamp(max=0.75))[..., None]
    image = (1 - torch.exp(-1.15 * light)) ** (1 / 2.2) * 255
    if noise:
        number = torch.arange(height * width * 3, dtype=torch.int32, device=light.device).reshape(height, width, 3)
        seed = int(np.random.default_rng((world.number, round(time * 1e6), *camera.channel.encode())).integers(1 << 31))
        seed = torch.tensor(seed, dtype=torch.int32, device=light.device)
        # A sum of four uniform numbers is nearly normal, and the same on every device.
        total = sum(scramble(number, seed + k).float() for k in range(4)) / 65535 - 2
        image = image + weather.noise * 1.73 * total * (0.6 + 0.4 * (image / 128).clamp(max=1.5))
    return image.clamp(0, 255).add(0.5).clamp(max=255).to(torch.uint8)


def _halo(glow, reach):
    """Return the light [H, W, 3] that lamps spill around themselves within about ``reach`` pixels."""
    cell = max(1, reach // 4)
    picture = glow.permute(2, 0, 1)[None]
    small = torch.nn.functional.avg_pool2d(picture, cell, ceil_mode=True, count_include_pad=False)
    total = torch.zeros_like(small)
    for size, share in ((3, 0.35), (7, 0.25), (15, 0.14)):
        blurred = small
        for _ in range(2):
            blurred = torch.nn.functional.avg_pool2d(blurred, size, 1, size // 2, count_include_pad=False)
        total = total + share * blurred
    return torch.nn.functional.interpolate(total, size=glow.shape[:2], mode="bilinear", align_corners=False)[0].permute(
        1, 2, 0
    )
