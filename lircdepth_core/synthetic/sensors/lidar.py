# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One turn of the lidar."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.surfaces import surfaces
from lircdepth_core.synthetic.sensors.rig import LidarModel
from lircdepth_core.synthetic.sensors.scanning import cast_columns, directions
from lircdepth_core.synthetic.world.world import World

_FAINTEST = 0.006  # share of light that must come back at 30 m for a return


class LidarScan(NamedTuple):
    """The points of one turn.

    points: float32 [N, 5], x, y, z [m] in the sensor's frame (x right, y forward, z up), intensity 0..255, ring.
    actor: int64 [N], index into World.actors of the body that each point lies on, -1 for the ground.
    """

    points: npt.NDArray[np.float32]
    actor: npt.NDArray[np.int64]


def lidar_scan(
    world: World,
    lidar: LidarModel,
    time: float,
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
    field: tuple[float, float] | None = None,
) -> LidarScan:
    """Return one turn of the lidar, taken at one instant [s].

    Rays that meet nothing within max_range give no point, nor do dark or grazed surfaces far away. generator: of the
    noise. field: (centre, half width) in radians, azimuth in the sensor's frame: only these columns of the turn.
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
    colour, _, wet = surfaces(world, view, hits, hits.distance * 0.003)
    incidence = (hits.normal.double() @ turn * flat).sum(1).abs()
    # In the near infrared dark paint is brighter than it looks; water on the road mirrors the beam away.
    back = (0.08 + 0.8 * colour.mean(1).double()) * incidence * (1 - 0.8 * wet.double())
    reflected, distance = back.cpu().numpy(), hits.distance.cpu().numpy().astype(np.float64)
    share = reflected * np.exp(-2 * world.weather.haze * distance)
    returned = generator.random(len(distance)) < 1 - np.exp(
        -share / _FAINTEST * (30.0 / np.maximum(distance, 1.0)) ** 2
    )
    distance = distance + generator.normal(0, lidar.range_noise, len(distance))
    intensity = 130 * reflected * generator.uniform(0.7, 1.3, len(distance))
    intensity = np.clip(np.rint(intensity), 0, 255)
    points = np.column_stack([flat.cpu().numpy() * distance[:, None], intensity, ring[seen].cpu().numpy()])
    return LidarScan(points[returned].astype(np.float32), view.actor(hits.primitive).cpu().numpy()[returned])
