# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weather and time of day: what lights a scene and what its camera makes of it."""

from dataclasses import dataclass

import numpy as np

from lircdepth_core.errors import LircDepthError

WEATHERS = ("clear", "clouds", "overcast", "wet", "haze", "dusk", "night", "wet-night")


@dataclass(frozen=True)
class Weather:
    """Light and air of a scene.

    sun: unit vector towards the sun (for shade without sun: straight up). sun_light, sky_light: RGB radiance of direct
    and of diffuse light; horizon, zenith: RGB of the sky; clouds: cover in 0..1; haze: extinction [1/m]; wet: 0..1;
    dark: lamps are lit. Camera: exposure (factor), balance (RGB factors), noise (standard deviation at mid grey, of
    255), vignette (loss in the corners), jpeg (quality).
    """

    name: str
    sun: tuple
    sun_light: tuple
    sky_light: tuple
    horizon: tuple
    zenith: tuple
    clouds: float
    haze: float
    wet: float
    dark: bool
    exposure: float
    balance: tuple
    noise: float
    vignette: float
    jpeg: int


# elevation of the sun [degrees], direct light, diffuse light, horizon, zenith, clouds, haze, wet, dark, noise
_PRESETS = {
    "clear": (
        (22, 62),
        (1.9, 1.8, 1.6),
        (0.42, 0.5, 0.62),
        (0.72, 0.83, 0.95),
        (0.16, 0.34, 0.72),
        0.12,
        4e-4,
        0,
        0,
        1.2,
    ),
    "clouds": (
        (25, 60),
        (1.5, 1.45, 1.35),
        (0.55, 0.6, 0.68),
        (0.8, 0.86, 0.93),
        (0.25, 0.43, 0.75),
        0.55,
        6e-4,
        0,
        0,
        1.3,
    ),
    "overcast": (None, (0, 0, 0), (1.05, 1.08, 1.12), (0.84, 0.86, 0.88), (0.66, 0.69, 0.73), 0.95, 1.2e-3, 0, 0, 1.6),
    "wet": (None, (0, 0, 0), (0.8, 0.84, 0.9), (0.72, 0.75, 0.79), (0.5, 0.54, 0.6), 0.95, 3.5e-3, 1.0, 0, 1.9),
    "haze": (
        (15, 40),
        (0.75, 0.7, 0.6),
        (0.75, 0.77, 0.8),
        (0.86, 0.86, 0.85),
        (0.62, 0.68, 0.76),
        0.3,
        9e-3,
        0,
        0,
        1.6,
    ),
    "dusk": (
        (4, 10),
        (1.15, 0.68, 0.36),
        (0.3, 0.33, 0.46),
        (0.95, 0.63, 0.42),
        (0.2, 0.26, 0.48),
        0.4,
        1.2e-3,
        0,
        1,
        2.2,
    ),
    "night": (None, (0, 0, 0), (0.022, 0.025, 0.036), (0.05, 0.045, 0.05), (0.008, 0.01, 0.02), 0.3, 8e-4, 0, 1, 5.0),
    "wet-night": (
        None,
        (0, 0, 0),
        (0.02, 0.022, 0.03),
        (0.05, 0.045, 0.05),
        (0.012, 0.013, 0.02),
        0.9,
        2e-3,
        1.0,
        1,
        5.5,
    ),
}


def draw(random, name=None):
    """Return the Weather called ``name`` with everything else drawn from a numpy Generator; any of them when it is
    None.

    Raises LircDepthError for a name that is not in WEATHERS.
    """
    drawn = WEATHERS[random.choice(len(WEATHERS), p=(0.24, 0.18, 0.14, 0.1, 0.08, 0.1, 0.1, 0.06))]
    name = drawn if name is None else name
    if name not in _PRESETS:
        raise LircDepthError(f"weather {name!r} is unknown; there are {', '.join(WEATHERS)}")
    elevation, sun, sky, horizon, zenith, clouds, haze, wet, dark, noise = _PRESETS[name]
    height, azimuth = random.uniform(0, 1), random.uniform(-np.pi, np.pi)
    towards = (0.0, 0.0, 1.0)
    if elevation is not None:
        angle = np.radians(elevation[0] + height * (elevation[1] - elevation[0]))
        towards = (np.cos(angle) * np.cos(azimuth), np.cos(angle) * np.sin(azimuth), np.sin(angle))
    warmth = random.uniform(-0.06, 0.06)
    return Weather(
        name,
        tuple(map(float, towards)),
        sun,
        sky,
        horizon,
        zenith,
        float(np.clip(clouds + random.uniform(-0.1, 0.1), 0, 1)),
        float(haze * random.uniform(0.7, 1.4)),
        float(wet),
        bool(dark),
        float(random.uniform(0.86, 1.16)),
        (1 + warmth, 1.0 + random.uniform(-0.015, 0.015), 1 - warmth),
        noise * float(random.uniform(0.7, 1.3)),
        float(random.uniform(0.1, 0.3)),
        int(random.integers(82, 95)),
    )
