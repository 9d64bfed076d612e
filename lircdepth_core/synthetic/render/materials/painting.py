# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which painter paints which material, and the painting of many points on many parts."""

from collections.abc import Callable
from dataclasses import replace

import torch

from lircdepth_core.synthetic.render.materials import buildings, concrete, nature, signs, vehicles
from lircdepth_core.synthetic.render.materials.surface import Paint, Surface
from lircdepth_core.synthetic.world.actors import Parts
from lircdepth_core.synthetic.world.parts import Material

GLOSSY = (
    Material.PAINT,
    Material.GLASS_CABIN,
    Material.VAN_BODY,
    Material.BUS_BODY,
    Material.TRUCK_CAB,
    Material.METAL,
)
# The others have the colour of their part.
_PAINTERS: dict[Material, Callable[[Surface], Paint]] = {
    Material.LEAVES: nature.leaves,
    Material.BARK: nature.bark,
    Material.FACADE: buildings.facade,
    Material.SHOP: buildings.shop,
    Material.ROOF: buildings.roof,
    Material.GLASS_CABIN: vehicles.cabin,
    Material.VAN_BODY: vehicles.van_body,
    Material.BUS_BODY: vehicles.bus_body,
    Material.TRUCK_CAB: vehicles.truck_cab,
    Material.WHEEL: vehicles.wheel,
    Material.BIKE_WHEEL: vehicles.bike_wheel,
    Material.HEAD_LAMP: signs.lamp((1.0, 0.95, 0.8), 5.0),
    Material.TAIL_LAMP: signs.lamp((0.9, 0.03, 0.02), 2.2),
    Material.STREET_LAMP: signs.street_lamp,
    Material.TRAFFIC_LIGHT: signs.traffic_light,
    Material.SIGN_ROUND: signs.round_sign,
    Material.SIGN_TRIANGLE: signs.triangular_sign,
    Material.SIGN_BOARD: signs.board,
    Material.STRIPED: signs.striped,
    Material.PAVEMENT: nature.pavement,
    Material.BRICK: buildings.brick,
    Material.PICKETS: buildings.pickets,
    Material.CLOTH: nature.cloth,
    Material.CONCRETE: concrete.concrete,
    Material.PLASTER: concrete.plaster,
    Material.SHEET: concrete.sheet,
    Material.PANELS: concrete.panels,
    Material.BOARDS: concrete.boards,
}


def paint_parts(
    parts: Parts, primitive: torch.Tensor, local: torch.Tensor, normal: torch.Tensor, width: torch.Tensor, dark: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return colour and emission [N, 3] of points on parts.

    primitive: [N], the parts' indices. local, normal: [N, 3] in the parts' frames. width: [N], what a ray stands for
    on the surface [m]. dark: whether lamps are lit.
    """
    colour = parts.colour.float()[primitive]
    glow = torch.zeros_like(colour)
    material = parts.material[primitive]
    present = torch.bincount(material, minlength=len(Material)).tolist()
    whole = Surface(colour, local, normal, parts.half.float(), parts.slopes.float(), width, parts.variant.float(), dark)
    for kind, painter in _PAINTERS.items():
        if not present[kind]:
            continue
        some = torch.nonzero(material == kind)[:, 0]
        chosen = primitive[some]
        surface = replace(
            whole,
            colour=colour[some],
            local=local[some],
            normal=normal[some],
            half=whole.half[chosen],
            slopes=whole.slopes[chosen],
            width=width[some],
            variant=whole.variant[chosen],
        )
        paint = painter(surface)
        colour[some] = paint.colour
        if paint.glow is not None:
            glow[some] = paint.glow
    return colour, glow
