# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Points of one material as its painter sees them, in coordinates of the part itself."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from lircdepth_core.synthetic.render.materials.patterns import chance, stripes

GLASS = (0.02, 0.025, 0.03)


class Paint(NamedTuple):
    """colour: [N, 3]. glow: the light that the surface sends out itself, [N, 3], None for none."""

    colour: torch.Tensor
    glow: torch.Tensor | None = None


@dataclass(frozen=True)
class Surface:
    """N points of one material.

    colour: [N, 3] of the part. local: [N, 3] from the part's centre [m] and normal: [N, 3], both in the part's frame.
    half: [N, 3] and slopes: [N, 3] of the part. width: [N], what a ray stands for on the surface [m]. variant: [N] in
    0..1. dark: whether lamps are lit.
    """

    colour: torch.Tensor
    local: torch.Tensor
    normal: torch.Tensor
    half: torch.Tensor
    slopes: torch.Tensor
    width: torch.Tensor
    variant: torch.Tensor
    dark: bool

    @property
    def height(self) -> torch.Tensor:
        """Metres above the part's lower end, [N]."""
        return self.local[:, 2] + self.half[:, 2]

    @property
    def unit(self) -> torch.Tensor:
        """The points in terms of the part's half sizes, [N, 3]."""
        return self.local / self.half

    def on_wall(self) -> torch.Tensor:
        """Return 1 where the surface is upright, else 0: [N]."""
        return (self.normal[:, 2].abs() < 0.7).to(self.colour.dtype)

    def on_end(self) -> torch.Tensor:
        """Return where the surface faces along the part's x axis rather than its y axis: bool [N]."""
        return self.normal[:, 0].abs() > self.normal[:, 1].abs()

    def along_wall(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the horizontal distance along the wall from its end, and the wall's length: [N] each, metres."""
        end = self.on_end()
        span = torch.where(end, self.half[:, 1], self.half[:, 0])
        return torch.where(end, self.local[:, 1], self.local[:, 0]) + span, 2 * span


def letters(u: torch.Tensor, width: torch.Tensor, pitch: float) -> torch.Tensor:
    """Return strokes [N] that look like writing along u [N]: most cells of a row hold one."""
    cell = torch.floor(u / pitch)
    number = chance(cell, cell * 0 + 17)
    return stripes(u / pitch - 0.12, 1.0, 0.62, width / pitch) * (number > 0.18)
