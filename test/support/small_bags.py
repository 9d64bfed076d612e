# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Small bags of a camera and a radar for tests: frames at 10 Hz, each message as a test wants it."""

import cv2
import numpy as np

from lircdepth_core.geometry import rigid_transform
from lircdepth_ros import cli
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import building, definitions

START = 1_700_000_000_000_000_000
MS = 1_000_000
PERIOD = 100 * MS
IMAGE, INFO, RADAR = "/CAM_FRONT/image_rect/compressed", "/CAM_FRONT/camera_info", "/RADAR_FRONT/points"
DEPTH, LIDAR = "/CAM_FRONT/depth/image", "/LIDAR_TOP/points"
WIDTH, HEIGHT = 160, 96
INTRINSICS = np.array([[1266.0, 0, 80], [0, 1266.0, 48], [0, 0, 1.0]])
IDENTITY = (1.0, 0.0, 0.0, 0.0)
MOUNTING = {
    "CAM_FRONT": rigid_transform((1.7, 0.0, 1.5), (0.5, -0.5, 0.5, -0.5)),
    "RADAR_FRONT": rigid_transform((3.4, 0.0, 0.5), IDENTITY),
}
FIELDS = ("x", "y", "z", "rcs", "vx", "vy")
RETURNS = [[20.0, 0.2, 1.0, 9.0, -8.0, 0.1], [35.0, -0.5, 0.8, 3.0, -8.0, 0.2]]  # both in view


def image(stamp, frame="CAM_FRONT"):
    pixels = np.random.default_rng(stamp // MS % 1000).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return building.compressed_image(stamp, frame, cv2.imencode(".png", pixels)[1].tobytes(), "png")


def info(stamp, intrinsics=INTRINSICS):
    return building.camera_info(stamp, "CAM_FRONT", intrinsics, WIDTH, HEIGHT)


def cloud(stamp, returns=RETURNS, fields=FIELDS, frame="RADAR_FRONT"):
    points = np.zeros(len(returns), [(name, "<f4") for name in fields])
    for i, name in enumerate(fields):
        points[name] = [entry[i] for entry in returns]
    return building.point_cloud(stamp, frame, points)


def static_tf(root="base_link", stamp=START):
    return building.tf_message(
        building.transform_stamped(stamp, root, frame, transform) for frame, transform in MOUNTING.items()
    )


def tf(stamp, x, parent="odom", child="base_link"):
    pose = rigid_transform((x, 0.0, 0.0), IDENTITY)
    return building.tf_message([building.transform_stamped(stamp, parent, child, pose)])


def odometry(stamp, x, parent="odom", child="base_link"):
    return building.odometry(stamp, parent, child, rigid_transform((x, 0.0, 0.0), IDENTITY), (0, 0, 0), (0, 0, 0))


def frames(count=4, radar_delay=20 * MS, radar=cloud):
    """Return [(topic, log time, message)] of images with camera_info, and scans that are stamped a little later."""
    entries = []
    for stamp in (START + i * PERIOD for i in range(count)):
        entries += [(INFO, stamp, info(stamp)), (IMAGE, stamp, image(stamp))]
        entries.append((RADAR, stamp + radar_delay, radar(stamp + radar_delay)))
    return entries


def write(path, entries, storage="mcap", compression="none"):
    """Write [(topic, log time, message)] in the order of log times.

    A message may be (type, bytes), or (type, bytes, typestore) with definitions of its own.
    """
    connections = {}
    with new_bag(path, storage, compression) as writer:
        for topic, log_time, message in sorted(entries, key=lambda entry: entry[1]):
            if not isinstance(message, tuple):
                message = (message.__msgtype__, definitions.serialize(message))
            kind, data, *own = message
            if topic not in connections:
                store = own[0] if own else definitions.typestore()
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], log_time, data)
    return path


def cut(message):
    """Return a message as (type, bytes) whose end is missing."""
    return message.__msgtype__, bytes(definitions.serialize(message))[:30]


def infer_bag(bag, output, *options):
    """Run the command; return its exit status."""
    return cli.main(["infer-bag", str(bag), "-o", str(output), "--weights", "tiny", "--backend", "eager", *options])


def without_index(bag, output, **options):
    """Write a bag's MCAP file anew with the official library, without the index of messages; options: its own."""
    from mcap.reader import make_reader
    from mcap.writer import IndexType, Writer

    with open(next(bag.glob("*.mcap")), "rb") as source, open(output, "wb") as target:
        writer = Writer(target, index_types=IndexType.ALL & ~IndexType.MESSAGE, **options)
        writer.start(profile="ros2", library="test")
        schemas, channels = {}, {}
        for schema, channel, message in make_reader(source).iter_messages():
            if schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
            if channel.id not in channels:
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schemas[schema.id], channel.metadata
                )
            writer.add_message(channels[channel.id], message.log_time, message.data, message.publish_time)
        writer.finish()
    return output
