# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth images written into a bag in the order of log times, beside copies of the bag's own messages."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.writing import offered_qos
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.depth import to_millimetres
from lircdepth_ros.messages.stamps import stamp_to_ns

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Writer


class OrderedDepthWriter:
    """Holds what is earlier than something that may still come, since depth is known later than its image.

    copied: connections whose messages are copied. depth_topics: '/image' and '/camera_info' are appended. encoding:
    32FC1 writes Image, 16UC1 CompressedImage for compressed_depth_image_transport. Raises LircDepthError for a topic
    that cannot be copied.
    """

    def __init__(
        self, writer: Writer, copied: Iterable[Connection], depth_topics: Iterable[str], encoding: str
    ) -> None:
        self._writer, self._encoding = writer, encoding
        self._copies = {id(connection): self._announce(connection) for connection in copied}
        self._depth = {topic: self._announce_depth(topic) for topic in depth_topics}
        self._held: list[tuple[int, int, Connection, bytes | memoryview]] = []
        self._count = 0

    def _announce(self, connection: Connection) -> Connection:
        """Announce a copied topic, with its own message definition where the bag has it."""
        profiles = connection.ext.offered_qos_profiles  # type: ignore[union-attr]  # rosbag2's, not ROS 1's
        if connection.msgdef.data and connection.digest:
            return self._writer.add_connection(
                connection.topic,
                connection.msgtype,
                msgdef=connection.msgdef.data,
                rihs01=connection.digest,
                offered_qos_profiles=profiles,
            )
        if connection.msgtype not in definitions.typestore().types:
            raise LircDepthError(f"{connection.topic} cannot be copied: the bag does not define {connection.msgtype}")
        return self._writer.add_connection(
            connection.topic, connection.msgtype, typestore=definitions.typestore(), offered_qos_profiles=profiles
        )

    def _announce_depth(self, depth_topic: str) -> tuple[Connection, Connection]:
        """Announce depth images, and their camera_info."""
        image = (f"{depth_topic}/image", "sensor_msgs/msg/Image")
        if self._encoding == "16UC1":
            image = (f"{depth_topic}/image/compressedDepth", "sensor_msgs/msg/CompressedImage")
        depth, info = (
            self._writer.add_connection(
                name, kind, typestore=definitions.typestore(), offered_qos_profiles=[offered_qos(10)]
            )
            for name, kind in (image, (f"{depth_topic}/camera_info", "sensor_msgs/msg/CameraInfo"))
        )
        return depth, info

    def copy(self, connection: Connection, log_time: int, data: bytes) -> None:
        """Hold a message of a copied connection; other messages are left alone."""
        if id(connection) in self._copies:
            self._hold(log_time, self._copies[id(connection)], data)

    def add_depth(
        self,
        depth_topic: str,
        header: definitions.Message,
        depth: npt.NDArray[np.float32],
        info: definitions.Message,
        log_time: int,
    ) -> None:
        """Hold a depth image [H, W] in metres and its camera_info, with the image's header and log time.

        depth_topic: one of ``depth_topics``.
        """
        stamp, frame = stamp_to_ns(header.stamp), header.frame_id
        if self._encoding == "16UC1":
            image = building.compressed_depth(stamp, frame, to_millimetres(depth)[0])
        else:
            image = building.image(stamp, frame, depth, self._encoding)
        copy = type(info)(**{**vars(info), "header": header})
        for connection, entry in zip(self._depth[depth_topic], (image, copy), strict=True):
            self._hold(log_time, connection, definitions.serialize(entry))

    def _hold(self, log_time: int, connection: Connection, data: bytes | memoryview) -> None:
        self._count += 1
        heapq.heappush(self._held, (log_time, self._count, connection, data))

    def flush(self, until: int | None = None) -> None:
        """Write what is earlier than ``until`` [ns], by default everything: nothing earlier can come any more."""
        while self._held and (until is None or self._held[0][0] < until):
            log_time, _, connection, data = heapq.heappop(self._held)
            self._writer.write(connection, log_time, data)
