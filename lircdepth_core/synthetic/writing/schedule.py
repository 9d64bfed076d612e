# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""When each sensor measures: nuScenes' rates, key frames and chains."""

from dataclasses import dataclass

import numpy as np

from lircdepth_core.synthetic.sensors.rig import MODALITY

KEY_PERIOD = 0.5  # seconds
EPOCH = 1_530_000_000_000_000  # microseconds; scene-9001 starts here, the others an hour apart
_RATES = {"camera": 12, "lidar": 20, "radar": 13}  # Hz
_FIRST_KEY = 0.1  # seconds into the world's time, so that no sensor starts before 0
_FRONT_LEAD = 0.0355  # seconds: CAM_FRONT's


@dataclass(frozen=True)
class Capture:
    """One file of one sensor: time [s] in the world, timestamp [us], the sample it belongs to (the key frame at or
    after it), and whether it is that key frame.
    """

    time: float
    timestamp: int
    sample: int
    is_key_frame: bool


def scene_start(name):
    """Return the time stamp [us] of the world's time 0 of a scene called ``name`` ("scene-9001" and on)."""
    return EPOCH + (int(name.rpartition("-")[2]) - 9001) * 3_600_000_000


def schedule(models, start, duration, seed):
    """Return when the sensors of a scene measure: a dict from channel to a list of Capture.

    Key frames at 2 Hz from the first to ``duration`` seconds later; each sensor records from its first key frame to its
    last, so that each sweep lies between two. A camera fires before the lidar's stamp by its ``lead``; its period
    and the
    lidar's divide the key frames'. Radars run freely: their key frame is the scan nearest to the middle between front
    image and lidar scan, up to 60 ms from the image.
    """
    random = np.random.default_rng(seed)
    keys = _FIRST_KEY + KEY_PERIOD * np.arange(int(duration / KEY_PERIOD + 1e-9) + 1)
    span = keys[-1] - keys[0]
    plan = {}
    for model in models:
        modality = MODALITY[type(model)]
        rate = _RATES[modality]
        if modality == "radar":
            times = random.uniform(0, 1 / rate) + np.arange(int(keys[-1] * rate) + 2) / rate
            key_index = np.abs(times[:, None] - (keys - _FRONT_LEAD / 2)).argmin(0)
        else:
            lead = model.lead if modality == "camera" else 0.0
            times = keys[0] - lead + np.arange(round(span * rate) + 1) / rate
            key_index = np.arange(len(keys)) * round(rate * KEY_PERIOD)
        stamps = start + np.rint(times * 1e6 + random.uniform(-400, 400, len(times))).astype(np.int64)
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
