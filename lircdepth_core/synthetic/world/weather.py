# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weather and time of day: the light and the air of a scene, and the settings of its camera."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from lircdepth_core.errors import LircDepthError

Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class Weather:
    """Light and air of a scene.

    sun: unit vector towards the sun (straight up where there is no sun). sun_light, sky_light: RGB radiance of direct
    and of diffuse light. horizon, zenith: RGB of the sky. clouds: cover in 0..1. haze: extinction [1/m]. wet: 0..1.
    dark: whether lamps are lit. Of the camera: exposure (factor), balance (RGB factors), noise (standard deviation at
    mid grey, of 255), vignette (loss in the corners), jpeg (quality).
    """

    name: str
    sun: Colour
    sun_light: Colour
    sky_light: Colour
    horizon: Colour
    zenith: Colour
    clouds: float
    haze: float
    wet: float
    dark: bool
    exposure: float
    balance: Colour
    noise: float
    vignette: float
    jpeg: int


class _Preset(NamedTuple):
    """What a weather starts from; elevation: lowest and highest of the sun [degrees], None without sun."""

    elevation: tuple[float, float] | None
    sun_light: Colour
    sky_light: Colour
    horizon: Colour
    zenith: Colour
    clouds: float
    haze: float
    noise: float
    wet: float = 0.0
    dark: bool = False
    chance: float = 0.0


_NO_SUN = (0.0, 0.0, 0.0)
_PRESETS = {
    "clear": _Preset(
        elevation=(22, 62),
        sun_light=(1.9, 1.8, 1.6),
        sky_light=(0.42, 0.5, 0.62),
        horizon=(0.72, 0.83, 0.95),
        zenith=(0.16, 0.34, 0.72),
        clouds=0.12,
        haze=4e-4,
        noise=1.2,
        chance=0.24,
    ),
    "clouds": _Preset(
        elevation=(25, 60),
        sun_light=(1.5, 1.45, 1.35),
        sky_light=(0.55, 0.6, 0.68),
        horizon=(0.8, 0.86, 0.93),
        zenith=(0.25, 0.43, 0.75),
        clouds=0.55,
        haze=6e-4,
        noise=1.3,
        chance=0.18,
    ),
    "overcast": _Preset(
        elevation=None,
        sun_light=_NO_SUN,
        sky_light=(1.05, 1.08, 1.12),
        horizon=(0.84, 0.86, 0.88),
        zenith=(0.66, 0.69, 0.73),
        clouds=0.95,
        haze=1.2e-3,
        noise=1.6,
        chance=0.14,
    ),
    "wet": _Preset(
        elevation=None,
        sun_light=_NO_SUN,
        sky_light=(0.8, 0.84, 0.9),
        horizon=(0.72, 0.75, 0.79),
        zenith=(0.5, 0.54, 0.6),
        clouds=0.95,
        haze=3.5e-3,
        noise=1.9,
        wet=1.0,
        chance=0.1,
    ),
    "haze": _Preset(
        elevation=(15, 40),
        sun_light=(0.75, 0.7, 0.6),
        sky_light=(0.75, 0.77, 0.8),
        horizon=(0.86, 0.86, 0.85),
        zenith=(0.62, 0.68, 0.76),
        clouds=0.3,
        haze=9e-3,
        noise=1.6,
        chance=0.08,
    ),
    "dusk": _Preset(
        elevation=(4, 10),
        sun_light=(1.15, 0.68, 0.36),
        sky_light=(0.3, 0.33, 0.46),
        horizon=(0.95, 0.63, 0.42),
        zenith=(0.2, 0.26, 0.48),
        clouds=0.4,
        haze=1.2e-3,
        noise=2.2,
        dark=True,
        chance=0.1,
    ),
    "night": _Preset(
        elevation=None,
        sun_light=_NO_SUN,
        sky_light=(0.022, 0.025, 0.036),
        horizon=(0.05, 0.045, 0.05),
        zenith=(0.008, 0.01, 0.02),
        clouds=0.3,
        haze=8e-4,
        noise=5.0,
        dark=True,
        chance=0.1,
    ),
    "wet-night": _Preset(
        elevation=None,
        sun_light=_NO_SUN,
        sky_light=(0.02, 0.022, 0.03),
        horizon=(0.05, 0.045, 0.05),
        zenith=(0.012, 0.013, 0.02),
        clouds=0.9,
        haze=2e-3,
        noise=5.5,
        wet=1.0,
        dark=True,
        chance=0.06,
    ),
}
WEATHERS = tuple(_PRESETS)


def draw(random: np.random.Generator, name: str | None = None) -> Weather:
    """Return the Weather called ``name`` (any of them when it is None), with everything else drawn.

    Raises LircDepthError for a name that is not in WEATHERS.
    """
    drawn = WEATHERS[random.choice(len(WEATHERS), p=[preset.chance for preset in _PRESETS.values()])]
    name = drawn if name is None else name
    if name not in _PRESETS:
        raise LircDepthError(f"weather {name!r} is unknown; there are {', '.join(WEATHERS)}")
    preset = _PRESETS[name]
    height, azimuth = random.uniform(0, 1), random.uniform(-np.pi, np.pi)
    towards = (0.0, 0.0, 1.0)
    if preset.elevation is not None:
        lowest, highest = preset.elevation
        angle = np.radians(lowest + height * (highest - lowest))
        towards = (
            float(np.cos(angle) * np.cos(azimuth)),
            float(np.cos(angle) * np.sin(azimuth)),
            float(np.sin(angle)),
        )
    warmth = random.uniform(-0.06, 0.06)
    # Several arguments draw, and Python evaluates them in this order: do not sort them.
    return Weather(
        name=name,
        sun=towards,
        sun_light=preset.sun_light,
        sky_light=preset.sky_light,
        horizon=preset.horizon,
        zenith=preset.zenith,
        clouds=float(np.clip(preset.clouds + random.uniform(-0.1, 0.1), 0, 1)),
        haze=float(preset.haze * random.uniform(0.7, 1.4)),
        wet=preset.wet,
        dark=preset.dark,
        exposure=float(random.uniform(0.86, 1.16)),
        balance=(1 + warmth, 1.0 + random.uniform(-0.015, 0.015), 1 - warmth),
        noise=preset.noise * float(random.uniform(0.7, 1.3)),
        vignette=float(random.uniform(0.1, 0.3)),
        jpeg=int(random.integers(82, 95)),
    )
