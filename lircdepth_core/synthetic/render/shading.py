# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The light that comes along rays: lit surfaces, what they mirror, haze, and the sky."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from lircdepth_core.synthetic.render.lights import direct_light, is_sunny, lamp_light, sky_light
from lircdepth_core.synthetic.render.materials.painting import GLOSSY
from lircdepth_core.synthetic.render.raycast import NOTHING, Hits
from lircdepth_core.synthetic.render.surfaces import Surfaces, surfaces
from lircdepth_core.synthetic.world.parts import Material
from lircdepth_core.synthetic.world.scene import Snapshot
from lircdepth_core.synthetic.world.weather import Weather
from lircdepth_core.synthetic.world.world import World

_CHUNK_RAYS = 1 << 16  # painted at once: the temporaries stay in the cache


class Shaded(NamedTuple):
    """light: [N, 3], all that comes along rays. glow: [N, 3], the part of it that lamps send out."""

    light: torch.Tensor
    glow: torch.Tensor


@dataclass(frozen=True)
class _Seen:
    """N rays and what they meet.

    rays: [N, 3], unit vectors. points: [N, 3], sensor-centred [m]. away: [N], distance [m]. hits: flat. lit: [N], see
    lights.direct_light. footprint: [N] metres. reflection: [N, 3] or None, see ``shade``.
    """

    rays: torch.Tensor
    points: torch.Tensor
    away: torch.Tensor
    hits: Hits
    lit: torch.Tensor
    footprint: torch.Tensor
    reflection: torch.Tensor | None

    def __getitem__(self, some: slice) -> "_Seen":
        return _Seen(
            self.rays[some],
            self.points[some],
            self.away[some],
            self.hits[some],
            self.lit[some],
            self.footprint[some],
            None if self.reflection is None else self.reflection[some],
        )


def shade(
    world: World,
    view: Snapshot,
    directions: torch.Tensor,
    hits: Hits,
    time: float,
    footprint: torch.Tensor,
    shadows: bool = True,
    reflection: torch.Tensor | None = None,
) -> Shaded:
    """Return the light along rays ``directions`` [N, 3] whose flat Hits [N] in ``view`` are known.

    time: says where the ego vehicle's head lamps are [s]. footprint: [N], the width in metres that a ray stands for on
    the surface. shadows: whether solids hide the sun. reflection: [N, 3], the light that arrives along the mirrored
    rays, NaN where it is not known; the sky stands for it there.
    """
    rays = directions.float()
    length = rays.norm(dim=1)
    rays = rays / length[:, None]
    away = torch.where(torch.isfinite(hits.distance), hits.distance, 0.0) * length
    points = rays * away[:, None]
    lit = direct_light(world, view, points, hits, away) if shadows else torch.ones_like(away)
    seen = _Seen(rays, points, away, hits, lit, footprint, reflection)
    light, glow = torch.empty_like(hits.normal), torch.empty_like(hits.normal)
    for start in range(0, len(rays), _CHUNK_RAYS):
        some = slice(start, start + _CHUNK_RAYS)
        light[some], glow[some] = _shade_some(world, view, seen[some], time)
    return Shaded(light, glow)


def _shade_some(world: World, view: Snapshot, seen: _Seen, time: float) -> Shaded:
    weather, hits, rays = world.weather, seen.hits, seen.rays
    surface = surfaces(world, view, hits, seen.footprint)
    received = _received(world, view, seen, time)
    light = surface.colour * (1 - 0.35 * surface.wet[:, None]) * received + surface.glow
    index, share = _mirrors(view, hits, rays, surface)
    if len(index):
        light[index] = torch.lerp(light[index], _mirrored(weather, seen, index), share[:, None])
    light = _in_haze(weather, light, seen.away)
    sky = hits.primitive == NOTHING
    if bool(sky.any()):
        light[sky] = sky_light(weather, rays[sky])
    return Shaded(light, surface.glow * torch.exp(-weather.haze * seen.away)[:, None])


def _received(world: World, view: Snapshot, seen: _Seen, time: float) -> torch.Tensor:
    """Return the light [N, 3] that arrives at surfaces."""
    weather, normal = world.weather, seen.hits.normal
    diffuse = 0.62 + 0.38 * normal[:, 2]
    height = seen.points[:, 2] - view.scene.ground
    diffuse = diffuse * (
        0.62 + 0.38 * (height / 0.9).clamp(0, 1).lerp(torch.ones_like(height), normal[:, 2].clamp(0, 1))
    )
    sky = normal.new_tensor(weather.sky_light)
    if is_sunny(weather):
        direct = (normal @ normal.new_tensor(weather.sun)).clamp(min=0) * seen.lit
        received = sky * diffuse[:, None] + normal.new_tensor(weather.sun_light) * direct[:, None]
    else:
        received = sky * (diffuse * seen.lit)[:, None]
    if weather.dark:
        received = received + lamp_light(world, view, seen.points, normal, time)
    return received


def _mirrors(view: Snapshot, hits: Hits, rays: torch.Tensor, surface: Surfaces) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices [M] of rays that meet a glossy or wet surface, and how much of their light is mirrored [M].

    Schlick's approximation of Fresnel's equations.
    """
    on_part = hits.primitive >= 0
    material = view.parts.material[hits.primitive.clamp(min=0)]
    gloss = torch.zeros(len(Material), device=rays.device)
    gloss[list(GLOSSY)] = 1.0
    gloss = torch.where(on_part, gloss[material], 0.0)
    index = torch.nonzero((surface.wet > 0.01) | (gloss > 0))[:, 0]
    incidence = -(rays[index] * hits.normal[index]).sum(1).clamp(max=0)
    fresnel = 0.05 + 0.95 * (1 - incidence) ** 5
    fresnel = torch.where(on_part[index], fresnel, 0.1 + 0.9 * fresnel)  # a rough film mirrors more when it is steep
    return index, (fresnel * (0.6 * gloss[index] + 0.75 * surface.wet[index])).clamp(max=0.85)


def _mirrored(weather: Weather, seen: _Seen, index: torch.Tensor) -> torch.Tensor:
    """Return the light [M, 3] that arrives along the mirror images of rays ``index`` [M]."""
    normal, rays = seen.hits.normal[index], seen.rays[index]
    bounced = rays - 2 * (rays * normal).sum(1, keepdim=True) * normal
    light = sky_light(weather, bounced, clouds=False) * (0.35 + 0.65 * (bounced[:, 2:] + 0.1).clamp(0, 1))
    if is_sunny(weather):
        glint = (bounced @ rays.new_tensor(weather.sun)).clamp(min=0) ** 200 * seen.lit[index]
        light = light + 4 * rays.new_tensor(weather.sun_light) * glint[:, None]
    if seen.reflection is not None:
        known = seen.reflection[index]
        light = torch.where(known.isnan(), light, known)
    return light


def _in_haze(weather: Weather, light: torch.Tensor, away: torch.Tensor) -> torch.Tensor:
    share = 1 - torch.exp(-weather.haze * away)
    return torch.lerp(light, light.new_tensor(weather.horizon).expand_as(light), share[:, None])
