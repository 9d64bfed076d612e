# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The natural texture of a varied street's surfaces, and the shadows of what stands out of sight."""

import torch

from lircdepth_core.synthetic.render.materials.patterns import noise
from lircdepth_core.synthetic.world.texture import Texture

_COARSEST_M = 6.0
_OCTAVES = 7
_DIRT_HEIGHT_M = 1.6


def natural(texture: Texture, x: torch.Tensor, y: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Return texture [N] around 0 at places (x, y) [N] of a surface, metres; width: [N], what a ray stands for [m]."""
    total, weight, norm, cell = torch.zeros_like(x), 1.0, 0.0, _COARSEST_M
    for octave in range(_OCTAVES):
        value = noise(x + texture.offset + 17.3 * octave, y - 5.1 * octave, cell, width)
        if texture.ridged:
            # Where it averages out the noise is 0, and so must be its ridges: their mean is taken off.
            value = (0.5 - value.abs()) * 2 * (1 - width / cell).clamp_(min=0)
        total += weight * value
        norm += weight**2
        weight, cell = weight * texture.slope, cell / 2.1
    pattern: torch.Tensor = total / norm**0.5
    return pattern


def textured(
    texture: Texture,
    colour: torch.Tensor,
    points: torch.Tensor,
    normal: torch.Tensor,
    above_ground: torch.Tensor,
    width: torch.Tensor,
) -> torch.Tensor:
    """Return colours [N, 3] of surfaces with the texture on them.

    points, normal: [N, 3] in coordinates that stay with the surface, z up. above_ground: [N] metres.
    """
    axis = normal.abs().argmax(1)
    x = torch.where(axis == 0, points[:, 1], points[:, 0])
    y = torch.where(axis == 2, points[:, 1], points[:, 2])
    tone = 1 + texture.strength * natural(texture, x, y, width)
    if texture.dirt:
        upright = (axis != 2).to(tone.dtype)
        low = torch.exp(-above_ground.clamp(min=0) / _DIRT_HEIGHT_M)
        streaks = noise(x + texture.offset, 0.08 * y, 0.3, width).clamp(min=0)
        tone = tone * (1 - texture.dirt * upright * (0.4 * low + 0.3 * streaks))
    return (colour * tone.clamp(0.15, 2.5)[:, None]).clamp(0, 1)


def shadow_of_the_unseen(texture: Texture, points: torch.Tensor, towards: torch.Tensor) -> torch.Tensor:
    """Return the share [N] of the sun's light that reaches points [N, 3] (metres, fixed to the world).

    towards: unit vector to the sun. The pattern is the same along each ray of light.
    """
    first = torch.linalg.cross(towards, towards.roll(1) + towards.new_tensor([0.1, 0.2, 0.3]))
    first = first / first.norm()
    across = points @ torch.stack([first, torch.linalg.cross(towards, first)], dim=1)
    x, y, none = across[:, 0] + texture.offset, across[:, 1], torch.zeros_like(across[:, 0])
    size = texture.shade_size
    value = noise(x, y, size, none) + 0.6 * noise(x, y + 3, size / 2.3, none) + 0.3 * noise(x + 5, y, size / 5.1, none)
    return 1 - texture.shade * (value * 4 + 0.3).clamp(0, 1)
