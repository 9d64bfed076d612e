# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Signs, signals, lamps and road works."""

from collections.abc import Callable

import torch

from lircdepth_core.synthetic.render.materials.patterns import band, chance, mix, stripes
from lircdepth_core.synthetic.render.materials.surface import Paint, Surface

_BACK = (0.3, 0.3, 0.31)  # colour of a sign's back


def lamp(colour: tuple[float, float, float], strength: float) -> Callable[[Surface], Paint]:
    """Return the painter of a lamp that shines in one colour in the dark."""

    def painter(s: Surface) -> Paint:
        return Paint(s.colour, s.colour.new_tensor(colour).expand_as(s.colour) * strength if s.dark else None)

    return painter


def street_lamp(s: Surface) -> Paint:
    """Paint a lamp that shines downwards."""
    below = (s.normal[:, 2] < -0.5).to(s.colour.dtype)[:, None]
    return Paint(s.colour, s.colour.new_tensor([1.0, 0.82, 0.55]) * 6 * below if s.dark else None)


def traffic_light(s: Surface) -> Paint:
    """Paint three lenses, of which red or green is lit; it faces -x."""
    y, z = s.local[:, 1], s.local[:, 2]
    faces = s.normal[:, 0] < -0.5
    colour, glow = s.colour, torch.zeros_like(s.colour)
    lit = (s.variant < 0.45).long() * 2  # green, else red
    for index, tint in enumerate(((0.9, 0.05, 0.03), (0.9, 0.5, 0.03), (0.05, 0.8, 0.35))):
        lens = band(torch.hypot(y, z - 0.3 + 0.3 * index), -1.0, 0.11, s.width) * faces
        colour = mix(colour, (0.15 * tint[0], 0.15 * tint[1], 0.15 * tint[2]), lens)
        glow = glow + s.colour.new_tensor(tint) * (lens * (lit == index) * (2.5 if s.dark else 1.2))[:, None]
    return Paint(colour, glow)


def round_sign(s: Surface) -> Paint:
    """Paint a speed limit, a no-entry sign or an arrow on blue; the back is grey."""
    x, y = s.local[:, 0] / s.half[:, 0], s.local[:, 1] / s.half[:, 0]
    w = s.width / s.half[:, 0]
    r = torch.hypot(x, y)
    front = (s.normal[:, 2] < -0.5).to(s.colour.dtype)
    red, blue = (0.55, 0.02, 0.02), (0.02, 0.1, 0.45)
    limit = mix(s.colour, red, band(r, 0.74, 2.0, w))
    digits = band(y.abs(), -1.0, 0.36, w) * (
        band((x + 0.28).abs(), 0.1, 0.2, w) + band((x - 0.25).abs(), 0.1, 0.2, w)
    ).clamp(max=1)
    digits = torch.maximum(digits, band((y.abs() - 0.33).abs(), -1.0, 0.06, w) * band(x.abs(), 0.08, 0.48, w))
    limit = mix(limit, (0.02, 0.02, 0.02), digits * band(r, -1.0, 0.66, w))
    entry = mix(
        mix(s.colour, red, band(r, -1.0, 0.95, w)),
        (0.8, 0.8, 0.8),
        band(y.abs(), -1.0, 0.16, w) * band(x.abs(), -1.0, 0.7, w),
    )
    arrow = torch.maximum(
        band(x.abs(), -1.0, 0.1, w) * band(y, -0.6, 0.3, w), band(x.abs() + y, 0.0, 0.62, w) * band(y, 0.15, 1.0, w)
    )
    order = mix(mix(s.colour, blue, band(r, -1.0, 0.95, w)), (0.8, 0.8, 0.8), arrow)
    pick = s.variant[:, None]
    face = torch.where(pick < 0.55, limit, torch.where(pick < 0.75, entry, order))
    return Paint(mix(s.colour.new_tensor(_BACK).expand_as(s.colour), face, front))


def triangular_sign(s: Surface) -> Paint:
    """Paint a warning sign with an exclamation mark; the back is grey."""
    y, z = s.unit[:, 1], s.unit[:, 2]
    w = s.width / s.half[:, 1]
    room = (1 + s.slopes[:, 2] + s.slopes[:, 2] * z) - y.abs()
    border = torch.maximum(band(room, -1.0, 0.2, w), band(z, -2.0, -0.76, w))
    mark = band(y.abs(), -1.0, 0.07, w) * band(z, -0.25, 0.35, w) + band(torch.hypot(y, z + 0.48), -1.0, 0.09, w)
    face = mix(mix(s.colour, (0.55, 0.02, 0.02), border), (0.02, 0.02, 0.02), mark.clamp(max=1))
    return Paint(mix(s.colour.new_tensor(_BACK).expand_as(s.colour), face, (s.normal[:, 0] < -0.5).to(w.dtype)))


def board(s: Surface) -> Paint:
    """Paint a board with writing and a rim; large ones (a lorry's side) have a few large words."""
    u, span = s.along_wall()
    rim = torch.minimum(torch.minimum(u, span - u), torch.minimum(s.height, 2 * s.half[:, 2] - s.height))
    tall = 2 * s.half[:, 2]
    z = s.height / tall
    size = (tall * 0.22).clamp(max=0.5)
    row = torch.maximum(band(z, 0.58, 0.78, s.width / tall), band(z, 0.24, 0.42, s.width / tall) * (u < 0.7 * span))
    row = row * band(u / span, 0.12, 0.86, s.width / span)
    cell = torch.floor(u / size)
    letters = (
        row * stripes(u / size - 0.12, 1.0, 0.6, s.width / size) * (chance(cell, torch.floor(s.variant * 999)) > 0.15)
    )
    dark = (s.colour.mean(1) > 0.35)[:, None]
    ink = torch.where(dark, s.colour.new_tensor([0.04, 0.05, 0.12]), s.colour.new_tensor([0.8, 0.8, 0.8]))
    wall = s.on_wall()
    colour = mix(s.colour, ink, band(rim, 0.01, 0.035, s.width) * wall)
    return Paint(mix(colour, ink, letters * wall))


def striped(s: Surface) -> Paint:
    """Paint red and white stripes: level on a cone, slanting on a barrier."""
    tilted = s.variant > 0.5
    x = torch.where(tilted, s.local[:, 1] + s.local[:, 2], s.height)
    share = stripes(x, 0.34, 0.5, s.width)
    red, white = s.colour.new_tensor([0.68, 0.06, 0.03]), s.colour.new_tensor([0.78, 0.78, 0.76])
    return Paint(torch.lerp(white.expand_as(s.colour), red.expand_as(s.colour), share[:, None]))
