# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth for every image of a bag, without DDS and without ROS.

Matching, poses, conversions and DepthPipeline are those of the node; the time is the bag's own. The result is that of a
node that is never late, and the same every time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core.errors import LircDepthError
from lircdepth_core.progress import progress
from lircdepth_ros.bags.camera_depth import CameraDepth
from lircdepth_ros.bags.depth_options import DepthJobOptions, calibration_of
from lircdepth_ros.bags.depth_writer import OrderedDepthWriter
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, read_messages
from lircdepth_ros.messages.radars import radar_readers

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag2 import Reader, Writer

    from lircdepth_core.pipeline import DepthPipeline
    from lircdepth_ros.bags.video import AddVideoFrame


class DepthJob:
    """One bag on its way through the pipeline, one camera or several.

    cameras: each with its account and its counts. bag_account: what was read, and damaged messages. Raises
    LircDepthError where the bag lacks a topic, or has it with another type.
    """

    def __init__(self, reader: Reader, bag: str | Path, options: DepthJobOptions) -> None:
        self._reader, self._bag, self._options = reader, bag, options
        self.types = {connection.topic: connection.msgtype for connection in reader.connections}
        by_camera = options.of_cameras(self.types, bag)
        radar_topics = next(iter(by_camera.values())).radar_topics
        readers = radar_readers(radar_topics, options.radar_driver, options.radar_frame, options.radar_fields, "--")
        self._cautions = [f"{topic}: {reader.caution}" for topic, reader in readers.items() if reader.caution]
        self._poses = BagPoses(
            self.types,
            calibration_of(bag, options.calibration),
            options.odometry_topic,
            options.fixed_frame,
            options.base_frame,
        )
        self.cameras: list[CameraDepth] = []
        for name, own in by_camera.items():
            try:
                self.cameras.append(CameraDepth(name, own, self.types, bag, readers, self._poses))
            except LircDepthError as error:
                if not name:
                    raise
                self._cautions.append(f"{name} is left out: {error}")  # the others have depth all the same
                failure = error
        if not self.cameras:
            raise failure
        outputs = tuple(f"{camera.options.depth_topic}/" for camera in self.cameras)
        taken = [topic for topic in self.types if topic.startswith(outputs)]
        if taken and options.with_inputs:
            raise LircDepthError(f"{bag} has {', '.join(taken)} already: choose another --depth-topic")
        self.bag_account = BagAccount()

    @property
    def image_count(self) -> int:
        """How many images the bag says that it has, of all cameras."""
        topics = [camera.image_topic for camera in self.cameras]
        return sum(c.msgcount for c in self._reader.connections if c.topic in topics)

    @property
    def image_rate(self) -> float:
        """Images a second, for a video."""
        return max(self.image_count - 1, 1) / max(self._reader.duration / 1e9, 1e-3)

    @property
    def counts(self) -> Counter[str]:
        """The counts of all cameras together."""
        return sum((camera.counts for camera in self.cameras), Counter())

    def process(self, pipeline: DepthPipeline, writer: Writer, add_video_frame: AddVideoFrame | None) -> None:
        """Read the bag; write depth, and the inputs if asked for, in the order of their log times.

        The static transforms are read before everything else. A damaged message is counted and left out. Raises
        LircDepthError, with the causes and their counts, when no image gives depth.
        """
        used = set(self._poses.topics)
        for camera in self.cameras:
            used |= {camera.image_topic, camera.options.camera_info_topic, *camera.options.radar_topics}
        copied = self._reader.connections if self._options.with_inputs else []
        wanted = self._reader.connections if copied else [c for c in self._reader.connections if c.topic in used]
        topics = [camera.options.depth_topic for camera in self.cameras]
        out = OrderedDepthWriter(writer, copied, topics, self._options.encoding)
        pipeline.backend.keep_sizes(len(self.cameras))
        self._poses.read_static(self._reader)
        with progress(self.image_count, "image") as advance:

            def estimate(now: int | None = None) -> None:
                """Write the depth of what is final at a log time [ns], by default of everything."""
                for camera in self.cameras:
                    for match in camera.matcher.poll() if now is None else camera.matcher.poll(now):
                        camera.estimate(match, pipeline, out, add_video_frame)
                        advance(1)

            for connection, now, data in read_messages(self._reader, wanted, account=self.bag_account):
                estimate(now - 1)  # what became final between two messages
                if data:
                    out.copy(connection, now, data)
                if connection.topic in used:
                    self._take(connection, now, data)
                    estimate(now)
                waiting = [camera.matcher.oldest for camera in self.cameras if camera.matcher.oldest is not None]
                out.flush(min(waiting, default=now))
            estimate()
            out.flush()
        for camera in self.cameras:
            camera.account.check(waiting=camera.matcher.pending)
        if not any(camera.account.done for camera in self.cameras):
            raise LircDepthError(self._no_depth())

    def _take(self, connection: Connection, now: int, data: bytes) -> None:
        topic, message = connection.topic, self.bag_account.decode(connection, now, data)
        if message is not None and topic in self._poses.topics:
            add_pose(self._poses, topic, message, now, self.cameras[0].account, self.bag_account)
            return
        for camera in self.cameras:
            if message is not None:
                camera.take(topic, message, now)
            elif topic == camera.image_topic:
                camera.drop_damaged(self.bag_account.reasons[-1])

    def _no_depth(self) -> str:
        if not any(camera.account.received for camera in self.cameras):
            topics = ", ".join(camera.image_topic for camera in self.cameras)
            return f"no depth: {self.bag_account.missing_text() or f'{self._bag} has no message on {topics}'}"
        return "; ".join(f"{camera.name}: {camera.no_depth()}".removeprefix(": ") for camera in self.cameras)

    @property
    def remarks(self) -> list[str]:
        """What is not right with the bag as a whole, in words."""
        remarks = [text for camera in self.cameras for text in camera.remarks]
        remarks += [f"{number} messages of {topic} are damaged" for topic, number in self.bag_account.damaged.items()]
        cautions = (self.bag_account.missing_text(), self._poses.caution, *self._cautions)
        return [text for text in (*remarks, *cautions) if text]

    @property
    def reasons(self) -> list[str]:
        """Why something was left out: the first messages that were."""
        of_cameras = [reason for camera in self.cameras for reason in camera.account.reasons]
        return list(dict.fromkeys([*of_cameras, *self.bag_account.reasons]))
