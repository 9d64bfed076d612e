# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""When each sensor measures: nuScenes' rates, key frames and chains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lircdepth_core.synthetic.sensors.rig import LIDAR_DELAY_S, CameraModel, RadarModel, SensorModel, modality

KEY_PERIOD_S = 0.5
EPOCH_US = 1_530_000_000_000_000  # scene-9001 starts here
_SCENE_PERIOD_US = 3_600_000_000  # from the start of a scene to that of the next
_FIRST_SCENE_NUMBER = 9001
_RATES_HZ = {"camera": 12, "lidar": 20, "radar": 13}
_FIRST_KEY_S = 0.1  # into the world's time, so that no sensor starts before 0
_JITTER_US = 400


@dataclass(frozen=True)
class Capture:
    """One file of one sensor.

    time: in the world [s]. timestamp: [us]. sample: the number of the sample it belongs to, whose key frame is at or
    after it. is_key_frame: whether it is that key frame.
    """

    time: float
    timestamp: int
    sample: int
    is_key_frame: bool


def scene_start(name: str) -> int:
    """Return the time stamp [us] of the world's time 0 of a scene called ``name`` ("scene-9001" and on)."""
    return EPOCH_US + (int(name.rpartition("-")[2]) - _FIRST_SCENE_NUMBER) * _SCENE_PERIOD_US


def schedule(
    models: Iterable[SensorModel], start: int, duration: float, seed: int | Sequence[int]
) -> dict[str, list[Capture]]:
    """Return when the sensors of a scene measure: a dict from channel to a list of Capture.

    start: time stamp of the world's time 0 [us]. Key frames come at 2 Hz from the first to ``duration`` seconds later;
    each sensor records from its first key frame to its last, so that each sweep lies between two. A camera fires before
    the lidar's stamp by its ``lead``; its period and the lidar's divide that of the key frames. Radars run freely:
    their key frame is the scan nearest to the middle between front image and lidar scan, up to 60 ms from the image.
    """
    random = np.random.default_rng(seed)
    keys = _FIRST_KEY_S + KEY_PERIOD_S * np.arange(int(duration / KEY_PERIOD_S + 1e-9) + 1)
    span = keys[-1] - keys[0]
    plan = {}
    for model in models:
        rate = _RATES_HZ[modality(model)]
        if isinstance(model, RadarModel):
            times = random.uniform(0, 1 / rate) + np.arange(int(keys[-1] * rate) + 2) / rate
            key_index = np.abs(times[:, None] - (keys - LIDAR_DELAY_S / 2)).argmin(0)
        else:
            lead = model.lead if isinstance(model, CameraModel) else 0.0
            times = keys[0] - lead + np.arange(round(span * rate) + 1) / rate
            key_index = np.arange(len(keys)) * round(rate * KEY_PERIOD_S)
        stamps = start + np.rint(times * 1e6 + random.uniform(-_JITTER_US, _JITTER_US, len(times))).astype(np.int64)
        plan[model.channel] = [
            Capture(
                (int(stamps[i]) - start) * 1e-6,
                int(stamps[i]),
                int(np.searchsorted(key_index, i)),
                bool(i in key_index),
            )
            for i in range(key_index[0], key_index[-1] + 1)
        ]
    return plan
