# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Walls, roofs and fences."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import band, chance, mix, noise, stripes
from lircdepth_core.synthetic.render.materials.surface import GLASS, Paint, Surface, letters


def _windows(
    s: Surface, base: float, pitch_wanted: torch.Tensor, storey: float, wide: torch.Tensor, tall: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return how much of each point is window and how much is frame, and a random number of each window, all [N].

    base, storey: height of the lowest storey above the ground and of each storey [m]. pitch_wanted: distance of the
    windows [N], metres; it is rounded so that whole windows fit. wide, tall: the window's share of its cell [N].
    """
    u, span = s.along_wall()
    v = s.height - base
    pitch = span / torch.round(span / pitch_wanted).clamp(min=1)
    column, row = u / pitch, v / storey
    lower = (1 - tall) * 0.45
    room = s.on_wall() * band(v, 0.1, 1e3, s.width) * band(s.height, -1.0, 2 * s.half[:, 2] - 0.35, s.width)
    window = stripes(column - (1 - wide) / 2, 1.0, wide, s.width / pitch) * stripes(
        row - lower, 1.0, tall, s.width / storey
    )
    edge = 0.035
    frame = stripes(column - (1 - wide) / 2 + edge, 1.0, wide + 2 * edge, s.width / pitch)
    frame = frame * stripes(row - lower + edge, 1.0, tall + 2 * edge, s.width / storey)
    bars = 1 - stripes(column - 0.5 + 0.012, 1.0, 0.024, s.width / pitch)
    number = chance(torch.floor(column) + torch.floor(s.variant * 999), torch.floor(row) + torch.floor(span))
    return window * bars * room, frame * room, number


def facade(s: Surface) -> Paint:
    """Paint a wall with rows of windows, some of them lit at night."""
    u, _ = s.along_wall()
    pick = s.variant
    wide = torch.where(pick > 0.9, 0.9, 0.38 + 0.2 * ((pick * 7) % 1))
    tall = torch.where(pick > 0.9, 0.5, 0.48 + 0.14 * ((pick * 13) % 1))
    window, frame, number = _windows(
        s, 0.15, torch.where(pick > 0.9, 4.5, 2.1 + 1.1 * ((pick * 3) % 1)), 3.1, wide, tall
    )
    colour = s.colour * (1 + 0.1 * noise(u, s.height, 0.3, s.width) + 0.1 * noise(u, s.height, 4.0, s.width))[:, None]
    colour = colour * (0.82 + 0.18 * band(s.height, 0.6, 1e3, s.width))[:, None]
    colour = mix(colour, (0.62, 0.61, 0.58), frame)
    curtain = number[:, None] * 0.14
    colour = mix(colour, s.colour.new_tensor(GLASS) + curtain, window)
    return Paint(colour, _lit(s, window, number, 0.3, 0.55) if s.dark else None)


def _lit(s: Surface, window: torch.Tensor, number: torch.Tensor, share: float, strength: float) -> torch.Tensor:
    """Return the light [N, 3] of the windows whose random number is below ``share``."""
    warm = s.colour.new_tensor([1.0, 0.72, 0.4])
    return warm * (window * (number < share) * strength * (0.4 + 2 * number))[:, None]


def shop(s: Surface) -> Paint:
    """Paint shop windows with goods, doors and a sign above each."""
    u, span = s.along_wall()
    pitch = span / torch.round(span / 4.2).clamp(min=1)
    column = torch.floor(u / pitch)
    number = chance(column, torch.floor(s.variant * 9999))
    glass = stripes(u / pitch - 0.05, 1.0, 0.9, s.width / pitch) * band(s.height, 0.45, 2.55, s.width) * s.on_wall()
    door = stripes(u / pitch - 0.4, 1.0, 0.24, s.width / pitch) * band(s.height, 0.05, 2.4, s.width) * s.on_wall()
    glass = torch.maximum(glass, door) * (1 - stripes(u / pitch - 0.385, 1.0, 0.015, s.width / pitch))
    sign = band(s.height, 2.68, 3.2, s.width) * stripes(u / pitch - 0.06, 1.0, 0.88, s.width / pitch) * s.on_wall()
    board = torch.stack([0.1 + 0.6 * number, 0.1 + 0.35 * ((number * 7) % 1), 0.1 + 0.4 * ((number * 13) % 1)], dim=1)
    writing = (
        band(s.height, 2.82, 3.06, s.width)
        * letters(u, s.width, 0.22)
        * stripes(u / pitch - 0.2, 1.0, 0.6, s.width / pitch)
    )
    goods = 0.06 + 0.1 * (1 + noise(u, s.height, 0.35, s.width)) * band(s.height, 0.4, 1.5, s.width)
    colour = mix(s.colour, goods[:, None] * s.colour.new_tensor([1.0, 0.95, 0.85]), glass)
    colour = mix(mix(colour, board, sign), (0.8, 0.8, 0.75), writing * sign)
    if not s.dark:
        return Paint(colour, None)
    return Paint(colour, _lit(s, glass * (1 - 0.4 * door), 0.3 * number, 0.22, 1.3) + 0.35 * board * sign[:, None])


def roof(s: Surface) -> Paint:
    """Paint rows of tiles."""
    along = torch.where(s.on_end(), s.local[:, 1], s.local[:, 0])
    rows = stripes(s.height, 0.17, 0.8, s.width)
    return Paint(s.colour * (0.75 + 0.25 * rows + 0.2 * noise(along, s.height * 2, 0.3, s.width))[:, None])


def brick(s: Surface) -> Paint:
    """Paint bricks and mortar."""
    u, _ = s.along_wall()
    row = torch.floor(s.height / 0.08)
    mortar = stripes(s.height, 0.08, 0.84, s.width) * stripes(u + 0.12 * (row % 2), 0.24, 0.94, s.width)
    tone = chance(torch.floor((u + 0.12 * (row % 2)) / 0.24), row) - 0.5
    fade = (1 - s.width / 0.12).clamp(min=0)
    colour = s.colour * (1 + 0.35 * tone * fade)[:, None]
    return Paint(mix(s.colour.new_tensor([0.42, 0.4, 0.37]).expand_as(colour), colour, mortar))


def pickets(s: Surface) -> Paint:
    """Paint pickets with gaps between them; also the bars of a balcony."""
    u, _ = s.along_wall()
    gap = 1 - stripes(u, 0.14, 0.7, s.width)
    return Paint(mix(s.colour, (0.06, 0.06, 0.05), gap * s.on_wall() * 0.85))
