# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node that uses the depth: the nearest obstacle ahead, as a marker.

    python examples/nearest_obstacle.py
    ros2 run rviz2 rviz2        # and add /nearest_obstacle

What counts lies within 1.5 m to both sides of the camera's axis, and less than 1 m below and above the camera, so that
the road is none. The nearest hundredth of it is left out: single pixels are often wrong.
"""

import signal

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker

HALF_WIDTH_M, HALF_HEIGHT_M = 1.5, 1.0
LEAST_SHARE = 0.01


def nearest(depth, intrinsics):
    """Return (x, y, z) [m] of the nearest obstacle in the camera's optical frame, or None. depth: [H, W] m."""
    rows, columns = np.indices(depth.shape)
    x = (columns - intrinsics[0, 2]) / intrinsics[0, 0] * depth
    y = (rows - intrinsics[1, 2]) / intrinsics[1, 1] * depth
    with np.errstate(invalid="ignore"):
        ahead = np.isfinite(depth) & (np.abs(x) < HALF_WIDTH_M) & (np.abs(y) < HALF_HEIGHT_M)
    if not ahead.any():
        return None
    distances = depth[ahead]
    chosen = np.argsort(distances)[int(LEAST_SHARE * len(distances))]
    return x[ahead][chosen], y[ahead][chosen], distances[chosen]


class NearestObstacle(Node):
    """Publishes a marker for each depth image."""

    def __init__(self):
        super().__init__("nearest_obstacle")
        self.intrinsics = None
        self.markers = self.create_publisher(Marker, "nearest_obstacle", 10)
        self.create_subscription(CameraInfo, "CAM_FRONT/depth/camera_info", self.on_info, 10)
        self.create_subscription(Image, "CAM_FRONT/depth/image", self.on_depth, 10)

    def on_info(self, message):
        """Keep the camera's intrinsics."""
        self.intrinsics = np.array(message.k).reshape(3, 3)

    def on_depth(self, message):
        """Publish where the nearest obstacle is, or that there is none."""
        if self.intrinsics is None:
            return
        depth = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)  # 32FC1, metres
        marker = Marker(header=message.header, ns="nearest_obstacle", type=Marker.SPHERE, action=Marker.DELETE)
        found = nearest(depth, self.intrinsics)
        if found is not None:
            marker.action = Marker.ADD
            marker.pose.position.x, marker.pose.position.y, marker.pose.position.z = map(float, found)
            marker.pose.orientation.w = 1.0
            marker.scale.x = marker.scale.y = marker.scale.z = 1.0
            marker.color.r = marker.color.a = 1.0
        self.markers.publish(marker)


def main():
    """Run until ^C."""
    # rclpy's own handler of ^C ends spin. Python's beside it would interrupt rclpy's C++ code within a message.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    rclpy.init()
    try:
        rclpy.spin(NearestObstacle())
    except Exception:
        if rclpy.ok():
            raise
        # ^C ended DDS, perhaps under a callback that was about to publish.


if __name__ == "__main__":
    main()
