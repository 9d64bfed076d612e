# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes' lidar files, and the times at which their points were measured."""

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError

LIDAR_PERIOD_S = 0.05  # the lidar turns 20 times a second
_POINT_BYTES = 20  # five float32 values


def decode_lidar(data: bytes, source: object = "lidar file") -> npt.NDArray[np.float32]:
    """Return a nuScenes .pcd.bin file as float32 [N, 5]: x, y, z [m], intensity, ring. Raises LircDepthError."""
    if not data or len(data) % _POINT_BYTES:
        raise LircDepthError(f"{source}: truncated: {len(data)} bytes, expected a multiple of {_POINT_BYTES}")
    return np.frombuffer(data, "<f4").reshape(-1, 5)


def lidar_point_times(rings: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return each point's time relative to the scan's stamp as float32 [N] seconds, in (-LIDAR_PERIOD_S, 0].

    rings: [N], in file order. nuScenes stamps a scan at the end of its turn and keeps no time for a point. A file holds
    one firing of all rings after another, so that a point's place in the file tells its time. On the real sample, the
    cameras were triggered within 4 ms of the time at which the beam passed them by this rule.
    """
    numbers = np.asarray(rings)
    if not len(numbers):
        return np.zeros(0, np.float32)
    to_come = np.zeros(len(numbers), np.float32)  # firings that begin after a point's own
    to_come[:-1] = np.cumsum((numbers[1:] <= numbers[:-1])[::-1], dtype=np.int32)[::-1]
    return 0 - to_come * np.float32(LIDAR_PERIOD_S / (to_come[0] + 1))
