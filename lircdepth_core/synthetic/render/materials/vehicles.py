# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the surfaces of vehicles show."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import band, mix, stripes
from lircdepth_core.synthetic.render.materials.surface import GLASS, Paint, Surface, letters


def cabin(s: Surface) -> Paint:
    """Paint a car's cabin: windows in its painted frame."""
    x, y, z = s.unit.unbind(1)
    front, back, side = s.slopes.unbind(1)
    end = s.on_end()
    sill = band(z, -0.86, 0.72, s.width / s.half[:, 2]) * (s.normal[:, 2] < 0.92)
    wide = 1 + side + side * z
    pane = band(y.abs(), -1.0, 0.9 * wide, s.width / s.half[:, 1]) * end
    ahead, behind = 1 + front + front * z, 1 + back + back * z
    door = band(x, -behind + 0.1, ahead - 0.08, s.width / s.half[:, 0]) * (
        1 - band(x, -0.03, 0.04, s.width / s.half[:, 0])
    )
    return Paint(mix(s.colour, GLASS, sill * torch.where(end, pane, door)))


def van_body(s: Surface) -> Paint:
    """Paint the body of a van: rear windows, seams, sometimes a stripe and writing."""
    x, y, z = s.unit.unbind(1)
    wall, end = s.on_wall(), s.on_end()
    w = s.width / s.half[:, 2]
    rear = end & (s.normal[:, 0] < 0)
    window = band(y.abs(), 0.08, 0.85, w) * band(z, 0.2, 0.75, w) * rear
    seam = band(y.abs(), -1.0, 0.015, w) * rear + band((x - 0.2).abs(), -1.0, 0.006, w) * ~end
    stripe = band(z, -0.15, 0.1, w) * ~end * (s.variant > 0.5) * wall
    colour = mix(s.colour, (0.08, 0.15, 0.4), stripe)
    writing = letters(s.local[:, 0], s.width, 0.3) * band(z, 0.25, 0.48, w) * band(x.abs(), -1.0, 0.55, w) * ~end * wall
    colour = mix(colour, (0.1, 0.1, 0.12), writing * (s.variant > 0.3))
    return Paint(mix(mix(colour, GLASS, window), (0.05, 0.05, 0.05), seam))


def bus_body(s: Surface) -> Paint:
    """Paint the body of a bus: windows, doors, the lit sign of its destination."""
    x, y, z = s.unit.unbind(1)
    wall, end = s.on_wall(), s.on_end()
    u = s.local[:, 0]
    side = band(z, 0.0, 0.68, s.width) * stripes(u, 1.5, 0.92, s.width) * ~end
    doors = torch.maximum(band(x, 0.72, 0.9, s.width), band(x, -0.1, 0.1, s.width)) * band(z, -0.85, 0.7, s.width)
    doors = doors * (~end & (y < 0))
    screen = band(z, -0.25, 0.7, s.width) * band(y.abs(), -1.0, 0.92, s.width) * end
    glass = torch.maximum(torch.maximum(side, doors), screen) * wall
    colour = mix(s.colour, (0.75, 0.75, 0.74), band(z, -1.0, -0.55, s.width) * wall * (s.variant > 0.5))
    colour = mix(colour, GLASS, glass)
    sign = band(z, 0.76, 0.93, s.width) * band(y.abs(), -1.0, 0.6, s.width) * end * wall
    colour = mix(colour, (0.01, 0.01, 0.01), sign)
    amber = s.colour.new_tensor([0.9, 0.5, 0.05])
    text = sign * letters(s.local[:, 1], s.width, 0.13) * band(z, 0.79, 0.9, s.width)
    glow = amber * text[:, None] * (0.9 if s.dark else 0.5)
    return Paint(colour, glow + (amber * 0.35 * side[:, None] if s.dark else 0))


def truck_cab(s: Surface) -> Paint:
    """Paint a lorry's or van's cab: windscreen, side windows, sometimes a grille."""
    x, y, z = s.unit.unbind(1)
    w = s.width / s.half[:, 2]
    front = (s.normal[:, 0] > 0.3).to(s.colour.dtype)
    side = (s.normal[:, 1].abs() > 0.5).to(s.colour.dtype)
    screen = front * band(z, 0.05, 0.8, w) * band(y.abs(), -1.0, 0.9, w)
    door = side * band(z, 0.1, 0.75, w) * band(x, 0.0, 0.72, w)
    grille = (
        front * band(z, -0.75, -0.2, w) * band(y.abs(), -1.0, 0.6, w) * stripes(z, 0.14, 0.6, w) * (s.variant > 0.5)
    )
    return Paint(mix(mix(s.colour, GLASS, (screen + door).clamp(max=1)), (0.03, 0.03, 0.03), grille))


def wheel(s: Surface) -> Paint:
    """Paint a tyre and its rim with five spokes."""
    r = torch.hypot(s.local[:, 0], s.local[:, 1]) / s.half[:, 0]
    face = (s.normal[:, 2].abs() > 0.5).to(s.colour.dtype)
    w = s.width / s.half[:, 0]
    angle = torch.atan2(s.local[:, 1], s.local[:, 0]) / (2 * torch.pi)
    rim = band(r, -1.0, 0.66, w) * face
    spokes = stripes(angle * 5, 1.0, 0.5, w * 1.5) * band(r, 0.2, 0.6, w)
    colour = s.colour.new_tensor([0.018, 0.018, 0.02]).expand_as(s.colour)
    return Paint(mix(colour, s.colour * (1 - 0.75 * spokes)[:, None], rim))


def bike_wheel(s: Surface) -> Paint:
    """Paint the wheel of a bicycle: mostly seen through."""
    r = torch.hypot(s.local[:, 0], s.local[:, 1]) / s.half[:, 0]
    w = s.width / s.half[:, 0]
    angle = torch.atan2(s.local[:, 1], s.local[:, 0]) / (2 * torch.pi)
    inner = band(r, -1.0, 0.84, w) * (s.normal[:, 2].abs() > 0.5)
    spokes = stripes(angle * 14, 1.0, 0.22, 3 * w) * 0.4
    seen_through = s.colour.new_tensor([0.22, 0.22, 0.22]) * (1 + spokes)[:, None]
    return Paint(mix(s.colour.new_tensor([0.015, 0.015, 0.015]).expand_as(s.colour), seen_through, inner))
