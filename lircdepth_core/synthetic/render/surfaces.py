# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Colour, emission and wetness of what rays hit: the painted ground and the painted parts."""

from typing import NamedTuple

import torch

from lircdepth_core.synthetic.render.ground import paint_ground
from lircdepth_core.synthetic.render.materials.painting import paint_parts
from lircdepth_core.synthetic.render.materials.patterns import noise
from lircdepth_core.synthetic.render.materials.texture import textured
from lircdepth_core.synthetic.render.raycast import GROUND, Hits
from lircdepth_core.synthetic.world.parts import Material
from lircdepth_core.synthetic.world.scene import Snapshot
from lircdepth_core.synthetic.world.world import World

_TEXTURE_REPEATS_M = 1000.0  # keeps the ground's coordinates small enough for float32


class Surfaces(NamedTuple):
    """colour, glow: [N, 3], reflected share of light and own light. wet: [N] in 0..1. All are 0 for the sky."""

    colour: torch.Tensor
    glow: torch.Tensor
    wet: torch.Tensor


def surfaces(world: World, view: Snapshot, hits: Hits, footprint: torch.Tensor) -> Surfaces:
    """Return the surfaces at flat Hits [N] of rays that were cast into ``view``.

    footprint: [N], the width in metres that a ray stands for on the surface; finer patterns average out.
    """
    colour, glow = torch.zeros_like(hits.normal), torch.zeros_like(hits.normal)
    wet = torch.zeros_like(hits.distance)
    on_ground = torch.nonzero(hits.primitive == GROUND)[:, 0]
    if len(on_ground):
        painted, paved = paint_ground(world.street, hits.local[on_ground, :2], view.origin, footprint[on_ground])
        if world.texture is not None:
            place = hits.local[on_ground] + hits.local.new_tensor([*view.origin[:2] % _TEXTURE_REPEATS_M, 0.0])
            level, beside = hits.normal[on_ground], footprint[on_ground]
            painted = textured(world.texture, painted, place, level, torch.zeros_like(beside), beside)
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
        colour[on_part], glow[on_part] = paint_parts(
            view.parts, chosen, hits.local[on_part], normal, footprint[on_part], world.weather.dark
        )
        if world.texture is not None:
            chosen_half = view.parts.half.float()[chosen]
            place = hits.local[on_part] + 41.0 * view.parts.variant.float()[chosen, None]
            height = hits.local[on_part, 2] + chosen_half[:, 2]
            colour[on_part] = textured(world.texture, colour[on_part], place, normal, height, footprint[on_part])
        wet[on_part] = 0.5 * world.weather.wet * (view.parts.material[chosen] == Material.PAVEMENT)
    return Surfaces(colour, glow, wet)
