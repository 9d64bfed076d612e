# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Record topics over DDS in a process of its own: dds_recorder.py OUTPUT COUNT SECONDS TOPIC=TYPE[:latched] ...

Writes OUTPUT, a pickle of [(topic, bytes)] in order of arrival, /clock included, when COUNT messages (without /clock)
have come or SECONDS are over. Then it goes on for half a second, so that one message too many is seen as well.
"""

import importlib
import pickle
import sys
import time

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile


def main():
    output, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    rclpy.init(args=[])
    node = rclpy.create_node("dds_recorder")
    received = []
    for entry in ["/clock=rosgraph_msgs/msg/Clock", *sys.argv[4:]]:
        topic, _, kind = entry.partition("=")
        msgtype, _, latched = kind.partition(":")
        package, _, name = msgtype.split("/")
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        node.create_subscription(
            getattr(importlib.import_module(f"{package}.msg"), name),
            topic,
            lambda data, topic=topic: received.append((topic, data)),
            QoSProfile(depth=5000, durability=durability),  # reliable
            raw=True,
        )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and sum(topic != "/clock" for topic, _ in received) < count:
        rclpy.spin_once(node, timeout_sec=0.1)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    with open(output, "wb") as file:
        pickle.dump(received, file)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
