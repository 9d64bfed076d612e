# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The street's six cameras and five radars, as the synthetic nuScenes car has them, for tests and benchmarks.

Messages come out of a bag that the generator and the converter made, as they are or with other stamps.
"""

import array
import json
from collections import defaultdict
from contextlib import closing

from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from lircdepth_core import synthetic
from lircdepth_ros import cli
from rig import header, stamp_of

CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
MS = 1_000_000
SPEED = 8.0  # m/s, straight ahead, of the poses that ``SurroundRig.send_round`` sends


def make_bag(folder, seconds, size=None):
    """Render a scene with all sensors into a bag below ``folder``, and return the bag. size: (width, height)."""
    root = synthetic.generate(folder / "root", 1, 3, seconds, synthetic.suite("all", size))
    scene = json.loads((root / "v1.0-mini/scene.json").read_text())[0]["name"]
    arguments = ["nuscenes-to-bag", "--dataroot", root, "--scene", scene, "-o", folder / "bag"]
    assert cli.main(list(map(str, arguments))) == 0
    return folder / "bag"


class SurroundRig:
    """Publishes what the bag has, and listens to depth and diagnostics of every camera.

    depth: {camera: its depth images so far}. status: {camera: the latest values}, level and message likewise. sent:
    {camera: images so far}. unbalanced: reports in which an image was lost from the account. raw: whether images are
    published decoded.
    """

    def __init__(self, node, bag, cameras=CAMERAS, raw=False):
        from diagnostic_msgs.msg import DiagnosticArray
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

        from lircdepth_ros.bags.reading import open_bag, read_messages

        self.node, self.bag, self.cameras = node, bag, cameras
        self._image = "image_rect" if raw else "image_rect/compressed"
        self.calibration = bag / "calibration.yaml"
        quality = QoSProfile(depth=100)
        kinds = {
            "sensor_msgs/msg/CompressedImage": CompressedImage,
            "sensor_msgs/msg/CameraInfo": CameraInfo,
            "sensor_msgs/msg/PointCloud2": PointCloud2,
            "nav_msgs/msg/Odometry": Odometry,
        }
        self.recorded, self._publishers, self._first = [], {}, {}
        with closing(open_bag(bag)) as reader:
            for connection, _, data in read_messages(reader):
                topic, kind = connection.topic, kinds.get(connection.msgtype)
                if kind is None or topic.startswith("/LIDAR"):
                    continue
                message = deserialize_message(bytes(data), kind)
                if raw and kind is CompressedImage:
                    topic, kind, message = topic.removesuffix("/compressed"), Image, decoded(message)
                self.recorded.append((topic, message))
                self._first.setdefault(topic, message)
                if topic not in self._publishers:
                    self._publishers[topic] = node.create_publisher(kind, topic, quality)
        self.depth = {camera: [] for camera in cameras}
        self.sent = dict.fromkeys(cameras, 0)
        self.status, self.level, self.message = defaultdict(dict), {}, {}
        self.unbalanced = []
        for camera in cameras:
            node.create_subscription(Image, f"/{camera}/depth/image", self.depth[camera].append, quality)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, quality)

    def _on_diagnostics(self, array):
        for status in array.status:
            camera = status.name.rpartition(" ")[2].strip("()")
            self.status[camera] = values = {pair.key: pair.value for pair in status.values}
            self.level[camera], self.message[camera] = status.level, status.message
            done = self.count(camera, "frames_out") + self.count(camera, "dropped")
            causes = sum(int(value) for name, value in values.items() if name.startswith("dropped_"))
            if (self.count(camera, "frames_in"), self.count(camera, "dropped")) != (
                done + self.count(camera, "frames_waiting"),
                causes,
            ):
                self.unbalanced.append((camera, values))

    def count(self, camera, name):
        return int(self.status[camera].get(name, 0))

    def publish(self, topic, message):
        """Publish a message on a recorded topic."""
        self._publishers[topic].publish(message)
        camera = topic.split("/")[1]
        if topic.removesuffix("/compressed") == f"/{camera}/image_rect" and camera in self.sent:
            self.sent[camera] += 1

    def send(self, topic, stamp, frame=None):
        """Publish the first recorded message of a topic with another stamp."""
        message = self._first[topic]
        message.header = header(stamp, frame or message.header.frame_id)
        self.publish(topic, message)

    def send_camera(self, camera, stamp, info=True):
        """Send an image and its camera_info."""
        if info:
            self.send(f"/{camera}/camera_info", stamp)
        self.send(f"/{camera}/{self._image}", stamp)

    def send_pose(self, stamp, start):
        """Send the pose of a vehicle that drives straight ahead since ``start`` [ns]."""
        pose = self._first["/odom"]
        pose.header = header(stamp, "odom")
        position, rotation = pose.pose.pose.position, pose.pose.pose.orientation
        position.x, position.y, position.z = SPEED * (stamp - start) / 1e9, 0.0, 0.0
        rotation.x, rotation.y, rotation.z, rotation.w = 0.0, 0.0, 0.0, 1.0
        self.publish("/odom", pose)

    def send_scans(self, stamp):
        """Send a scan of each radar."""
        for topic in self._first:
            if topic.startswith("/RADAR"):
                self.send(topic, stamp)

    def subscribed(self):
        """Return whether a node listens to each camera and to poses, and its depth is there."""
        topics = ["/odom", *(f"/{camera}/{name}" for camera in self.cameras for name in (self._image, "camera_info"))]
        heard = all(self._publishers[topic].get_subscription_count() for topic in topics)
        return heard and all(self.node.count_publishers(f"/{camera}/depth/image") for camera in self.cameras)

    def known(self):
        """Return whether a node's report on each camera has come: the node knows this rig, too (see Rig)."""
        return all(camera in self.level for camera in self.cameras)

    def stamps(self, camera):
        """Return the stamps of the depth images of a camera so far."""
        return [stamp_of(message) for message in self.depth[camera]]


def decoded(message):
    """Return the Image of a CompressedImage."""
    from sensor_msgs.msg import Image

    from lircdepth_ros.messages.images import any_image_to_rgb

    pixels = any_image_to_rgb(message)
    height, width, _ = pixels.shape
    data = array.array("B", pixels.tobytes())
    return Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data, header=message.header)
