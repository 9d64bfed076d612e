# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The light that comes along rays: surfaces under sun, sky and lamps, haze, and the sky itself with its clouds."""

import torch

from lircdepth_core.synthetic.render import materials
from lircdepth_core.synthetic.render.ground import paint_ground
from lircdepth_core.synthetic.render.patterns import noise
from lircdepth_core.synthetic.render.raycast import GROUND, NOTHING
from lircdepth_core.synthetic.render.shadows import occluded
from lircdepth_core.synthetic.world.parts import PAVEMENT

_CHUNK = 1 << 16  # rays painted at once: temporaries stay in the cache
_SHADOW_RANGE = 130.0  # metres


def surfaces(world, view, directions, hits, footprint):
    """Return colour, emission [N, 3] and wetness [N] (0..1, of the carriageway) of flat Hits [N]; 0 for the sky.

    view: the Snapshot that was cast. directions [N, 3]: the rays. footprint [N]: the width in metres of what a ray
    stands for on the surface; patterns finer than it average out.
    """
    colour, glow = torch.zeros_like(hits.normal), torch.zeros_like(hits.normal)
    wet = torch.zeros_like(hits.distance)
    on_ground = torch.nonzero(hits.primitive == GROUND)[:, 0]
    if len(on_ground):
        painted, paved = paint_ground(world.street, hits.local[on_ground, :2], view.origin, footprint[on_ground])
        colour[on_ground] = painted
        if world.weather.wet:  # more in puddles
            x, y = (hits.local[on_ground, k] + float(view.origin[k]) for k in (0, 1))
            puddle = noise(x, y, 2.6, footprint[on_ground]) + 0.4 * noise(x, y, 0.7, footprint[on_ground])
            wet[on_ground] = paved * world.weather.wet * (0.36 + 0.9 * (puddle - 0.25).clamp(0, 0.6))
    on_part = torch.nonzero(hits.primitive >= 0)[:, 0]
    if len(on_part):
        chosen = hits.primitive[on_part]
        axes = view.scene.axes.float()
        axes = (axes / axes.norm(dim=1, keepdim=True))[chosen]
        nx, ny, nz = hits.normal[on_part][:, :, None].unbind(1)
        normal = axes[:, 0] * nx + axes[:, 1] * ny + axes[:, 2] * nz
        colour[on_part], glow[on_part] = materials.paint_parts(
            view.parts, chosen, hits.local[on_part], normal, footprint[on_part], world.weather.dark
        )
        wet[on_part] = 0.5 * world.weather.wet * (view.parts.material[chosen] == PAVEMENT)
    return colour, glow, wet


def shade(world, view, directions, hits, time, footprint, shadows=True, reflection=None):
    """Return the light [N, 3] along rays [N, 3] with flat Hits [N], and the part of it that lamps send out [N, 3].

    The other arguments are those of ``surfaces``; time [s] says where the ego vehicle's head lamps are.
    shadows: whether what stands between hides the sun. reflection [N, 3]: the light that arrives along the mirrored
    rays, NaN where it is not known and the sky stands for it.
    """
    rays = directions.float()
    length = rays.norm(dim=1)
    rays = rays / length[:, None]
    away = torch.where(torch.isfinite(hits.distance), hits.distance, 0.0) * length  # metres
    points = rays * away[:, None]
    lit = direct_light(world, view, points, hits, away) if shadows else torch.ones_like(away)
    light, glow = torch.empty_like(hits.normal), torch.empty_like(hits.normal)
    for start in range(0, len(rays), _CHUNK):
        some = slice(start, start + _CHUNK)
        light[some], glow[some] = _chunk(
            world,
            view,
            rays[some],
            points[some],
            away[some],
            hits[some],
            lit[some],
            time,
            footprint[some],
            None if reflection is None else reflection[some],
        )
    return light, glow


def direct_light(world, view, points, hits, away):
    """Return which share [N] of the sun's light arrives at points; without sun, of the light from straight above."""
    weather = world.weather
    towards = points.new_tensor(weather.sun)
    sunny = weather.sun_light[0] > 0
    facing = hits.normal @ towards
    needed = (hits.primitive != NOTHING) & (away < _SHADOW_RANGE) & (facing > (0 if sunny else 0.5))
    if weather.dark and not sunny:
        return torch.ones_like(away)
    if not sunny:  # only what is close above darkens the ground: under cars, awnings and trees
        needed &= away < 60
    index = torch.nonzero(needed)[:, 0]
    raised = points[index] + hits.normal[index] * (0.02 + 2e-4 * away[index])[:, None]
    lit = torch.ones_like(away)
    hidden = occluded(view.scene, raised, towards)
    lit[index] = torch.where(hidden, 0.0 if sunny else 0.4, 1.0)
    return lit


def _chunk(world, view, rays, points, away, hits, lit, time, footprint, reflection):
    weather = world.weather
    sky = hits.primitive == NOTHING
    colour, glow, wet = surfaces(world, view, rays, hits, footprint)
    towards = rays.new_tensor(weather.sun)
    diffuse = 0.62 + 0.38 * hits.normal[:, 2]
    height = points[:, 2] - view.scene.ground
    diffuse = diffuse * (
        0.62 + 0.38 * (height / 0.9).clamp(0, 1).lerp(torch.ones_like(height), hits.normal[:, 2].clamp(0, 1))
    )
    if weather.sun_light[0] > 0:
        direct = (hits.normal @ towards).clamp(min=0) * lit
        received = (
            rays.new_tensor(weather.sky_light) * diffuse[:, None] + rays.new_tensor(weather.sun_light) * direct[:, None]
        )
    else:
        received = rays.new_tensor(weather.sky_light) * (diffuse * lit)[:, None]
    if weather.dark:
        received = received + _lamps(world, view, points, hits.normal, away, time)
    light = colour * (1 - 0.35 * wet[:, None]) * received + glow
    mirror = _mirror(view, hits, rays, wet)
    if len(mirror[0]):
        index, share = mirror
        normal = hits.normal[index]
        bounced = rays[index] - 2 * (rays[index] * normal).sum(1, keepdim=True) * normal
        seen = sky_light(weather, bounced, clouds=False) * (0.35 + 0.65 * (bounced[:, 2:] + 0.1).clamp(0, 1))
        if weather.sun_light[0] > 0:
            glint = (bounced @ towards).clamp(min=0) ** 200 * lit[index]
            seen = seen + 4 * rays.new_tensor(weather.sun_light) * glint[:, None]
        if reflection is not None:
            known = reflection[index]
            seen = torch.where(known.isnan(), seen, known)
        light[index] = torch.lerp(light[index], seen, share[:, None])
    light = _in_haze(weather, light, away)
    if bool(sky.any()):
        light[sky] = sky_light(weather, rays[sky])
    return light, glow * torch.exp(-weather.haze * away)[:, None]


def _mirror(view, hits, rays, wet):
    """Return the indices of what mirrors the sky, and how much of its light is mirrored (Schlick's approximation)."""
    glossy = wet > 0.01
    on_part = hits.primitive >= 0
    material = view.parts.material[hits.primitive.clamp(min=0)]
    gloss = torch.zeros(64, device=rays.device)
    gloss[list(materials.GLOSSY)] = 1.0
    gloss = torch.where(on_part, gloss[material], 0.0)
    index = torch.nonzero(glossy | (gloss > 0))[:, 0]
    incidence = -(rays[index] * hits.normal[index]).sum(1).clamp(max=0)
    fresnel = 0.05 + 0.95 * (1 - incidence) ** 5
    fresnel = torch.where(on_part[index], fresnel, 0.1 + 0.9 * fresnel)  # a rough film mirrors more steeply, too
    return index, (fresnel * (0.6 * gloss[index] + 0.75 * wet[index])).clamp(max=0.85)


def _in_haze(weather, light, away):
    share = 1 - torch.exp(-weather.haze * away)
    return torch.lerp(light, light.new_tensor(weather.horizon).expand_as(light), share[:, None])


def sky_light(weather, rays, clouds=True):
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
        light = torch.lerp(
            light,
            shaded if weather.clouds > 0.8 else torch.lerp(shaded, lit.expand_as(light), 0.6),
            cover[:, None] * 0.9,
        )
    if weather.sun_light[0] > 0:
        glow = (rays @ rays.new_tensor(weather.sun)).clamp(min=0)[:, None]
        light = light + rays.new_tensor(weather.sun_light) * (0.35 * glow**40 + 8.0 * (glow > 0.99985))
    return light


def _lamps(world, view, points, normal, away, time):
    """Return the light [N, 3] that street lamps and the ego vehicle's head lamps throw on points."""
    ego = world.ego_pose(time)
    to_ego = torch.as_tensor(ego[:3, :3].copy(), device=points.device, dtype=points.dtype)
    offset = torch.as_tensor(
        (ego[:3, :3].T @ (view.origin - ego[:3, 3])).copy(), device=points.device, dtype=points.dtype
    )
    beam = points @ to_ego + offset - points.new_tensor([3.6, 0.0, 0.65])
    reach = beam.norm(dim=1).clamp(min=0.5)
    side, rise = torch.atan2(beam[:, 1], beam[:, 0]), beam[:, 2] / reach
    shape = torch.exp(-((side / 0.38) ** 2)) * (beam[:, 0] > 0) * torch.sigmoid(-(rise - 0.012) * 90)
    facing = -((beam @ to_ego.T) * normal).sum(1) / reach
    light = points.new_tensor([1.0, 0.95, 0.82]) * (55 * shape * facing.clamp(min=0) / (reach**2 + 20))[:, None]
    if world.lamps:
        s, d = world.road.coordinates(points[:, :2], view.origin)
        height = points[:, 2] - view.scene.ground
        place = torch.round(s / world.lamps) * world.lamps
        total = torch.zeros_like(s)
        for step in (-1, 0, 1):
            for side_sign in (-1, 1):
                drop = (7.0 - height).clamp(min=0.3)
                lateral = d - side_sign * (world.street.kerb - 1.0)
                square = (s - place - step * world.lamps) ** 2 + lateral**2 + drop**2
                total = total + drop / square**1.5 * (0.35 + 0.65 * normal[:, 2].clamp(min=0))
        light = light + points.new_tensor([1.0, 0.78, 0.5]) * (13 * total)[:, None]
    return light
