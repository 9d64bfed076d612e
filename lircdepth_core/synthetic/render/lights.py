# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sources of light: the sun with its shadows, the sky with its clouds, street lamps and head lamps."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import noise
from lircdepth_core.synthetic.render.materials.texture import shadow_of_the_unseen
from lircdepth_core.synthetic.render.raycast import NOTHING, Hits
from lircdepth_core.synthetic.render.shadows import occluded
from lircdepth_core.synthetic.world.scene import Snapshot
from lircdepth_core.synthetic.world.weather import Weather
from lircdepth_core.synthetic.world.world import World

_SHADOW_RANGE_M = 130.0
_DIFFUSE_SHADOW_RANGE_M = 60.0
_HEAD_LAMPS_M = (3.6, 0.0, 0.65)  # in the ego vehicle's frame
_STREET_LAMP_HEIGHT_M = 7.0


def is_sunny(weather: Weather) -> bool:
    """Return whether the sun shines."""
    return weather.sun_light[0] > 0


def direct_light(world: World, view: Snapshot, points: torch.Tensor, hits: Hits, away: torch.Tensor) -> torch.Tensor:
    """Return which share [N] of the sun's light arrives at points; without sun, of the light from straight above.

    points: [N, 3], sensor-centred [m]. hits: flat Hits [N] there. away: [N], their distance [m].
    """
    weather = world.weather
    towards = points.new_tensor(weather.sun)
    sunny = is_sunny(weather)
    facing = hits.normal @ towards
    needed = (hits.primitive != NOTHING) & (away < _SHADOW_RANGE_M) & (facing > (0 if sunny else 0.5))
    if weather.dark and not sunny:
        return torch.ones_like(away)
    if not sunny:  # only what is close above darkens the ground: under cars, awnings and trees
        needed &= away < _DIFFUSE_SHADOW_RANGE_M
    index = torch.nonzero(needed)[:, 0]
    raised = points[index] + hits.normal[index] * (0.02 + 2e-4 * away[index])[:, None]
    lit = torch.ones_like(away)
    hidden = occluded(view.scene, raised, towards)
    lit[index] = torch.where(hidden, 0.0 if sunny else 0.4, 1.0)
    if sunny and world.texture is not None and world.texture.shade:
        fixed = points + points.new_tensor(view.origin)
        lit = lit * shadow_of_the_unseen(world.texture, fixed, towards)
    return lit


def sky_light(weather: Weather, rays: torch.Tensor, clouds: bool = True) -> torch.Tensor:
    """Return the light [N, 3] of the sky along unit rays [N, 3]."""
    up = rays[:, 2].clamp(min=0)
    horizon, zenith = rays.new_tensor(weather.horizon), rays.new_tensor(weather.zenith)
    light = torch.lerp(horizon.expand(len(rays), 3), zenith.expand(len(rays), 3), (up**0.5)[:, None])
    if clouds:
        # A flat layer, seen in perspective; smooth towards the horizon.
        reach = 1 / (up + 0.09)
        x, y, none = rays[:, 0] * reach, rays[:, 1] * reach, torch.zeros_like(up)
        shape = (
            noise(x, y, 1.7, none)
            + 0.5 * noise(x + 9, y, 0.7, none)
            + 0.3 * noise(x, y + 5, 0.3, none)
            + 0.15 * noise(x, y, 0.12, none)
        )
        cover = ((shape * 0.6 + 2 * weather.clouds - 1) * 1.8 + 0.3).clamp(0, 1) * (up * 12).clamp(0, 1)
        lit = rays.new_tensor(weather.horizon) * 1.08
        shaded = lit * (0.78 - 0.16 * shape.clamp(0, 1))[:, None]
        tone = shaded if weather.clouds > 0.8 else torch.lerp(shaded, lit.expand_as(light), 0.6)
        light = torch.lerp(light, tone, cover[:, None] * 0.9)
    if is_sunny(weather):
        glow = (rays @ rays.new_tensor(weather.sun)).clamp(min=0)[:, None]
        light = light + rays.new_tensor(weather.sun_light) * (0.35 * glow**40 + 8.0 * (glow > 0.99985))
    return light


def lamp_light(world: World, view: Snapshot, points: torch.Tensor, normal: torch.Tensor, time: float) -> torch.Tensor:
    """Return the light [N, 3] that street lamps and the ego vehicle's head lamps throw on points.

    points: [N, 3], sensor-centred [m]. normal: [N, 3], of the surface. time: says where the ego vehicle is [s].
    """
    light = _head_lamp_light(world, view, points, normal, time)
    if world.lamps:
        light = light + _street_lamp_light(world, view, points, normal)
    return light


def _head_lamp_light(
    world: World, view: Snapshot, points: torch.Tensor, normal: torch.Tensor, time: float
) -> torch.Tensor:
    ego = world.ego_pose(time)
    to_ego = points.new_tensor(ego[:3, :3])
    offset = points.new_tensor(ego[:3, :3].T @ (view.origin - ego[:3, 3]))
    beam = points @ to_ego + offset - points.new_tensor(_HEAD_LAMPS_M)
    reach = beam.norm(dim=1).clamp(min=0.5)
    side, rise = torch.atan2(beam[:, 1], beam[:, 0]), beam[:, 2] / reach
    shape = torch.exp(-((side / 0.38) ** 2)) * (beam[:, 0] > 0) * torch.sigmoid(-(rise - 0.012) * 90)
    facing = -((beam @ to_ego.T) * normal).sum(1) / reach
    strength: torch.Tensor = 55 * shape * facing.clamp(min=0) / (reach**2 + 20)
    return points.new_tensor([1.0, 0.95, 0.82]) * strength[:, None]


def _street_lamp_light(world: World, view: Snapshot, points: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Return the light [N, 3] of the three nearest lamps on either side of the road."""
    s, d = world.road.coordinates(points[:, :2], view.origin)
    height = points[:, 2] - view.scene.ground
    place = torch.round(s / world.lamps) * world.lamps
    total = torch.zeros_like(s)
    for step in (-1, 0, 1):
        for side in (-1, 1):
            drop = (_STREET_LAMP_HEIGHT_M - height).clamp(min=0.3)
            lateral = d - side * (world.street.kerb - 1.0)
            square = (s - place - step * world.lamps) ** 2 + lateral**2 + drop**2
            total = total + drop / square**1.5 * (0.35 + 0.65 * normal[:, 2].clamp(min=0))
    return points.new_tensor([1.0, 0.78, 0.5]) * (13 * total)[:, None]
