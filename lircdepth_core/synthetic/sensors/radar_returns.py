# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From exact echoes to the 18 fields of nuScenes: noise, the sensor's resolutions, and states.

The states are as frequent as in real files.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lircdepth_core.radar import PCD_DTYPE
from lircdepth_core.synthetic.sensors.rig import RadarModel
from lircdepth_core.synthetic.world.world import World

_POSITION_STEP_M = 0.2
_SPEED_STEP_M_S = 0.25
_MOVING_M_S = 0.5  # a faster target is reported as moving
_YOUNG_SHARE = 0.057  # just detected: class, ambiguity and accuracy are not known yet
# Values of a field and how often each of them is reported.
_ACCURACIES = {
    "x_rms": ((19, 20, 21, 22), (0.58, 0.285, 0.12, 0.015)),
    "y_rms": ((19, 20, 21, 22, 23), (0.455, 0.285, 0.155, 0.08, 0.025)),
    "vx_rms": ((16, 17, 18, 19), (0.763, 0.18, 0.045, 0.012)),
    "vy_rms": ((3,), (1.0,)),
}
_AMBIGUITIES = (0, 1, 2, 3), (0.011, 0.024, 0.006, 0.959)
# 0 valid; 4, 9, 10, 11, 15 and 16 valid with a caveat; 7 and others not (ARS 408 InvalidState)
_VALIDITIES = (0, 3, 4, 7, 9, 10, 11, 15, 16), (0.52, 0.01, 0.108, 0.056, 0.085, 0.007, 0.124, 0.023, 0.067)
_FALSE_ALARMS = (1, 3, 6), (0.6, 0.333, 0.067)  # probability of a false alarm below 25, 75, 99.9 %


@dataclass(frozen=True)
class Echoes:
    """N echoes, all but their cross section exact.

    distance: [m]. bearing: [rad]. rcs: [dBsm]. speed: of the target over ground along the line of sight [m/s], positive
    when receding. heading: of the target [rad].
    """

    distance: npt.NDArray[np.float64]
    bearing: npt.NDArray[np.float64]
    rcs: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]
    heading: npt.NDArray[np.float64]

    def __getitem__(self, index: npt.NDArray[np.int64]) -> "Echoes":
        """Return the echoes ``index``."""
        return Echoes(*(values[index] for values in vars(self).values()))

    def joined(self, others: "Echoes") -> "Echoes":
        """Return these echoes and then others."""
        return Echoes(*map(np.concatenate, zip(vars(self).values(), vars(others).values(), strict=True)))


def report(
    world: World,
    radar: RadarModel,
    time: float,
    pose: npt.NDArray[np.float64],
    generator: np.random.Generator,
    echoes: Echoes,
) -> npt.NDArray[np.void]:
    """Return echoes as a radar reports them: structured array [N] of dtype radar.PCD_DTYPE, nearest first.

    pose: 4x4, global_from_sensor, at a time [s].
    """
    n = len(echoes.distance)
    crossing = np.abs(np.sin(echoes.heading - echoes.bearing)) > 0.9
    speed = echoes.speed + generator.normal(0, radar.speed_noise, n)
    distance = echoes.distance + generator.normal(0, radar.range_noise, n)
    bearing = echoes.bearing + np.radians(generator.normal(0, radar.azimuth_noise, n))
    sight = np.column_stack([np.cos(bearing), np.sin(bearing)])
    position = np.rint(sight * distance[:, None] / _POSITION_STEP_M) * _POSITION_STEP_M
    moving = np.abs(speed) > _MOVING_M_S
    relative = speed[:, None] * sight + _apparent_motion(world, time, pose, position)
    across = generator.normal(0, 1.2, n) * moving  # the sensor guesses a mover's tangential speed
    relative += across[:, None] * sight[:, ::-1] * (-1, 1)

    returns = np.zeros(n, dtype=PCD_DTYPE)
    returns["x"], returns["y"] = position.T
    returns["rcs"] = np.clip(np.rint(echoes.rcs * 2) / 2, -5, 60)
    returns["vx"], returns["vy"] = (np.rint(relative / _SPEED_STEP_M_S) * _SPEED_STEP_M_S).T
    returns["vx_comp"], returns["vy_comp"] = (speed[:, None] * sight).T
    returns["dyn_prop"] = _dynamic_property(generator, distance, speed, moving, crossing)
    young = generator.random(n) < _YOUNG_SHARE
    returns["dyn_prop"][young] = 4
    returns["is_quality_valid"] = 1
    returns["ambig_state"] = np.where(young, 0, _drawn(generator, n, *_AMBIGUITIES))
    for name, choices in _ACCURACIES.items():
        returns[name] = np.where(young, 0, _drawn(generator, n, *choices))
    returns["invalid_state"] = _drawn(generator, n, *_VALIDITIES)
    returns["pdh0"] = _drawn(generator, n, *_FALSE_ALARMS)
    returns = returns[np.argsort(distance, kind="stable")]
    returns["id"] = np.arange(n)
    return returns


def _drawn(
    generator: np.random.Generator, count: int, values: tuple[int, ...], chances: tuple[float, ...]
) -> npt.NDArray[np.int64]:
    return generator.choice(values, count, p=chances)


def _dynamic_property(
    generator: np.random.Generator,
    distance: npt.NDArray[np.float64],
    speed: npt.NDArray[np.float64],
    moving: npt.NDArray[np.bool_],
    crossing: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Return the ARS 408's DynProp [N].

    0 moving, 1 stationary, 2 oncoming, 3 stationary candidate (the more often, the farther away), 4 unknown, 5 crossing
    stationary, 6 crossing moving, 7 stopped.
    """
    n = len(distance)
    candidate = generator.random(n) < np.clip(0.16 + 0.0042 * distance, 0, 0.75)
    fixed = np.where(candidate, 3, 1)
    rare = generator.random(n)
    fixed = np.where(rare < 0.01, np.where(rare < 0.004, 5, 7), fixed)
    return np.where(moving, np.where(crossing, 6, np.where(speed < 0, 2, 0)), fixed)


def _apparent_motion(
    world: World, time: float, pose: npt.NDArray[np.float64], point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how fixed points [N, 2] of the sensor's frame seem to move [N, 2], m/s."""
    velocity, yaw_rate = world.ego_motion(time)
    lever = pose[:3, 3] - world.ego_pose(time)[:3, 3]
    velocity = velocity + yaw_rate * np.array([-lever[1], lever[0], 0.0])
    turning: npt.NDArray[np.float64] = yaw_rate * np.column_stack([-point[:, 1], point[:, 0]])
    return -(velocity @ pose[:3, :3])[:2] - turning
