# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Skies and light of varied streets: from blown-out white over the grey of concrete to dark."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from lircdepth_core.synthetic.world import weather
from lircdepth_core.synthetic.world.weather import Colour, Weather

Sky: TypeAlias = Callable[[np.random.Generator], Weather]


def _tinted(random: np.random.Generator, level: float, spread: float = 0.06) -> Colour:
    red, green, blue = level * np.exp(random.normal(0, spread, 3))
    return float(red), float(green), float(blue)


def _camera(random: np.random.Generator, light: Weather) -> Weather:
    """Return the weather as a camera of a wider kind sees it: other exposure, balance, vignette and noise."""
    warmth = random.uniform(-0.12, 0.12)
    return replace(
        light,
        exposure=float(np.exp(random.normal(0.0, 0.35))),
        balance=(1 + warmth, 1 + random.uniform(-0.03, 0.03), 1 - warmth),
        vignette=float(random.uniform(0.0, 0.5)),
        noise=light.noise * float(random.uniform(0.3, 2.0)),
        jpeg=int(random.integers(35, 96)),
    )


def usual(random: np.random.Generator) -> Weather:
    """Draw one of the usual weathers, with stronger differences of light."""
    drawn = _camera(random, weather.draw(random))
    share = float(np.exp(random.normal(0, 0.25)))
    return replace(drawn, sun_light=_scaled(drawn.sun_light, share), sky_light=_scaled(drawn.sky_light, 1 / share))


def white(random: np.random.Generator) -> Weather:
    """Draw a sky that the camera cannot hold: white all over, with sun behind the cloud or without."""
    drawn = weather.draw(random, str(random.choice(["overcast", "haze", "clouds", "wet"], p=(0.5, 0.2, 0.2, 0.1))))
    level = random.uniform(1.3, 5.0)
    clouds = 0.0 if random.random() < 0.6 else drawn.clouds
    horizon = _tinted(random, level, 0.03)
    return replace(
        _camera(random, drawn), horizon=horizon, zenith=_scaled(horizon, random.uniform(0.7, 1.1)), clouds=clouds
    )


def grey(random: np.random.Generator) -> Weather:
    """Draw an overcast sky of the grey that concrete has under it, even or with a soft pattern."""
    drawn = weather.draw(random, "wet" if random.random() < 0.2 else "overcast")
    horizon = _tinted(random, random.uniform(0.18, 0.8), 0.05)
    zenith = _scaled(horizon, random.uniform(0.65, 1.15))
    clouds = 0.0 if random.random() < 0.5 else drawn.clouds
    return replace(
        _camera(random, drawn),
        horizon=horizon,
        zenith=zenith,
        clouds=clouds,
        haze=drawn.haze * random.uniform(0.2, 1.5),
    )


def dim(random: np.random.Generator) -> Weather:
    """Draw a dark day: before rain, or after sunset with lamps."""
    drawn = weather.draw(random, str(random.choice(["overcast", "wet", "dusk", "night"], p=(0.45, 0.25, 0.25, 0.05))))
    level = random.uniform(0.05, 0.25)
    horizon = _tinted(random, level, 0.12)
    light = drawn.sky_light if drawn.dark else _scaled(drawn.sky_light, random.uniform(0.15, 0.4))
    return replace(
        _camera(random, drawn), horizon=horizon, zenith=_scaled(horizon, random.uniform(0.4, 1.0)), sky_light=light
    )


def _scaled(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return red * float(factor), green * float(factor), blue * float(factor)


SKIES: tuple[tuple[Sky, float], ...] = ((usual, 0.4), (white, 0.22), (grey, 0.26), (dim, 0.12))


def low_sun(random: np.random.Generator) -> Weather:
    """Draw the light of a low winter sun: long shadows, a yellow horizon, broken cloud."""
    drawn = _camera(random, weather.draw(random, "clear"))
    azimuth, elevation = random.uniform(-np.pi, np.pi), np.radians(random.uniform(11, 19))
    across = float(np.cos(elevation))
    sun = (across * float(np.cos(azimuth)), across * float(np.sin(azimuth)), float(np.sin(elevation)))
    return replace(
        drawn,
        name="low sun",
        sun=sun,
        sun_light=(1.7, 1.35, 0.95),
        sky_light=(0.36, 0.4, 0.5),
        horizon=(0.95, 0.88, 0.66),
        zenith=(0.32, 0.5, 0.74),
        clouds=float(random.uniform(0.6, 0.75)),
    )


def storm(random: np.random.Generator) -> Weather:
    """Draw a storm: a leaden zenith over a bright horizon."""
    drawn = _camera(random, weather.draw(random, "wet" if random.random() < 0.3 else "overcast"))
    bright = random.uniform(0.9, 1.6)
    return replace(
        drawn,
        name="storm",
        sky_light=(0.55, 0.58, 0.6),
        horizon=(bright, 0.98 * bright, 0.86 * bright),
        zenith=(0.2, 0.23, 0.25),
        clouds=float(random.uniform(0.5, 0.8)),
    )


def mist(random: np.random.Generator) -> Weather:
    """Draw mist that swallows what is farther than a few hundred metres."""
    drawn = _camera(random, weather.draw(random, "overcast"))
    level = random.uniform(0.5, 1.2)
    colour = (level, 1.01 * level, 1.05 * level)
    return replace(
        drawn, name="mist", horizon=colour, zenith=colour, clouds=0.0, haze=float(random.uniform(4e-3, 1.4e-2))
    )


UNSEEN_SKIES: tuple[tuple[Sky, float], ...] = ((low_sun, 0.4), (storm, 0.35), (mist, 0.25))
