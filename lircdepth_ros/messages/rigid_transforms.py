# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Poses and transforms of geometry_msgs to 4x4 matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_ros.messages import protocols


def transform_to_matrix(transform: protocols.Transform) -> npt.NDArray[np.float64]:
    """Return geometry_msgs/Transform as a rigid transform 4x4. Raises ValueError where it is none."""
    return _matrix(transform.translation, transform.rotation)


def pose_to_matrix(pose: protocols.Pose) -> npt.NDArray[np.float64]:
    """Return geometry_msgs/Pose as the rigid transform 4x4 parent <- child. Raises ValueError where it is none."""
    return _matrix(pose.position, pose.orientation)


def _matrix(translation: protocols.Vector3, rotation: protocols.Quaternion) -> npt.NDArray[np.float64]:
    matrix: npt.NDArray[np.float64] = geometry.rigid_transform(
        (translation.x, translation.y, translation.z), (rotation.w, rotation.x, rotation.y, rotation.z)
    )
    return matrix


def unknown_child_text(topic: str, child: str, base_frame: str) -> str:
    """Return what to say about odometry of a frame that no transform leads to."""
    return f"{topic} is of frame {child!r}, to which no transform leads: it is taken for that of {base_frame!r}"
