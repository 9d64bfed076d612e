# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the sensors of a bag are: mounting from a calibration or /tf_static, ego motion from odometry or /tf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.geometry.frame_tree import FrameTree, frame_name
from lircdepth_core.matching.account import Account
from lircdepth_core.matching.poses import Transform
from lircdepth_ros.bags.reading import BagAccount, read_messages, require_type
from lircdepth_ros.messages.definitions import Message
from lircdepth_ros.messages.rigid_transforms import pose_to_matrix, transform_to_matrix, unknown_child_text
from lircdepth_ros.messages.stamps import stamp_to_ns

if TYPE_CHECKING:
    from rosbags.rosbag2 import Reader

_STATIC, _MOVING = "/tf_static", "/tf"
_TF_MESSAGE, _ODOMETRY = "tf2_msgs/msg/TFMessage", "nav_msgs/msg/Odometry"
_ODOMETRY_PARENT = "odom"  # of odometry that names no frame


class BagPoses:
    """A PoseSource that is fed with a bag's messages, in the bag's order: a tree of frames over time.

    topics: {topic: type} of the bag. calibration: the mounting, which goes before that of /tf_static. Ego motion is
    that of the odometry topic where the bag has it, else of /tf, through fixed_frame; without one through "odom" or the
    root of the tree. base_frame: the vehicle's frame, where odometry names none that is known, and in the calibration.
    Raises LircDepthError for a topic of another type.
    """

    def __init__(
        self,
        topics: Mapping[str, str],
        calibration: Calibration | None = None,
        odometry_topic: str = "/odom",
        fixed_frame: str = "",
        base_frame: str = BASE_FRAME,
    ) -> None:
        self._tree = FrameTree()
        self._fixed_frame, self._base_frame = frame_name(fixed_frame), frame_name(base_frame)
        self._calibrated = set(calibration.base_from_sensor) if calibration is not None else set()
        for frame, transform in calibration.base_from_sensor.items() if calibration is not None else ():
            self._tree.add_static(base_frame, frame, transform)
        self._odometry_topic = odometry_topic if odometry_topic in topics else None
        self._odometry_child: str | None = None
        self.caution = ""  # what was assumed about the odometry
        self.topics = {odometry_topic, _MOVING, _STATIC} & set(topics)
        for topic in self.topics:
            require_type(topics, topic, _ODOMETRY if topic == self._odometry_topic else _TF_MESSAGE)
        self._may_move = bool(self.topics - {_STATIC})

    def read_static(self, reader: Reader) -> None:
        """Take the first transform of each frame in a bag's /tf_static, wherever in the bag it comes."""
        connections = [connection for connection in reader.connections if connection.topic == _STATIC]
        if not connections or _STATIC not in self.topics:
            return
        account = BagAccount()
        for connection, log_time, data in read_messages(reader, connections):
            message = account.decode(connection, log_time, data)
            for stamped in message.transforms if message is not None else ():
                if not self._tree.ancestors(stamped.child_frame_id)[1:]:
                    try:
                        self._add_static(stamped)
                    except ValueError:
                        continue  # it is named when it comes in its turn

    def add(self, topic: str, message: Message) -> None:
        """Take a message of one of ``topics``. Raises LircDepthError for a transform that is not rigid."""
        try:
            if topic == self._odometry_topic:
                self._add_odometry(message)
                return
            for stamped in message.transforms:
                if topic == _STATIC:
                    self._add_static(stamped)
                else:
                    self._add_moving(stamped)
        except ValueError as error:
            raise LircDepthError(f"a transform that is not rigid: {error}") from error

    def _add_static(self, stamped: Message) -> None:
        child = frame_name(stamped.child_frame_id)
        if child not in self._calibrated:
            self._tree.add_static(stamped.header.frame_id, child, transform_to_matrix(stamped.transform))

    def _add_moving(self, stamped: Message) -> None:
        child = frame_name(stamped.child_frame_id)
        if child not in self._calibrated and child != self._odometry_child:
            transform = transform_to_matrix(stamped.transform)
            self._tree.add(stamped.header.frame_id, child, stamp_to_ns(stamped.header.stamp), transform)

    def _add_odometry(self, message: Message) -> None:
        pose = pose_to_matrix(message.pose.pose)
        child = frame_name(message.child_frame_id)
        if child not in self._tree:
            if child not in ("", self._base_frame):
                self.caution = unknown_child_text(self._odometry_topic or "", child, self._base_frame)
            child = self._base_frame
        self._odometry_child = child
        parent = frame_name(message.header.frame_id) or _ODOMETRY_PARENT
        self._tree.add(parent, child, stamp_to_ns(message.header.stamp), pose)

    def _fixed(self, camera_frame: str, sensor_frame: str) -> str | None:
        return self._fixed_frame or self._tree.fixed_frame(camera_frame, sensor_frame)

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """See PoseSource."""
        if not self._may_move:
            return True
        try:
            fixed = self._fixed(camera_frame, sensor_frame)
        except LircDepthError:
            return False
        return (
            fixed is not None
            and self._tree.covers(camera_frame, fixed, camera_stamp)
            and self._tree.covers(sensor_frame, fixed, sensor_stamp)
        )

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """See PoseSource."""
        if not self._tree.frames:
            raise LircDepthError("the bag has no /tf_static: give a calibration file")
        fixed = self._fixed(camera_frame, sensor_frame)
        return self._tree.sensor_to_sensor(camera_frame, camera_stamp, sensor_frame, sensor_stamp, fixed)

    def fixed_from_sensor(self, sensor_frame: str, stamp: int) -> Transform | None:
        """Return where a sensor is at a stamp, in the frame in which the world stands still; None if not known."""
        try:
            fixed = self._fixed(sensor_frame, sensor_frame)
        except LircDepthError:
            return None
        return None if fixed is None else self._tree.lookup(fixed, sensor_frame, stamp)

    def motionless(self) -> str:
        """Return why frames are without ego motion, as far as the whole bag tells."""
        if not self._may_move:
            return "the bag has neither odometry nor /tf"
        if self._fixed_frame and self._fixed_frame not in self._tree:
            return f"no transform leads to the fixed frame {self._fixed_frame!r}; known: {', '.join(self._tree.frames)}"
        if not self._tree.moves:
            return "no transform of the bag moves"
        through = self._fixed_frame or "the root of the tree"
        return f"no pose of the vehicle in {through} is known at the stamps of image and scan"


def add_pose(
    poses: BagPoses, topic: str, message: Message, now: int, account: Account, bag_account: BagAccount
) -> None:
    """Give the poses a message of theirs that was logged at ``now``; one that they refuse is counted as damaged."""
    try:
        poses.add(topic, message)
    except LircDepthError as error:
        bag_account.damaged[topic] += 1
        account.note(f"{topic} at {now}: {error}")
