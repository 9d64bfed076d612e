# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the radars are, seen from the camera: from tf2, or from a calibration file and odometry."""

from nav_msgs.msg import Odometry

from lircdepth_core import geometry, radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.geometry.trajectory import Trajectory
from lircdepth_ros.depth_node import qos
from lircdepth_ros.messages.stamps import stamp_to_ns

try:
    import tf2_ros
except ImportError:  # wheels alone have no tf2
    tf2_ros = None


_MAX_EXTRAPOLATION = 100_000_000  # nanoseconds


def make_transforms(node, settings):
    """Return the source of transforms that the parameters ask for. Raises LircDepthError when it is not to be had.

    It listens from ``start`` to ``stop``.
    """
    source = settings["transform_source"]
    if source == "auto":
        source = "tf" if tf2_ros is not None else "calibration"
    if source == "tf":
        if tf2_ros is None:
            raise LircDepthError("transform_source is 'tf', but tf2_ros is not installed; use 'calibration'")
        return TfTransforms(node, settings["fixed_frame"])
    if not settings["calibration_file"]:
        raise LircDepthError(
            "calibration_file is empty, and tf2_ros is not installed or not wanted: set calibration_file to the "
            "calibration.yaml that says where the sensors are (the converter writes one into each bag)"
        )
    return CalibrationTransforms(node, settings["calibration_file"], settings["odometry_topic"])


class CalibrationTransforms:
    """Mounting from calibration.yaml; ego motion from nav_msgs/Odometry."""

    def __init__(self, node, calibration_file, odometry_topic):
        self._calibration = Calibration.load(calibration_file)
        self._trajectory = Trajectory(max_extrapolation=_MAX_EXTRAPOLATION)
        self._node = node
        self._topic = odometry_topic
        self._subscription = None

    def start(self):
        self._trajectory = Trajectory(max_extrapolation=_MAX_EXTRAPOLATION)
        self._subscription = qos.create_subscription(self._node, Odometry, self._topic, self._add, depth=100)

    def stop(self):
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None

    def _add(self, message):
        position, rotation = message.pose.pose.position, message.pose.pose.orientation
        try:
            pose = geometry.rigid_transform(
                (position.x, position.y, position.z), (rotation.w, rotation.x, rotation.y, rotation.z)
            )
        except ValueError as error:
            self._node.statistics.count("poses_refused")
            self._node.say_once("odometry", f"{self._topic}: pose left out: {error}")
            return
        self._trajectory.add(stamp_to_ns(message.header.stamp), pose)
        self._node.match_frames()

    def forget_after(self, stamp):
        """Forget poses later than ``stamp`` [ns]: time has gone back to before them."""
        self._trajectory.forget_after(stamp)

    def ready(self, _camera_frame, camera_stamp, _radar_frame, radar_stamp):
        """Whether waiting longer would not give a better answer."""
        if not len(self._trajectory):
            return self._node.count_publishers(self._topic) == 0
        return self._trajectory.covers(camera_stamp) and self._trajectory.covers(radar_stamp)

    def camera_from_radar(self, camera_frame, camera_stamp, radar_frame, radar_stamp):
        """Return (4x4 transform, whether ego motion between the stamps [ns] is in it). Raises LircDepthError."""
        camera_pose = self._trajectory.pose_at(camera_stamp)
        radar_pose = self._trajectory.pose_at(radar_stamp)
        transform = geometry.sensor_to_sensor(
            self._calibration.transform("base_link", camera_frame),
            self._calibration.transform("base_link", radar_frame),
            camera_pose,
            radar_pose,
        )
        return transform, camera_pose is not None and radar_pose is not None

    def describe(self):
        return f"calibration file, ego motion from {self._topic}"


class TfTransforms:
    """Mounting and ego motion from tf2, through the fixed frame."""

    def __init__(self, node, fixed_frame):
        self._node = node
        self._fixed_frame = fixed_frame
        self._buffer = tf2_ros.Buffer()

    def start(self):
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)

    def stop(self):
        self._listener.unregister()

    def forget_after(self, _stamp):
        """Forget what was heard: tf2 takes no older transform after a newer one."""
        self._buffer.clear()

    def ready(self, camera_frame, camera_stamp, radar_frame, radar_stamp):
        """Whether waiting longer would not give a better answer."""
        return self._buffer.can_transform_full(
            camera_frame, _time(camera_stamp), radar_frame, _time(radar_stamp), self._fixed_frame
        )

    def camera_from_radar(self, camera_frame, camera_stamp, radar_frame, radar_stamp):
        """Return (4x4 transform, whether ego motion between the stamps [ns] is in it). Raises LircDepthError."""
        camera_pose, radar_pose = self._pose(camera_frame, camera_stamp), self._pose(radar_frame, radar_stamp)
        if camera_pose is not None and radar_pose is not None:
            return geometry.invert(camera_pose) @ radar_pose, True
        try:  # the vehicle's motion is not known: is at least the mounting?
            return _matrix(self._buffer.lookup_transform(camera_frame, radar_frame, _time(0))), False
        except tf2_ros.TransformException as error:
            raise LircDepthError(f"tf: {error}") from error

    def _pose(self, frame, stamp):
        """Return fixed <- frame at ``stamp``, or None. A little past the newest transform the motion goes on."""
        try:
            return _matrix(self._buffer.lookup_transform(self._fixed_frame, frame, _time(stamp)))
        except tf2_ros.TransformException:
            pass
        try:
            latest = self._buffer.lookup_transform(self._fixed_frame, frame, _time(0))
            newest = stamp_to_ns(latest.header.stamp)
            if not newest < stamp <= newest + _MAX_EXTRAPOLATION:
                return None
            before = self._buffer.lookup_transform(self._fixed_frame, frame, _time(newest - _MAX_EXTRAPOLATION))
        except tf2_ros.TransformException:
            return None
        fraction = 1 + (stamp - newest) / _MAX_EXTRAPOLATION
        return geometry.interpolate(_matrix(before), _matrix(latest), fraction)

    def describe(self):
        return f"tf, ego motion through {self._fixed_frame}"


def radar_inputs(match, camera_frame, transforms, velocity_compensation, leave_out):
    """Return a match's radar scans as DepthPipeline takes them, and whether one of them lacks ego motion.

    Scans of ``match`` hold (RadarScan, frame). With velocity compensation returns of moving things are moved on to the
    image's time. A scan without a transform is left out, and told to ``leave_out(radar, error)``.
    """
    radars, standing = [], False
    for name, newest in match.scans.items():
        for scan in (newest, *match.past.get(name, ())):
            returns, frame = scan.data
            try:
                transform, moved = transforms.camera_from_radar(camera_frame, match.stamp, frame, scan.stamp)
                if velocity_compensation:
                    mounting, _ = transforms.camera_from_radar(camera_frame, match.stamp, frame, match.stamp)
                    seconds = (match.stamp - scan.stamp) / 1e9
                    returns = radar.move_to(returns, geometry.invert(mounting) @ transform, seconds)
                    transform = mounting
            except LircDepthError as error:
                leave_out(name, error)
                continue
            standing |= not moved
            radars.append((returns, transform))
    return radars, standing


def _time(nanoseconds):
    from rclpy.time import Time

    return Time(nanoseconds=nanoseconds)


def _matrix(stamped):
    translation, rotation = stamped.transform.translation, stamped.transform.rotation
    return geometry.rigid_transform(
        (translation.x, translation.y, translation.z), (rotation.w, rotation.x, rotation.y, rotation.z)
    )
