# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plants, pavements and cloth."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import band, chance, mix, noise, stripes
from lircdepth_core.synthetic.render.materials.surface import Paint, Surface


def leaves(s: Surface) -> Paint:
    """Paint clumps of leaves, brighter towards the top."""
    # Seen along the axis that the surface faces most, so that clumps of leaves are as wide as they are high.
    axis = s.normal.abs().argmax(1)
    x = torch.where(axis == 0, s.local[:, 1], s.local[:, 0]) + 57 * s.variant
    y = torch.where(axis == 2, s.local[:, 1], s.local[:, 2]) + 3.0 * axis
    clumps = noise(x, y, 0.34, s.width) + 0.9 * noise(x, y, 0.12, s.width) + 0.9 * noise(y, x, 0.05, s.width)
    light = (1 + 0.55 * clumps + 0.2 * s.unit[:, 2]).clamp(min=0.1)
    return Paint(s.colour * light[:, None])


def bark(s: Surface) -> Paint:
    """Paint rough bark."""
    angle = torch.atan2(s.local[:, 1], s.local[:, 0])
    rough = noise(4 * angle, s.local[:, 2] / 3, 0.5, s.width * 3)
    return Paint(s.colour * (1 + 0.4 * rough)[:, None])


def pavement(s: Surface) -> Paint:
    """Paint slabs with joints, and the kerb along one side."""
    x, y = s.local[:, 0], s.local[:, 1]
    joints = stripes(x, 0.6, 0.965, s.width) * stripes(y, 0.6, 0.965, s.width)
    tone = chance(torch.floor(x / 0.6), torch.floor(y / 0.6)) - 0.5
    fade = (1 - s.width / 0.6).clamp(min=0)
    colour = s.colour * (0.8 + 0.2 * joints + 0.12 * tone * fade + 0.12 * noise(x, y, 2.5, s.width))[:, None]
    kerb = band(y + s.half[:, 1], -1.0, 0.16, s.width)
    return Paint(
        mix(
            colour, s.colour.new_tensor([0.5, 0.49, 0.47]) * (0.8 + 0.2 * stripes(x, 1.0, 0.98, s.width))[:, None], kerb
        )
    )


def cloth(s: Surface) -> Paint:
    """Paint folds of cloth."""
    folds = noise(s.local[:, 0] + s.local[:, 1], s.local[:, 2], 0.09, s.width)
    return Paint(s.colour * (1 + 0.22 * folds)[:, None])
