# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sources of a replay: a rosbag2 bag, or a nuScenes data root directly. Needs no ROS."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.bags.reading import BagAccount, open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.replay_node.settings import ReplaySettings

if TYPE_CHECKING:
    from rosbags.interfaces import Qos

# Topic, stamp [ns], serialised message.
Message: TypeAlias = tuple[str, int, bytes]


@dataclass
class Topic:
    """A topic's type, how many messages it has, and the QoS that its publishers offered."""

    msgtype: str
    count: int = 0
    profiles: list[Qos] = field(default_factory=list)

    @property
    def latched(self) -> bool:
        """Whether every publisher kept its messages for late joiners."""
        return bool(self.profiles) and all(profile.durability.name == "TRANSIENT_LOCAL" for profile in self.profiles)


class Source(Protocol):
    """Messages in the order of time. start, end: bag time [ns], the end exclusive. name: for texts to the user."""

    name: str
    start: int
    end: int
    topics: dict[str, Topic]
    account: BagAccount | None  # of what was read; None where everything is made from files that were looked at before

    def messages(self, topics: Collection[str], start: int | None = None, stop: int | None = None) -> Iterator[Message]:
        """Yield the messages of topics from ``start`` to before ``stop``, to the end without it.

        A message that cannot be decoded is left out, and counted in ``account``: a subscriber could end by it. Raises
        LircDepthError when the source turns out damaged.
        """


def open_source(settings: ReplaySettings) -> Source:
    """Return the source that the parameters name. Raises LircDepthError when it cannot be read."""
    if settings.source == "bag":
        return BagSource(settings.bag)
    if settings.source == "nuscenes":
        return NuscenesSource(settings.dataroot, settings.version, settings.scene)
    raise LircDepthError(f"parameter 'source' is '{settings.source}', expected bag or nuscenes")


class BagSource:
    """A rosbag2 directory, or a single .mcap or .db3 file. Raises LircDepthError when it cannot be read."""

    def __init__(self, path: str) -> None:
        if not path:
            raise LircDepthError("parameter 'bag' is not set: --ros-args -p bag:=PATH")
        self.name = path
        self._reader = open_bag(path)
        if not self._reader.message_count:
            raise LircDepthError(f"{path} holds no messages")
        self.account: BagAccount | None = None
        self.start, self.end = self._reader.start_time, self._reader.end_time
        self.topics: dict[str, Topic] = {}
        for connection in self._reader.connections:
            topic = self.topics.setdefault(connection.topic, Topic(connection.msgtype))
            topic.count += connection.msgcount
            topic.profiles += getattr(connection.ext, "offered_qos_profiles", [])  # a ROS 1 bag has none

    def messages(self, topics: Collection[str], start: int | None = None, stop: int | None = None) -> Iterator[Message]:
        """See Source."""
        connections = [connection for connection in self._reader.connections if connection.topic in topics]
        whole = (start is None or start <= self.start) and stop is None
        span = {} if whole else {"start": start, "stop": stop}
        self.account = account = BagAccount()
        types = definitions.typestore().types
        for connection, stamp, data in read_messages(self._reader, connections, account=account, **span):
            unknown = connection.msgtype not in types and data
            if unknown or account.decode(connection, stamp, data) is not None:
                yield connection.topic, stamp, data


class NuscenesSource:
    """A scene of a nuScenes data root, made into messages as the converter does it. Raises LircDepthError."""

    def __init__(self, dataroot: str, version: str, scene: str) -> None:
        from lircdepth_core.data import nuscenes
        from lircdepth_ros.bags.nuscenes_scene import SceneMessages

        for name, value in (("dataroot", dataroot), ("scene", scene)):
            if not value:
                raise LircDepthError(f"parameter '{name}' is not set, and source is 'nuscenes'")
        self.account: BagAccount | None = None
        nusc = nuscenes.open_nuscenes(dataroot, version)
        self._scene = SceneMessages(nusc, nuscenes.find_scene(nusc, scene))
        self._scene.check_files()
        self.name = f"{scene} of {dataroot}"
        self.start, self.end = self._scene.start, self._scene.end + 1
        self.topics = {
            topic: Topic(msgtype, self._scene.counts[topic], [qos]) for topic, msgtype, qos in self._scene.topics
        }

    def messages(self, topics: Collection[str], start: int | None = None, stop: int | None = None) -> Iterator[Message]:
        """See Source."""
        for topic, stamp, message in self._scene.messages(start or 0, topics):
            if stop is not None and stamp >= stop:
                return
            yield topic, stamp, definitions.serialize(message).tobytes()
