# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the sensors of a bag are: mounting from a calibration or /tf_static, ego motion from odometry or /tf."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.matching.poses import CalibrationPoses, Transform
from lircdepth_ros.messages.definitions import Message
from lircdepth_ros.messages.rigid_transforms import pose_to_matrix, transform_to_matrix
from lircdepth_ros.messages.stamps import stamp_to_ns


class BagPoses:
    """A PoseSource that is fed with a bag's messages, in the bag's order.

    topics: of the bag. calibration: the mounting; without one that of the bag's /tf_static. Ego motion is that of the
    odometry topic, or else of the transform fixed_frame -> base_link in /tf.
    """

    def __init__(
        self,
        topics: Collection[str],
        calibration: Calibration | None = None,
        odometry_topic: str = "/odom",
        fixed_frame: str = "odom",
    ) -> None:
        self._poses = CalibrationPoses(calibration)
        self._fixed_frame = fixed_frame
        self._static: dict[str, tuple[str, Transform]] = {}  # child frame: (parent frame, parent <- child)
        self._ego_topic = next((topic for topic in (odometry_topic, "/tf") if topic in topics), None)
        wanted = {self._ego_topic} if calibration is not None else {self._ego_topic, "/tf_static"}
        self.topics = wanted & set(topics)

    def add(self, topic: str, message: Message) -> None:
        """Take a message of one of ``topics``. Raises LircDepthError for a transform that is not rigid."""
        if topic == "/tf_static":
            for stamped in message.transforms:
                parent, child = stamped.header.frame_id.lstrip("/"), stamped.child_frame_id.lstrip("/")
                self._static[child] = parent, _rigid(transform_to_matrix, stamped.transform)
            self._poses.calibration = Calibration(dict(mounting(self._static)))
        elif topic == "/tf":
            for stamped in message.transforms:
                if (stamped.header.frame_id, stamped.child_frame_id) == (self._fixed_frame, BASE_FRAME):
                    pose = _rigid(transform_to_matrix, stamped.transform)
                    self._poses.add_pose(stamp_to_ns(stamped.header.stamp), pose)
        else:
            pose = _rigid(pose_to_matrix, message.pose.pose)
            self._poses.add_pose(stamp_to_ns(message.header.stamp), pose)

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """See PoseSource."""
        return self._ego_topic is None or self._poses.ready(camera_frame, camera_stamp, sensor_frame, sensor_stamp)

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """See PoseSource."""
        if self._poses.calibration is None:
            raise LircDepthError("the bag has no /tf_static so far: give a calibration file")
        return self._poses.camera_from_sensor(camera_frame, camera_stamp, sensor_frame, sensor_stamp)


def mounting(static: Mapping[str, tuple[str, Transform]]) -> Iterator[tuple[str, Transform]]:
    """Yield (frame, base_link <- frame) of every frame that hangs on base_link.

    static: {child frame: (parent frame, parent <- child)}.
    """
    for frame in static:
        transform, at, steps = np.eye(4), frame, 0
        while at in static and at != BASE_FRAME and steps <= len(static):  # a circle of frames has no end
            parent, parent_from_child = static[at]
            transform = parent_from_child if steps == 0 else parent_from_child @ transform
            at, steps = parent, steps + 1
        if at == BASE_FRAME:
            yield frame, transform


def _rigid(matrix_of: Callable[[Message], Transform], message: Message) -> Transform:
    try:
        return matrix_of(message)
    except ValueError as error:
        raise LircDepthError(f"the bag has a transform that is not rigid: {error}") from error
