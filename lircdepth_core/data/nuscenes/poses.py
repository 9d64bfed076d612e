# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms of nuScenes' records, between sensors and over time, and velocities from poses, in metres."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

_ROUNDING_S = 1e-9  # far below the microsecond of nuScenes' stamps, so that poses just ``half_window`` apart count


def base_from_sensor(calibrated_sensor: Record) -> Float64Array:
    """Return the 4x4 transform base_link <- sensor of a calibrated_sensor record."""
    return _transform(calibrated_sensor, "calibrated_sensor")


def global_from_base(ego_pose: Record) -> Float64Array:
    """Return the 4x4 transform global <- base_link of an ego_pose record."""
    return _transform(ego_pose, "ego_pose")


def _transform(record: Record, table: str) -> Float64Array:
    try:
        return geometry.rigid_transform(record["translation"], record["rotation"])
    except ValueError as error:
        raise LircDepthError(f"{table} {record['token']}: {error}") from error


def camera_from_sensor(nusc: "NuScenes", camera_record: Record, sensor_record: Record) -> Float64Array:
    """Return the 4x4 transform from a sensor at its stamp to a camera at its own stamp, through both ego poses."""
    records = camera_record, sensor_record
    base_from_camera, base_from_source = (
        base_from_sensor(nusc.get("calibrated_sensor", record["calibrated_sensor_token"])) for record in records
    )
    at_camera, at_sensor = (global_from_base(nusc.get("ego_pose", record["ego_pose_token"])) for record in records)
    return geometry.sensor_to_sensor(base_from_camera, base_from_source, at_camera, at_sensor)


def body_twists(
    stamps: npt.ArrayLike, poses: npt.ArrayLike, half_window: float = 0.025
) -> tuple[Float64Array, Float64Array]:
    """Return linear [N, 3] m/s and angular [N, 3] rad/s velocity in the body frame, by finite differences.

    stamps: [N] seconds, ascending. poses: [N, 4, 4], fixed frame <- body. The difference is taken between the nearest
    poses at least ``half_window`` seconds before and after, where there are any: nuScenes' sensors fire microseconds
    apart, and a difference over microseconds would be noise. A single pose has velocity zero.
    """
    times, transforms = np.asarray(stamps, dtype=np.float64), np.asarray(poses, dtype=np.float64)
    window = half_window - _ROUNDING_S
    before = np.maximum(np.searchsorted(times, times - window, side="right") - 1, 0)
    after = np.minimum(np.searchsorted(times, times + window, side="left"), len(times) - 1)
    duration = (times[after] - times[before])[:, None]
    duration[duration == 0] = np.inf  # a single pose
    rotations, positions = transforms[:, :3, :3], transforms[:, :3, 3]
    linear = np.einsum("nji,nj->ni", rotations, (positions[after] - positions[before]) / duration)
    turned = np.einsum("nji,njk->nik", rotations[before], rotations[after])
    quaternions = np.array([geometry.quaternion_from_transform(rotation) for rotation in turned])
    sines = np.linalg.norm(quaternions[:, 1:], axis=1, keepdims=True)
    angles = 2 * np.arctan2(sines, quaternions[:, :1])
    angular = quaternions[:, 1:] * np.divide(angles, sines, out=np.full_like(angles, 2.0), where=sines > 0) / duration
    return linear, angular
