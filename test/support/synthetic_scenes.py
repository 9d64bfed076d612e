# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Small worlds of a few known bodies, and an analytic ray cast that shares no code with the renderer."""

import math

import numpy as np
import torch

from lircdepth_core.synthetic.world import parts, primitives, weather
from lircdepth_core.synthetic.world.actors import Actors, Parts
from lircdepth_core.synthetic.world.road import Road, Street
from lircdepth_core.synthetic.world.world import START_M, World

CLEAR = weather.draw(np.random.default_rng(0), "overcast")


def bodies(*rows, corner=(1000.0, 1000.0), drawings=None, conditions=CLEAR):
    """A straight road along x from ``corner`` with boxes of 2 x 2 x 2 m.

    rows: x ahead of the ego vehicle's start [m], y left of the road's centre line [m], speed [m/s]. At time 0 the ego
    vehicle is 1.55 m right of the centre, driving at exactly 10 m/s.

    drawings: what stands there instead of the boxes, a list of Parts for each row.
    """
    if drawings is None:
        drawings = [[parts.box((0, 0, 1), (2, 2, 2), (0.5, 0.5, 0.5))] for _ in rows]
    rows = torch.tensor(rows, dtype=torch.float64)
    n = len(rows)
    size = torch.tensor(np.array([np.subtract(*parts.extent(drawing)[::-1]) for drawing in drawings]))
    position = torch.nn.functional.pad(rows[:, :2], (0, 1)) + torch.tensor([corner[0] + START_M, corner[1], 0.0])
    still = torch.zeros(n, dtype=torch.float64)
    rcs = torch.full((n,), 15.0, dtype=torch.float64)
    category, attribute = ("vehicle.car",) * n, ("vehicle.parked",) * n
    actors = Actors(category, attribute, size, position, yaw=still, speed=rows[:, 2], yaw_rate=still, rcs=rcs)
    owner = torch.tensor([index for index, drawing in enumerate(drawings) for _ in drawing])
    columns = zip(*(part for drawing in drawings for part in drawing), strict=True)
    kind, offset, half, rotation, slopes, colour, material, variant = (torch.tensor(np.array(c)) for c in columns)
    body = Parts(
        owner,
        kind,
        offset.double(),
        half.double(),
        rotation.double(),
        slopes.double(),
        colour.double(),
        material,
        variant,
    )
    street = Street(Road(*corner, 0.0, 1e-6, 900.0), 1, 3.5, True, 5.8, 9.5, (), 4.0, False, (0.2, 0.3, 0.1))
    # Phase pi/2: the weave turns round, so no sideways speed, and the speed is at its mean.
    return World(street, actors, body, conditions, 10.0, math.pi / 2, -1.75)


def analytic_depth(world, camera, time):
    """Return depth [H, W] (float64, +inf for the sky) and how unsure it is: the largest change when a pixel's ray is
    moved by 1e-5 pixels. In NumPy and global coordinates, solid by solid.

    Flat-sided solids are met face by face and the point tested against all other faces; round ones by the roots of
    their quadric (numpy.roots' closed form), each root tested against the ends.
    """
    depth = _cast(world, camera, time, [(0, 0), (1e-5, 0), (-1e-5, 0), (0, 1e-5), (0, -1e-5)])
    with np.errstate(invalid="ignore"):
        unsure = np.abs(depth[1:] - depth[0]).max(0)
    return depth[0], np.where(np.isnan(unsure), 0, unsure)


def _cast(world, camera, time, shifts):
    """Return the depth for each shift of the pixels (columns, rows): [S, H, W]."""
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    right, down = np.reshape(shifts, (-1, 2, 1, 1)).swapaxes(0, 1)
    rays = np.stack(
        [
            (columns + right - camera.cx) / camera.fx,
            (rows + down - camera.cy) / camera.fy,
            np.ones((len(shifts), camera.height, camera.width)),
        ],
        axis=-1,
    )
    pose = world.ego_pose(time) @ np.array(camera.ego_from_sensor)
    # Only what reaches into a cone around the picture can be in it.
    slant = np.linalg.norm(rays, axis=-1).max()
    rays, eye, axis = rays.reshape(-1, 3) @ pose[:3, :3].T, pose[:3, 3], pose[:3, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(rays[:, 2] < 0, -eye[2] / rays[:, 2], np.inf)
        position, yaw, _ = (values.numpy() for values in world.actors.at(time))
        for row in zip(*(values.numpy() for values in vars(world.parts).values()), strict=True):
            owner, kind, offset, half, rotation, slopes = row[:6]
            c, s = np.cos(yaw[owner]), np.sin(yaw[owner])
            turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            centre, radius = position[owner] + turn @ offset, np.linalg.norm(half)
            away = np.linalg.norm(centre - eye)
            if away > 320 + 2 * radius or radius < 4e-4 * away:
                continue
            widest = np.arccos(1 / slant) + np.arcsin(min(1.0, 1.8 * radius / away))
            if axis @ (centre - eye) < away * np.cos(min(np.pi, widest)):
                continue
            axes = turn @ rotation
            start, along = (eye - centre) @ axes, rays @ axes
            some = np.flatnonzero(_may_meet(start, along, radius))
            meet = _flat if kind <= primitives.HULL else _round
            depth[some] = np.minimum(depth[some], meet(kind, start, along[some], half, slopes))
    return depth.reshape(len(shifts), camera.height, camera.width)


def _may_meet(start, along, radius):
    nearest = -(along @ start) / (along**2).sum(1)
    return np.linalg.norm(start + nearest[:, None] * along, axis=1) <= 1.8 * radius


def _flat(kind, start, along, half, slopes):
    """Faces n . p = w of a box whose sides lean by the slopes (relative to its half sizes)."""
    front, back, side = slopes
    normals = np.array([[1, 0, -front], [-1, 0, -back], [0, 1, -side], [0, -1, -side], [0, 0, 1], [0, 0, -1]]) / half
    room = np.array([1 + front, 1 + back, 1 + side, 1 + side, 1, 1])
    best = np.full(len(along), np.inf)
    for face in range(6):
        t = (room[face] - normals[face] @ start) / (along @ normals[face])
        point = start + t[:, None] * along
        others = [k for k in range(6) if k != face]
        # Only faces that look at the eye are entered.
        good = (t > 0) & (point @ normals[others].T <= room[others]).all(1) & (normals[face] @ start > room[face])
        best = np.where(good & (t < best), t, best)
    return best


def _round(kind, start, along, half, slopes):
    start, along = start / half, along / half
    if kind == primitives.ELLIPSOID:
        a, b, c = (along**2).sum(1), 2 * along @ start, start @ start - 1
    else:
        slope = slopes[0] if kind == primitives.CONE else 0.0
        r0, r1 = 1 + slope + slope * start[2], slope * along[:, 2]
        a = (along[:, :2] ** 2).sum(1) - r1**2
        b = 2 * (along[:, :2] @ start[:2]) - 2 * r0 * r1
        c = start[:2] @ start[:2] - r0**2
    root = np.sqrt(b**2 - 4 * a * c)
    best = np.full(len(along), np.inf)
    for t in ((-b - root) / (2 * a), (-b + root) / (2 * a)):
        z = start[2] + t * along[:, 2]
        good = (t > 0) & ((np.abs(z) <= 1) | (kind == primitives.ELLIPSOID))
        best = np.where(good & (t < best), t, best)
    if kind != primitives.ELLIPSOID:
        for end in (-1, 1):
            t = (end - start[2]) / along[:, 2]
            point = start[:2] + t[:, None] * along[:, :2]
            good = (t > 0) & ((point**2).sum(1) <= (1 + slope + slope * end) ** 2)
            best = np.where(good & (t < best), t, best)
    return best
