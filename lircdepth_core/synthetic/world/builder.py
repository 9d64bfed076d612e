# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a seed to a World: the steps that fill a street, in the order that the meaning of a seed depends on."""

from collections.abc import Sequence

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.world import weather
from lircdepth_core.synthetic.world.crowds import add_people
from lircdepth_core.synthetic.world.planning import draw_street
from lircdepth_core.synthetic.world.plots import add_crossing_plots, add_plots
from lircdepth_core.synthetic.world.roadside import add_pavements, add_roadside
from lircdepth_core.synthetic.world.site import Site
from lircdepth_core.synthetic.world.traffic import add_crossing_vehicle, add_parked, add_traffic, add_waiting
from lircdepth_core.synthetic.world.world import World

DIFFICULTIES = {"easy": 0.5, "medium": 1.0, "hard": 1.6}  # how much traffic and how many people
_SETTINGS = ("town", "suburb", "arterial")


def build_world(
    seed: int | Sequence[int],
    corner: tuple[float, float] | None = None,
    weather_name: str | None = None,
    difficulty: str | None = None,
) -> World:
    """Return the World of a seed.

    corner: (x, y) of the south-west corner of the road's extent in global coordinates [m]; drawn between 300 and 500 m
    when it is None. weather_name: one of weather.WEATHERS; difficulty: easy, medium or hard; drawn when they are None.
    Raises LircDepthError for another name.
    """
    random = np.random.default_rng(seed)
    if difficulty is not None and difficulty not in DIFFICULTIES:
        raise LircDepthError(f"difficulty {difficulty!r} is unknown; there are {', '.join(DIFFICULTIES)}")
    drawn = random.choice(list(DIFFICULTIES), p=(0.25, 0.5, 0.25))
    difficulty = str(drawn) if difficulty is None else difficulty
    conditions = weather.draw(np.random.default_rng(random.integers(1 << 32)), weather_name)
    setting = str(random.choice(_SETTINGS, p=(0.5, 0.25, 0.25)))
    site = Site(draw_street(random, setting, corner), setting, DIFFICULTIES[difficulty], random)
    add_pavements(site)
    add_traffic(site)
    add_parked(site)
    add_roadside(site)
    add_plots(site)
    for junction in site.street.junctions:
        for side in (-1, 1):
            add_waiting(site, junction, side)
            add_crossing_plots(site, junction, side)
        add_crossing_vehicle(site, junction)
    add_people(site)
    actors, parts = site.columns()
    return World(
        street=site.street,
        actors=actors,
        parts=parts,
        weather=conditions,
        ego_speed=float(site.ego_speed),
        ego_phase=float(random.uniform(0, 2 * np.pi)),
        ego_offset=float(site.ego_offset),
        lamps=site.lamp_period,
        number=int(np.random.default_rng(seed).integers(1 << 30)),
        difficulty=difficulty,
    )
