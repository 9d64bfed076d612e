# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One turn of the lidar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.raycast import Hits
from lircdepth_core.synthetic.render.surfaces import surfaces
from lircdepth_core.synthetic.sensors.rig import LidarModel
from lircdepth_core.synthetic.sensors.scanning import cast_columns, directions
from lircdepth_core.synthetic.world.scene import Snapshot
from lircdepth_core.synthetic.world.world import World

_FAINTEST = 0.006  # share of light that must come back at 30 m for a return


class LidarScan(NamedTuple):
    """The points of one turn.

    points: float32 [N, 5], x, y, z [m] in the sensor's frame (x right, y forward, z up), intensity 0..255, ring.
    actor: int64 [N], index into World.actors of the body that each point lies on, -1 for the ground.
    """

    points: npt.NDArray[np.float32]
    actor: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Echoes:
    """What reaches the lidar in one turn, before noise: N echoes.

    ray: float64 [N, 3], unit vectors in the sensor's frame. distance: float64 [N], metres. reflected: float64 [N],
    share of light. ring, actor: int64 [N], as in LidarScan. haze: extinction of the air, 1/m. range_noise: metres.
    """

    ray: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]
    reflected: npt.NDArray[np.float64]
    ring: npt.NDArray[np.int64]
    actor: npt.NDArray[np.int64]
    haze: float
    range_noise: float

    def measured(self, generator: np.random.Generator) -> LidarScan:
        """Return the scan: with noise, and without what is too faint. generator: of both."""
        share = self.reflected * np.exp(-2 * self.haze * self.distance)
        returned = generator.random(len(self.distance)) < 1 - np.exp(
            -share / _FAINTEST * (30.0 / np.maximum(self.distance, 1.0)) ** 2
        )
        distance = self.distance + generator.normal(0, self.range_noise, len(self.distance))
        intensity = 130 * self.reflected * generator.uniform(0.7, 1.3, len(distance))
        intensity = np.clip(np.rint(intensity), 0, 255)
        points = np.column_stack([self.ray * distance[:, None], intensity, self.ring])
        return LidarScan(points[returned].astype(np.float32), self.actor[returned])


def lidar_scan(
    world: World, lidar: LidarModel, time: float, generator: np.random.Generator, device: torch.device | str = "cpu"
) -> LidarScan:
    """Return one turn of the lidar, taken at one instant [s].

    Rays that meet nothing within max_range give no point, nor do dark or grazed surfaces far away. generator: of the
    noise.
    """
    return lidar_echoes(world, lidar, [time], device)[0].measured(generator)


def lidar_echoes(
    world: World,
    lidar: LidarModel,
    times: Sequence[float],
    device: torch.device | str = "cpu",
    field: tuple[float, float] | None = None,
) -> list[Echoes]:
    """Return the echoes of one turn of the lidar at each of several instants [s].

    field: (centre, half width) in radians, azimuth in the sensor's frame: only these columns of the turn. Eleven
    turns together take 0.6 of the time that they take one by one.
    """
    poses = [world.ego_pose(time) @ np.array(lidar.ego_from_sensor) for time in times]
    views = [world.snapshot(time, pose[:3, 3], device) for time, pose in zip(times, poses, strict=True)]
    azimuth = torch.arange(lidar.azimuths, dtype=torch.float64, device=device) * (2 * torch.pi / lidar.azimuths)
    if field is not None:
        away = torch.remainder(azimuth - field[0] + torch.pi, 2 * torch.pi) - torch.pi
        azimuth = azimuth[away.abs() <= field[1]]
    elevation = torch.deg2rad(torch.tensor(lidar.elevations, dtype=torch.float64, device=device))
    rays = directions(azimuth[:, None], elevation[None, :])
    turns = zip(views, poses, cast_columns(views, poses, rays), strict=True)
    return [_echoes(world, lidar, view, pose, rays, hits) for view, pose, hits in turns]


def _echoes(
    world: World,
    lidar: LidarModel,
    view: Snapshot,
    pose: npt.NDArray[np.float64],
    rays: torch.Tensor,
    hits: Hits,
) -> Echoes:
    """Return the echoes of rays [azimuths, elevations, 3] with their flat Hits."""
    ring = torch.arange(rays.shape[1], device=rays.device).repeat(len(rays))
    seen = torch.nonzero(hits.distance <= lidar.max_range)[:, 0]
    hits, flat = hits[seen], rays.flatten(0, 1)[seen]
    turn = torch.as_tensor(pose[:3, :3].copy(), device=rays.device)
    colour, _, wet = surfaces(world, view, hits, hits.distance * 0.003)
    incidence = (hits.normal.double() @ turn * flat).sum(1).abs()
    # In the near infrared dark paint is brighter than it looks; water on the road mirrors the beam away.
    back = (0.08 + 0.8 * colour.mean(1).double()) * incidence * (1 - 0.8 * wet.double())
    return Echoes(
        flat.cpu().numpy(),
        hits.distance.cpu().numpy().astype(np.float64),
        back.cpu().numpy(),
        ring[seen].cpu().numpy(),
        view.actor(hits.primitive).cpu().numpy(),
        world.weather.haze,
        lidar.range_noise,
    )
