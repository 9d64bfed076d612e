# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames out of a bag without DDS: images matched with clouds in log order, and the transforms between them.

Matching is the node's (lircdepth_core.matching), its clock being the bag's log time; transforms are those of the node
with a calibration file, whose mounting may also come from the bag's /tf_static. No ROS is needed.
"""

import sys
from collections import deque

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_core.geometry.trajectory import Trajectory
from lircdepth_core.matching.assembler import FrameAssembler
from lircdepth_ros.messages.stamps import stamp_to_ns

ODOMETRY, TRANSFORM = "nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage"


class BagTransforms:
    """Mounting from a Calibration or the bag's /tf_static; ego motion from odometry or /tf, as it is read.

    topics: {topic: message type} of the bag. calibration: a Calibration, or None.
    """

    def __init__(self, topics, calibration=None, odometry_topic="/odom", fixed_frame="odom"):
        self._calibration, self._given, self._fixed_frame = calibration, calibration is not None, fixed_frame
        self._parents = {}  # child frame: (parent frame, parent <- child), of /tf_static
        self._trajectory = Trajectory()
        self._ego_topic = next((topic for topic in (odometry_topic, "/tf") if topic in topics), None)
        wanted = {self._ego_topic} if self._given else {self._ego_topic, "/tf_static"}
        self.topics = wanted & set(topics)

    def add(self, topic, message):
        """Take a message of one of ``topics``."""
        if topic == "/tf_static":
            for stamped in message.transforms:
                parent, child = stamped.header.frame_id.lstrip("/"), stamped.child_frame_id.lstrip("/")
                self._parents[child] = (parent, _rigid(stamped.transform.translation, stamped.transform.rotation))
            if not self._given:
                self._calibration = Calibration(dict(self._mounting()))
        elif topic == "/tf":
            for stamped in message.transforms:
                if (stamped.header.frame_id, stamped.child_frame_id) == (self._fixed_frame, BASE_FRAME):
                    pose = _rigid(stamped.transform.translation, stamped.transform.rotation)
                    self._trajectory.add(stamp_to_ns(stamped.header.stamp), pose)
        else:
            pose = message.pose.pose
            self._trajectory.add(stamp_to_ns(message.header.stamp), _rigid(pose.position, pose.orientation))

    def _mounting(self):
        """Yield (frame, base_link <- frame) of every frame that hangs on base_link."""
        for frame in self._parents:
            transform, at, steps = np.eye(4), frame, 0
            while at in self._parents and at != BASE_FRAME and steps <= len(self._parents):
                parent, parent_from_child = self._parents[at]
                transform = parent_from_child if steps == 0 else parent_from_child @ transform
                at, steps = parent, steps + 1
            if at == BASE_FRAME:
                yield frame, transform

    def ready(self, camera_stamp, radar_stamp):
        """Whether waiting longer would not give a better answer."""
        if self._ego_topic is None:
            return True
        return self._trajectory.covers(camera_stamp) and self._trajectory.covers(radar_stamp)

    def camera_from_sensor(self, camera_frame, camera_stamp, frame, stamp):
        """Return (4x4 transform, whether ego motion between the stamps [ns] is in it). Raises LircDepthError."""
        if self._calibration is None:
            raise LircDepthError("the bag has no /tf_static so far: give a calibration file")
        camera_pose, pose = self._trajectory.pose_at(camera_stamp), self._trajectory.pose_at(stamp)
        transform = geometry.sensor_to_sensor(
            self._calibration.transform(BASE_FRAME, camera_frame),
            self._calibration.transform(BASE_FRAME, frame),
            camera_pose,
            pose,
        )
        return transform, camera_pose is not None and pose is not None


def _rigid(translation, rotation):
    try:
        return geometry.rigid_transform(
            (translation.x, translation.y, translation.z), (rotation.w, rotation.x, rotation.y, rotation.z)
        )
    except ValueError as error:
        raise LircDepthError(f"the bag has a transform that is none: {error}") from error


class FrameMatcher:
    """Feeds a FrameAssembler in log order. A match's image is (message, log time); a scan's data is (cloud, frame).

    window, max_wait: seconds, as the node's sync_window and max_wait. decode: makes a cloud of a PointCloud2.
    """

    def __init__(self, cloud_topics, decode, transforms, window, max_wait):
        self._decode, self._transforms = decode, transforms
        self._assembler = FrameAssembler(
            cloud_topics, window=round(window * 1e9), max_wait=round(max_wait * 1e9), ready=self._is_ready
        )
        self._waiting = deque()  # log times of the images that wait
        self.camera_info = None
        self.refused = []

    def _is_ready(self, match):
        return self.camera_info is not None and all(
            self._transforms.ready(match.stamp, scan.stamp) for scan in match.scans.values()
        )

    @property
    def oldest(self):
        """Log time of the oldest image that waits, or None."""
        return self._waiting[0] if self._waiting else None

    def add_image(self, message, log_time):
        stamp = stamp_to_ns(message.header.stamp)
        self._assembler.add_image(stamp, (message, log_time), log_time)
        self._waiting.append(log_time)
        while len(self._waiting) > self._assembler.pending:  # time went back: those before wait no more
            self._waiting.popleft()

    def add_cloud(self, topic, message):
        """Take a cloud; one that cannot be read is noted in ``refused``."""
        try:
            data = (self._decode(message), message.header.frame_id)
        except LircDepthError as error:
            self.refused.append(f"{topic}: {error}")
            return
        self._assembler.add_scan(topic, stamp_to_ns(message.header.stamp), data)

    def poll(self, now=sys.maxsize):
        """Yield the matches that are final at log time ``now``; at the bag's end: all."""
        for match in self._assembler.poll(now):
            self._waiting.popleft()
            yield match
