# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Natural texture of a varied street: what lies on all its surfaces, beside what their materials show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Texture:
    """Texture whose spectrum falls with the frequency, as in natural pictures, and shadows of things out of sight.

    strength: of the texture, as a share of a surface's brightness. slope: by which factor an octave is weaker than the
    next coarser one. ridged: whether it has sharp ridges (cracks, veins) in place of soft blots. dirt: how dark walls
    become towards the ground, and how strong streaks are that run down them, 0..1. shade: share of the sunlight that
    things which are not modelled (leaves, clouds, wires) keep away where they do. shade_size: of their shadows [m].
    offset: moves the patterns, so that two streets do not show the same ones [m].
    """

    strength: float
    slope: float
    ridged: bool
    dirt: float
    shade: float
    shade_size: float
    offset: float
