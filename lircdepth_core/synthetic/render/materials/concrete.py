# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plain surfaces of varied streets: concrete, plaster, sheet metal, panels and boards."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import band, chance, mix, noise, stripes
from lircdepth_core.synthetic.render.materials.surface import GLASS, Paint, Surface


def _around(s: Surface) -> torch.Tensor:
    """Return a coordinate along the wall, around what is round, or across what lies level: [N], metres."""
    u, _ = s.along_wall()
    return torch.where(s.on_wall() > 0, u, s.local[:, 0])


def _up(s: Surface) -> torch.Tensor:
    return torch.where(s.on_wall() > 0, s.height, s.local[:, 1])


def concrete(s: Surface) -> Paint:
    """Paint cast concrete: blotches, the joints of its formwork on some, stains that run down."""
    u, v = _around(s), _up(s)
    blotch = noise(u + 31 * s.variant, v, 1.3, s.width) + 0.6 * noise(u, v + 7, 0.35, s.width)
    formed = (s.variant > 0.5).to(s.colour.dtype)
    joints = 1 - stripes(u, 2.4, 0.992, s.width) * stripes(v, 1.2, 0.985, s.width)
    streaks = noise(u, 0.12 * v, 0.22, s.width).clamp(min=0) * s.on_wall()
    tone = 1 + 0.07 * blotch - 0.35 * formed * joints - 0.22 * streaks * ((7 * s.variant) % 1)
    return Paint(s.colour * tone.clamp(min=0.2)[:, None])


def plaster(s: Surface) -> Paint:
    """Paint plaster: nearly even, on some with a plinth."""
    u, v = _around(s), _up(s)
    fine = noise(u, v, 0.06, s.width) + noise(u + 13, v, 3.0, s.width)
    plinth = band(s.height, -1.0, 0.4 + 0.8 * s.variant, s.width) * s.on_wall() * (((11 * s.variant) % 1) > 0.6)
    return Paint(s.colour * ((1 + 0.025 * fine) * (1 - 0.45 * plinth))[:, None])


def sheet(s: Surface) -> Paint:
    """Paint corrugated sheet metal; even where the corrugation is too fine to be seen."""
    ribs = stripes(_around(s), 0.3, 0.8, s.width)
    seams = 1 - stripes(_up(s), 3.0, 0.99, s.width)
    return Paint(s.colour * (1 - 0.16 * (1 - ribs) - 0.3 * seams)[:, None])


def panels(s: Surface) -> Paint:
    """Paint large panels with bands of glass between them."""
    u, v = _around(s), _up(s)
    tone = chance(torch.floor(u / 3.1), torch.floor(v / 3.4) + torch.floor(99 * s.variant)) - 0.5
    seams = 1 - stripes(u, 3.1, 0.985, s.width) * stripes(v, 3.4, 0.985, s.width)
    glass = stripes(v - 1.1, 3.4, 0.42, s.width) * s.on_wall() * band(v, 3.4, 1e3, s.width)
    colour = s.colour * (1 + 0.1 * tone - 0.4 * seams)[:, None]
    pane = s.colour.new_tensor(GLASS) + 0.18 * (tone[:, None] + 0.5)
    return Paint(mix(colour, pane, glass))


def boards(s: Surface) -> Paint:
    """Paint upright boards."""
    u = _around(s)
    gaps = 1 - stripes(u, 0.18, 0.9, s.width)
    tone = (chance(torch.floor(u / 0.18), torch.floor(99 * s.variant)) - 0.5) * (1 - s.width / 0.18).clamp(min=0)
    grain = noise(u, 0.1 * s.height, 0.05, s.width)
    return Paint(s.colour * (1 + 0.3 * tone + 0.1 * grain - 0.5 * gaps)[:, None])
