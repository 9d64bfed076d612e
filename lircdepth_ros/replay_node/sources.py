# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where replay takes its messages from: a rosbag2 bag, or a nuScenes data root directly. Needs no ROS.

A source has ``topics`` {name: Topic}, ``start`` and ``end`` [ns], ``name`` for messages to the user, and
``messages(topics, start, stop)``, which yields (topic, stamp [ns], serialised message) in time order.
"""

from dataclasses import dataclass

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions


@dataclass
class Topic:
    """A topic's type, how many messages it has, and the QoS that its publishers offered (rosbags' Qos)."""

    msgtype: str
    count: int
    profiles: list

    @property
    def latched(self):
        """Whether every publisher kept its messages for late joiners."""
        return bool(self.profiles) and all(profile.durability.name == "TRANSIENT_LOCAL" for profile in self.profiles)


class BagSource:
    """A rosbag2 directory, or a single .mcap or .db3 file. Raises LircDepthError when it cannot be read."""

    def __init__(self, path):
        if not path:
            raise LircDepthError("parameter 'bag' is not set: --ros-args -p bag:=PATH")
        self.name = path
        self._reader = open_bag(path)
        if not self._reader.message_count:
            raise LircDepthError(f"{path} holds no messages")
        self.start, self.end = self._reader.start_time, self._reader.end_time
        self.topics = {}
        for connection in self._reader.connections:
            topic = self.topics.setdefault(connection.topic, Topic(connection.msgtype, 0, []))
            topic.count += connection.msgcount
            topic.profiles += connection.ext.offered_qos_profiles

    def messages(self, topics, start=None, stop=None):
        """See the module. Raises LircDepthError when the bag turns out damaged."""
        connections = [connection for connection in self._reader.connections if connection.topic in topics]
        for connection, stamp, data in read_messages(self._reader, connections, start=start, stop=stop):
            yield connection.topic, stamp, data


class NuscenesSource:
    """A scene of a nuScenes data root, made into messages as the converter does it. Raises LircDepthError."""

    def __init__(self, dataroot, version, scene):
        from lircdepth_core.data import nuscenes
        from lircdepth_ros.bags.nuscenes_scene import SceneMessages

        for name, value in (("dataroot", dataroot), ("scene", scene)):
            if not value:
                raise LircDepthError(f"parameter '{name}' is not set, and source is 'nuscenes'")
        nusc = nuscenes.open_nuscenes(dataroot, version)
        self._scene = SceneMessages(nusc, nuscenes.find_scene(nusc, scene))
        self._scene.check_files()
        self.name = f"{scene} of {dataroot}"
        self.start, self.end = self._scene.start, self._scene.end + 1  # as a Reader: the end is exclusive
        self.topics = {
            topic: Topic(msgtype, self._scene.counts[topic], [qos]) for topic, msgtype, qos in self._scene.topics
        }

    def messages(self, topics, start=None, stop=None):
        """See the module. Raises LircDepthError when a sensor file is damaged."""
        for topic, stamp, message in self._scene.messages(start or 0, topics):
            if stop is not None and stamp >= stop:
                return
            yield topic, stamp, definitions.serialize(message).tobytes()
