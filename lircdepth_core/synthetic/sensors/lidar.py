# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One turn of the lidar."""

import numpy as np
import torch

from lircdepth_core.synthetic.render.shading import surfaces
from lircdepth_core.synthetic.sensors.scanning import cast_columns, directions

_FAINT = 0.006  # share of light that must come back at 30 m for a return


def lidar_scan(world, lidar, time, generator, device="cpu", field=None, with_actor=False):
    """Return one turn of the lidar, taken at one instant: float32 [N, 5] x, y, z [m], intensity 0..255, ring.

    Sensor frame (x right, y forward, z up). Rays that meet nothing within max_range give no point, nor do dark or
    grazed surfaces far away. generator: numpy Generator of the noise. field: (centre, half width) in radians, azimuth
    in the sensor's frame: only these columns of the turn.
    with_actor: return int64 [N], the index into World.actors of what each point lies on (-1 for the ground), too.
    """
    pose = world.ego_pose(time) @ np.array(lidar.ego_from_sensor)
    view = world.snapshot(time, pose[:3, 3], device)
    azimuth = torch.arange(lidar.azimuths, dtype=torch.float64, device=device) * (2 * torch.pi / lidar.azimuths)
    if field is not None:
        away = torch.remainder(azimuth - field[0] + torch.pi, 2 * torch.pi) - torch.pi
        azimuth = azimuth[away.abs() <= field[1]]
    elevation = torch.deg2rad(torch.tensor(lidar.elevations, dtype=torch.float64, device=device))
    rays = directions(azimuth[:, None], elevation[None, :])
    hits, flat = cast_columns(view, pose, rays)
    ring = torch.arange(len(elevation), device=device).repeat(len(azimuth))
    seen = torch.nonzero(hits.distance <= lidar.max_range)[:, 0]
    hits, flat = hits[seen], flat[seen]
    turn = torch.as_tensor(pose[:3, :3].copy(), device=device)
    colour, _, wet = surfaces(world, view, flat @ turn.T, hits, hits.distance * 0.003)
    incidence = (hits.normal.double() @ turn * flat).sum(1).abs()
    # Near infrared: dark paint is brighter than it looks, water on the road mirrors the beam away.
    back = (0.08 + 0.8 * colour.mean(1).double()) * incidence * (1 - 0.8 * wet.double())
    back, distance = back.cpu().numpy(), hits.distance.cpu().numpy().astype(np.float64)
    share = back * np.exp(-2 * world.weather.haze * distance)
    returned = generator.random(len(back)) < 1 - np.exp(-share / _FAINT * (30.0 / np.maximum(distance, 1.0)) ** 2)
    distance = distance + generator.normal(0, lidar.range_noise, len(distance))
    intensity = 130 * back * generator.uniform(0.7, 1.3, len(back))
    intensity = np.clip(np.rint(intensity), 0, 255)
    points = np.column_stack([flat.cpu().numpy() * distance[:, None], intensity, ring[seen].cpu().numpy()])
    points = points[returned].astype(np.float32)
    return (points, view.actor(hits.primitive).cpu().numpy()[returned]) if with_actor else points
