# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What varied streets are made of: one style to train on, and another one that training never sees.

The unseen style has other walls, other buildings, other weathers, other textures and cameras that look elsewhere. It
was fixed before anything was trained on varied streets. Do not change it, nor the streets that are drawn from it:
figures that are measured on them can only be compared while they stay as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lircdepth_core.synthetic.world.colours import Colour
from lircdepth_core.synthetic.world.parts import Drawing
from lircdepth_core.synthetic.world.varied import buildings
from lircdepth_core.synthetic.world.varied.skies import SKIES, UNSEEN_SKIES, Sky

Building = Callable[[np.random.Generator, float, float, Colour], Drawing]  # (random, front, depth, colour of its wall)


@dataclass(frozen=True)
class Style:
    """The choices of a varied street.

    walls: colours of plain facades. concretes: of pillars, walls and bridges. lorries: of plain lorry sides.
    buildings: each draws one. skies: kinds of light with their chances. ridged: see Texture. usual_plots: whether some
    plots have the usual street's buildings. bearings: directions of cameras to the left of straight ahead [degrees]
    with their chances, None: those of nuScenes' mountings.
    """

    walls: tuple[Colour, ...]
    concretes: tuple[Colour, ...]
    lorries: tuple[Colour, ...]
    buildings: tuple[Building, ...]
    skies: tuple[tuple[Sky, float], ...]
    ridged: bool
    usual_plots: bool = True
    bearings: tuple[tuple[float, float], ...] | None = None


VARIED = Style(
    walls=(
        (0.86, 0.86, 0.85),
        (0.78, 0.77, 0.74),
        (0.7, 0.7, 0.71),
        (0.55, 0.55, 0.56),
        (0.42, 0.42, 0.43),
        (0.8, 0.76, 0.66),
        (0.68, 0.6, 0.47),
        (0.6, 0.42, 0.33),
        (0.33, 0.31, 0.3),
        (0.62, 0.68, 0.72),
    ),
    concretes=((0.5, 0.5, 0.49), (0.42, 0.42, 0.42), (0.58, 0.57, 0.54), (0.34, 0.34, 0.35), (0.66, 0.66, 0.65)),
    lorries=((0.85, 0.85, 0.85), (0.75, 0.76, 0.78), (0.5, 0.52, 0.55), (0.16, 0.26, 0.5), (0.6, 0.12, 0.08)),
    buildings=(buildings.blank_block, buildings.punched_block, buildings.warehouse, buildings.arcade),
    skies=SKIES,
    ridged=False,
)
UNSEEN = Style(
    walls=((0.9, 0.84, 0.8), (0.5, 0.47, 0.4), (0.74, 0.8, 0.76), (0.36, 0.4, 0.46), (0.64, 0.5, 0.52)),
    concretes=((0.46, 0.44, 0.4), (0.62, 0.63, 0.66), (0.38, 0.4, 0.4)),
    lorries=((0.8, 0.82, 0.76), (0.42, 0.44, 0.42), (0.1, 0.4, 0.42)),
    buildings=(buildings.panel_tower, buildings.boarded_house, buildings.stepped_block),
    skies=UNSEEN_SKIES,
    ridged=True,
    usual_plots=False,
    bearings=((0.0, 0.4), (28.0, 0.12), (-34.0, 0.12), (82.0, 0.1), (-88.0, 0.1), (150.0, 0.08), (-164.0, 0.08)),
)
