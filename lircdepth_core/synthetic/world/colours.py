# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Palettes, linear RGB in 0..1, and shades drawn from them."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Colour: TypeAlias = tuple[float, float, float]
Shade: TypeAlias = npt.NDArray[np.float64]  # [3]

WALLS: tuple[Colour, ...] = (
    (0.5, 0.22, 0.15),
    (0.62, 0.55, 0.42),
    (0.42, 0.42, 0.44),
    (0.7, 0.67, 0.62),
    (0.33, 0.19, 0.14),
    (0.6, 0.5, 0.32),
    (0.55, 0.6, 0.64),
    (0.66, 0.42, 0.33),
    (0.48, 0.52, 0.42),
)
ROOFS: tuple[Colour, ...] = ((0.36, 0.14, 0.09), (0.17, 0.17, 0.19), (0.28, 0.2, 0.15))
GREENS: tuple[Colour, ...] = (
    (0.1, 0.21, 0.05),
    (0.16, 0.26, 0.06),
    (0.07, 0.17, 0.07),
    (0.25, 0.27, 0.07),
    (0.34, 0.2, 0.05),
)
PAINTS: tuple[Colour, ...] = (
    (0.82, 0.82, 0.83),
    (0.035, 0.035, 0.04),
    (0.28, 0.3, 0.32),
    (0.55, 0.56, 0.58),
    (0.45, 0.03, 0.03),
    (0.04, 0.09, 0.28),
    (0.6, 0.55, 0.42),
    (0.05, 0.16, 0.1),
    (0.75, 0.42, 0.04),
    (0.16, 0.3, 0.45),
)
LIVERIES: tuple[Colour, ...] = (
    (0.8, 0.8, 0.8),
    (0.75, 0.6, 0.1),
    (0.1, 0.25, 0.5),
    (0.55, 0.08, 0.06),
    (0.15, 0.4, 0.2),
    (0.85, 0.84, 0.78),
)
SKINS: tuple[Colour, ...] = ((0.62, 0.43, 0.34), (0.42, 0.27, 0.2), (0.22, 0.13, 0.09), (0.7, 0.52, 0.43))
CLOTHES: tuple[Colour, ...] = (
    (0.08, 0.09, 0.13),
    (0.35, 0.05, 0.06),
    (0.55, 0.55, 0.52),
    (0.1, 0.18, 0.35),
    (0.3, 0.26, 0.18),
    (0.7, 0.6, 0.1),
    (0.12, 0.28, 0.18),
    (0.5, 0.25, 0.35),
)
HAIRS: tuple[Colour, ...] = ((0.04, 0.03, 0.02), (0.2, 0.12, 0.05), (0.45, 0.33, 0.15), (0.4, 0.4, 0.4))
DARK: Colour = (0.03, 0.03, 0.035)
POLE: Colour = (0.24, 0.25, 0.26)


def pick(random: np.random.Generator, colours: Sequence[Colour], brightest: float = 1.12) -> Shade:
    """Return one of the colours, made darker or brighter by a drawn factor of 0.85 to ``brightest``."""
    return (np.array(colours[random.integers(len(colours))]) * random.uniform(0.85, brightest)).clip(0, 1)
