# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms, in float64.

Transforms are 4x4 matrices whose names read right to left: ``camera_from_radar @ points_radar``. Lengths are metres.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64Array: TypeAlias = npt.NDArray[np.float64]


def rigid_transform(
    translation: Sequence[float] | Float64Array, rotation_wxyz: Sequence[float] | Float64Array
) -> Float64Array:
    """Return the 4x4 transform with a translation [3] in metres and a quaternion (w, x, y, z).

    Raises ValueError when the quaternion's norm is not within 1 % of 1, or when a value is not finite.
    """
    quaternion = np.asarray(rotation_wxyz, dtype=np.float64)
    norm = np.linalg.norm(quaternion)
    if quaternion.shape != (4,) or not abs(norm - 1.0) < 0.01:
        raise ValueError(f"rotation {rotation_wxyz} is not a unit quaternion (w, x, y, z)")
    w, x, y, z = quaternion / norm
    transform = np.eye(4)
    transform[:3, :3] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    transform[:3, 3] = translation
    if not np.isfinite(transform).all():
        raise ValueError(f"translation {translation} is not three finite numbers")
    return transform


def quaternion_from_transform(transform: npt.ArrayLike) -> Float64Array:
    """Return the rotation of a 4x4 (or 3x3) transform as a unit quaternion (w, x, y, z) with w >= 0.

    The largest of the four components is computed first (Shepperd 1978), so that the result is accurate at any angle.
    """
    m = np.asarray(transform, dtype=np.float64)[:3, :3]
    trace = np.trace(m)
    candidates = np.array([trace, m[0, 0], m[1, 1], m[2, 2]])
    largest = int(np.argmax(candidates))
    if largest == 0:
        q = np.array([1 + trace, m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = m[k, j] - m[j, k]
        q[1 + i] = 1 + m[i, i] - m[j, j] - m[k, k]
        q[1 + j] = m[j, i] + m[i, j]
        q[1 + k] = m[k, i] + m[i, k]
    q /= np.linalg.norm(q)
    return -q if q[0] < 0 else q


def invert(transform: Float64Array) -> Float64Array:
    """Return the inverse of a rigid 4x4 transform."""
    rotation = transform[:3, :3]
    inverse = np.eye(4)
    inverse[:3, :3] = rotation.T
    inverse[:3, 3] = -rotation.T @ transform[:3, 3]
    return inverse


def transform_points(transform: Float64Array, points: npt.ArrayLike) -> Float64Array:
    """Return points [N, 3] moved by a rigid 4x4 transform, as float64 [N, 3]."""
    moved: Float64Array = np.asarray(points, dtype=np.float64) @ transform[:3, :3].T + transform[:3, 3]
    return moved


def interpolate(start: Float64Array, end: Float64Array, fraction: float) -> Float64Array:
    """Return the rigid transform at ``fraction`` of the way from ``start`` to ``end``.

    Translation is linear, rotation spherical-linear; a fraction outside [0, 1] extrapolates.
    """
    q0, q1 = quaternion_from_transform(start), quaternion_from_transform(end)
    cosine = float(q0 @ q1)
    if cosine < 0:  # both signs are the same rotation: interpolate along the shorter way
        q1, cosine = -q1, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:
        quaternion = (1 - fraction) * q0 + fraction * q1
    else:
        quaternion = (np.sin((1 - fraction) * angle) * q0 + np.sin(fraction * angle) * q1) / np.sin(angle)
    translation = (1 - fraction) * start[:3, 3] + fraction * end[:3, 3]
    return rigid_transform(translation, quaternion / np.linalg.norm(quaternion))


def sensor_to_sensor(
    base_from_target: Float64Array,
    base_from_source: Float64Array,
    global_from_base_target: Float64Array | None = None,
    global_from_base_source: Float64Array | None = None,
) -> Float64Array:
    """Return ``target_from_source`` between two sensors of one vehicle, with its motion between their stamps.

    The ego poses are those at the target's and at the source's time stamp; without them it is assumed that
    the vehicle stood still.
    """
    target_from_base = invert(base_from_target)
    if global_from_base_target is None or global_from_base_source is None:
        return target_from_base @ base_from_source
    # The poses are multiplied first: in float64 their product is exact to nanometres, kilometres from the origin.
    base_motion = invert(global_from_base_target) @ global_from_base_source
    return target_from_base @ base_motion @ base_from_source
