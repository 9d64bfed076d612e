# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node's two sources of poses: a calibration file with odometry, and tf2. Both are PoseSources of the core."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.time import Time

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.geometry.frame_tree import frame_name
from lircdepth_core.matching.poses import CalibrationPoses, PoseSource, Transform
from lircdepth_ros.depth_node import qos
from lircdepth_ros.depth_node.journal import SharedJournal
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.rigid_transforms import pose_to_matrix, transform_to_matrix, unknown_child_text
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

try:
    import tf2_ros
except ImportError:  # wheels alone have no tf2
    tf2_ros = None

if TYPE_CHECKING:
    from geometry_msgs.msg import TransformStamped

_MAX_EXTRAPOLATION_NS = 100_000_000
_ODOMETRY_QUEUE_DEPTH = 100
_PATIENCE_S = 2.0  # after which a pose that never came is not waited for, frame by frame


class NodePoses(PoseSource, Protocol):
    """A PoseSource that listens while the node is active. Its answers may be asked for in any thread."""

    def start(self, journal: SharedJournal, on_pose: Callable[[], None]) -> None:
        """Listen; call ``on_pose`` after each pose, where the source hears of it. Raises LircDepthError."""

    def stop(self) -> None:
        """Listen no more."""

    def forget_after(self, stamp: int) -> None:
        """Forget poses later than ``stamp`` [ns]: time has gone back to before them."""

    def describe(self) -> str:
        """Return where the mounting and the ego motion come from."""


def make_poses(node: Node, settings: Settings) -> NodePoses:
    """Return the source of poses that the parameters ask for. Raises LircDepthError where it cannot be had."""
    source = settings.transform_source
    if source == "auto":
        source = "tf" if tf2_ros is not None else "calibration"
    if source == "tf":
        if tf2_ros is None:
            raise LircDepthError("transform_source is 'tf', but tf2_ros is not installed; use 'calibration'")
        return TfPoses(node, settings.fixed_frame)
    if not settings.calibration_file:
        raise LircDepthError(
            "calibration_file is empty, and tf2_ros is not installed or not wanted: set calibration_file to the "
            "calibration.yaml that says where the sensors are (the converter writes one into each bag)"
        )
    return OdometryPoses(node, settings.calibration_file, settings.odometry_topic)


class OdometryPoses(CalibrationPoses):
    """Mounting from calibration.yaml; ego motion from nav_msgs/Odometry."""

    def __init__(self, node: Node, calibration_file: str, odometry_topic: str) -> None:
        super().__init__(Calibration.load(calibration_file))
        self._node = node
        self._topic, self._name = odometry_topic, node.resolve_topic_name(odometry_topic)
        self._subscription: Subscription[Odometry] | None = None
        self._patience = _Patience()
        self._lock = threading.Lock()  # the worker asks while poses come

    def add_pose(self, stamp: int, fixed_from_base: Transform) -> None:
        """See CalibrationPoses."""
        with self._lock:
            super().add_pose(stamp, fixed_from_base)

    def forget_after(self, stamp: int) -> None:
        """See NodePoses."""
        with self._lock:
            super().forget_after(stamp)

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """See PoseSource."""
        with self._lock:
            return super().camera_from_sensor(camera_frame, camera_stamp, sensor_frame, sensor_stamp)

    def start(self, journal: SharedJournal, on_pose: Callable[[], None]) -> None:
        """See NodePoses."""
        assert self.calibration is not None, "it was loaded from the file"
        mounting = self.calibration.base_from_sensor

        def add(message: Odometry) -> None:
            try:
                pose = pose_to_matrix(message.pose.pose)
            except ValueError as error:
                journal.count("poses_refused")
                journal.say_once("odometry", f"{self._name}: pose left out: {error}")
                return
            self._patience.restore()
            child = frame_name(message.child_frame_id)
            if child in mounting:  # odometry of the rear axle, say
                pose = pose @ geometry.invert(mounting[child])
            elif child not in ("", BASE_FRAME):
                journal.say_once("odometry frame", unknown_child_text(self._name, child, BASE_FRAME))
            self.add_pose(stamp_to_ns(message.header.stamp), pose)
            on_pose()

        self.forget_after(-1)  # all poses of an earlier activation
        self._patience.restore()
        self._subscription = qos.create_subscription(
            self._node, Odometry, self._topic, add, journal, depth=_ODOMETRY_QUEUE_DEPTH
        )

    def stop(self) -> None:
        """See NodePoses."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """See PoseSource. Odometry that nobody publishes, or that has been silent for long, is not waited for."""
        if self.has_poses:
            ready = super().ready(camera_frame, camera_stamp, sensor_frame, sensor_stamp)
        else:
            ready = self._node.count_publishers(self._name) == 0
        return ready or self._patience.is_over()

    def describe(self) -> str:
        """See NodePoses."""
        return f"calibration file, ego motion from {self._name}"


class TfPoses:
    """Mounting and ego motion from tf2, through the fixed frame."""

    def __init__(self, node: Node, fixed_frame: str) -> None:
        self._node = node
        self._fixed_frame = frame_name(fixed_frame)
        self._buffer = tf2_ros.Buffer()
        self._listener: tf2_ros.TransformListener | None = None
        self._patience = _Patience()

    def start(self, journal: SharedJournal, on_pose: Callable[[], None]) -> None:
        """See NodePoses. tf2 does not tell of new transforms: the node asks ``ready`` again and again."""
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        self._patience.restore()

    def stop(self) -> None:
        """See NodePoses."""
        if self._listener is not None:
            self._listener.unregister()
        self._listener = None

    def forget_after(self, stamp: int) -> None:
        """Forget everything that was heard: tf2 takes no older transform after a newer one."""
        self._buffer.clear()

    def ready(self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int) -> bool:
        """See PoseSource. Where the vehicle's motion never came, or has been silent for long, it is not waited for."""
        camera_frame, sensor_frame = frame_name(camera_frame), frame_name(sensor_frame)
        if self._buffer.can_transform_full(
            camera_frame, _time(camera_stamp), sensor_frame, _time(sensor_stamp), self._fixed_frame
        ):
            return True
        if not self._buffer.can_transform(camera_frame, sensor_frame, _time(0)):
            return False  # not even the mounting is known yet
        try:
            latest = self._buffer.lookup_transform(self._fixed_frame, camera_frame, _time(0))
        except tf2_ros.TransformException:
            return self._patience.is_over()
        self._patience.restore()
        return camera_stamp - stamp_to_ns(latest.header.stamp) > _PATIENCE_S * NANOSECONDS_PER_SECOND

    def camera_from_sensor(
        self, camera_frame: str, camera_stamp: int, sensor_frame: str, sensor_stamp: int
    ) -> tuple[Transform, bool]:
        """See PoseSource."""
        camera_frame, sensor_frame = frame_name(camera_frame), frame_name(sensor_frame)
        camera_pose, sensor_pose = self._pose(camera_frame, camera_stamp), self._pose(sensor_frame, sensor_stamp)
        if camera_pose is not None and sensor_pose is not None:
            return geometry.invert(camera_pose) @ sensor_pose, True
        try:  # without the vehicle's motion the mounting may still be known
            return _matrix(self._buffer.lookup_transform(camera_frame, sensor_frame, _time(0))), False
        except tf2_ros.TransformException as error:
            raise LircDepthError(f"tf: {error}") from error

    def _pose(self, frame: str, stamp: int) -> Transform | None:
        """Return fixed <- frame at ``stamp``, or None. A little past the newest transform the motion goes on."""
        try:
            return _matrix(self._buffer.lookup_transform(self._fixed_frame, frame, _time(stamp)))
        except tf2_ros.TransformException:
            pass
        try:
            latest = self._buffer.lookup_transform(self._fixed_frame, frame, _time(0))
            newest = stamp_to_ns(latest.header.stamp)
            if not newest < stamp <= newest + _MAX_EXTRAPOLATION_NS:
                return None
            before = self._buffer.lookup_transform(self._fixed_frame, frame, _time(newest - _MAX_EXTRAPOLATION_NS))
        except tf2_ros.TransformException:
            return None
        fraction = 1 + (stamp - newest) / _MAX_EXTRAPOLATION_NS
        pose: Transform = geometry.interpolate(_matrix(before), _matrix(latest), fraction)
        return pose

    def describe(self) -> str:
        """See NodePoses."""
        return f"tf, ego motion through {self._fixed_frame}"


class _Patience:
    """How long frames are held back for poses that do not come: from the first that was, for some seconds."""

    def __init__(self) -> None:
        self._since: float | None = None  # time.monotonic()

    def restore(self) -> None:
        """Begin again: a pose came."""
        self._since = None

    def is_over(self) -> bool:
        """Return whether frames have been held back for too long; the first call begins the time."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since > _PATIENCE_S


def _time(nanoseconds: int) -> Time:
    return Time(nanoseconds=nanoseconds)


def _matrix(stamped: TransformStamped) -> Transform:
    return transform_to_matrix(stamped.transform)
