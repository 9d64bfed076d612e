# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of a bag's depth images against its lidar.

Each depth image is compared with one kind of truth: where the bag has ground truth (depth_gt/image), with that of the
same stamp; otherwise with the lidar scan nearest to it in time, moved into the camera's frame at the image's time and
projected as nuScenes does. A mean over both kinds would compare with neither.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import Picture
from lircdepth_core.evaluation.pictures import Panel, truth_panel
from lircdepth_core.evaluation.report import ErrorCollector, Report
from lircdepth_core.evaluation.truth import at_pixels, points_in_image
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.geometry.calibration import BASE_FRAME
from lircdepth_core.matching.account import DAMAGED, Account
from lircdepth_core.matching.assembler import Match
from lircdepth_core.progress import progress
from lircdepth_ros.bags.depth_options import calibration_of
from lircdepth_ros.bags.frames import FrameMatcher, points_and_frame
from lircdepth_ros.bags.merging import merged
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, open_bag, require_type
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, projection_offset, require_size
from lircdepth_ros.messages.depth import FARTHEST_IN_MILLIMETRES, depth_of, holds_millimetres
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import stamp_to_ns

VARIANT = "depth"  # in the report
_WINDOW_S = 0.05  # a lidar at 10 Hz always has a scan within this
_COMPRESSED = "/compressedDepth"
_NOT_COMPARED = "not_compared"  # in the account: nothing to compare it with, or it does not fit

Depth = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Topics:
    """Where a bag has depth, the camera_info of its images, ground truth and the lidar."""

    depth: str
    own_info: str  # beside the depth image
    info: str
    truth: str
    lidar: str
    kind: str  # what depth is compared with: "ground truth" or "lidar"

    @classmethod
    def find(
        cls, types: Mapping[str, str], depth: str, lidar: str, depth_bag: str, reference_bag: str, chosen: str
    ) -> _Topics:
        """Choose among the topics of bags, {topic: type}. chosen: auto, ground-truth or lidar.

        Raises LircDepthError where a topic is missing, or of another type.
        """
        if depth not in types and f"{depth}{_COMPRESSED}" in types:
            depth += _COMPRESSED
        folder = depth.removesuffix(_COMPRESSED).rpartition("/")[0]
        camera = folder.rpartition("/")[0]
        truth = f"{camera}/depth_gt/image"
        kind = "ground truth" if chosen == "ground-truth" or (chosen == "auto" and truth in types) else "lidar"
        against = truth if kind == "ground truth" else lidar
        for topic, where in ((depth, depth_bag), (against, reference_bag)):
            if topic not in types:
                raise LircDepthError(f"{where} has no topic {topic}; there are {', '.join(sorted(types))}")
        own_info = f"{folder}/camera_info"
        # A recording of depth without its camera_info has that of the camera.
        info = next((topic for topic in (own_info, f"{camera}/camera_info") if topic in types), None)
        if info is None:
            raise LircDepthError(f"{depth_bag} has no topic {own_info}, nor {camera}/camera_info")
        topics = cls(depth, own_info, info, truth, lidar, kind)
        topics._check(types)
        return topics

    def image_of(self, types: Mapping[str, str]) -> str | None:
        """Return the topic of the camera's rectified images, or None."""
        camera = self.depth.removesuffix(_COMPRESSED).rpartition("/")[0].rpartition("/")[0]
        return next(
            (topic for topic in (f"{camera}/image_rect/compressed", f"{camera}/image_rect") if topic in types), None
        )

    def _check(self, types: Mapping[str, str]) -> None:
        """Raise LircDepthError, naming both types, for a topic of a type that is not read."""
        image = "sensor_msgs/msg/CompressedImage" if self.depth.endswith(_COMPRESSED) else "sensor_msgs/msg/Image"
        require_type(types, self.depth, image)
        require_type(types, self.info, "sensor_msgs/msg/CameraInfo")
        if self.kind == "ground truth":
            require_type(types, self.truth, "sensor_msgs/msg/Image")
        else:
            require_type(types, self.lidar, "sensor_msgs/msg/PointCloud2")


@dataclass
class BagErrors:
    """What ``evaluate`` found: the report, and depth and truth of one image for a picture."""

    report: Report
    panels: list[Panel]


def evaluate(
    depth_bag: str | Path,
    reference_bag: str | Path,
    depth_topic: str,
    lidar_topic: str,
    calibration: str | None = None,
    truth: str = "auto",
    fixed_frame: str = "",
    base_frame: str = BASE_FRAME,
    odometry_topic: str = "/odom",
    draw_worst: bool = False,
) -> BagErrors:
    """Return the errors of the depth images of one bag; lidar and poses may be in another one.

    truth: auto, ground-truth or lidar; auto takes ground truth where there is any, and the lidar otherwise.
    fixed_frame, base_frame, odometry_topic: see BagPoses. draw_worst: the report has pictures of the worst images, with
    the camera's image where the reference has it. Images that cannot be compared, and damaged messages, are
    counted. Raises LircDepthError when a topic is missing or of another type, when a bag is damaged, or when no image
    can be compared.
    """
    paths = list(dict.fromkeys([str(depth_bag), str(reference_bag)]))
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(open_bag(path))) for path in paths]
        types = {c.topic: c.msgtype for reader in readers for c in reader.connections}
        topics = _Topics.find(types, depth_topic, lidar_topic, str(depth_bag), str(reference_bag), truth)
        poses = BagPoses(types, calibration_of(reference_bag, calibration), odometry_topic, fixed_frame, base_frame)
        account, bag_account = Account(), BagAccount()
        matcher = FrameMatcher({lidar_topic: points_and_frame}, poses, account, _WINDOW_S, 2 * _WINDOW_S)
        image_topic = topics.image_of(types) if draw_worst else None
        comparison = _Comparison(poses, matcher, account, lidar_topic, topics.kind, draw_worst)
        against = topics.truth if topics.kind == "ground truth" else topics.lidar
        used = {topics.depth, topics.info, against, *poses.topics, *([image_topic] if image_topic else [])}
        messages = merged(readers, used, {topics.depth, topics.own_info}, bag_account)
        poses.read_static(readers[-1])  # of the reference
        with progress(sum(c.msgcount for c in readers[0].connections if c.topic == topics.depth), "image") as advance:
            for now, topic, message in messages:
                advance(comparison.take(matcher.poll(now - 1), now))
                if message is None:
                    if topic == topics.depth:
                        account.received += 1
                        account.drop(DAMAGED, bag_account.reasons[-1])
                elif topic == topics.depth:
                    matcher.add_image(message, now)
                elif topic == image_topic:
                    comparison.images[stamp_to_ns(message.header.stamp)] = message
                elif topic == topics.info:
                    matcher.add_camera_info(message)
                elif topic == topics.truth:
                    comparison.ground_truth[stamp_to_ns(message.header.stamp)] = message
                elif topic == topics.lidar:
                    matcher.add_cloud(topic, message)
                else:
                    add_pose(poses, topic, message, now, account, bag_account)
                advance(comparison.take(matcher.poll(now), now))
            advance(comparison.take(matcher.poll()))
    account.check(waiting=matcher.pending)
    return comparison.result({"depth": str(depth_bag), "reference": str(reference_bag)}, bag_account)


@dataclass(frozen=True)
class _Compared:
    """One image's depth and truth [N] where the truth is known, and a picture of the truth.

    truth_map: returns the truth as [H, W], 0 = unknown. farthest [m]: what the truth's encoding can hold, or None for
    no end.
    """

    depth: Depth
    truth: Depth
    panel: Panel
    truth_map: Callable[[], Depth]
    farthest: float | None


class _Comparison:
    """Compares matched depth images with one kind of truth: "ground truth" or "lidar"."""

    def __init__(
        self,
        poses: BagPoses,
        matcher: FrameMatcher,
        account: Account,
        lidar_topic: str,
        kind: str,
        draw_worst: bool = False,
    ) -> None:
        self._poses, self._matcher, self._account = poses, matcher, account
        self._lidar_topic, self._kind = lidar_topic, kind
        self._without_motion = 0
        self._draw_worst = draw_worst
        self.images: dict[int, definitions.Message] = {}  # of the camera, by stamp
        self.ground_truth: dict[int, definitions.Message] = {}  # depth images by stamp
        self._held: deque[Match] = deque()  # matches that the ground truth of the same time may still follow
        self._collector, self._evaluated, self._counted_as_cap = ErrorCollector(), 0, 0
        self._panels: list[Panel] = []

    def take(self, matches: Iterable[Match], now: float = math.inf) -> int:
        """Take matches, evaluate those of before log time ``now``; return how many those were."""
        number = 0
        self._held += matches
        while self._held and self._held[0].image[1] < now:
            match = self._held.popleft()
            number += 1
            try:
                self._compare(match, depth_of(match.image[0]))
                self._account.done += 1
            except LircDepthError as error:
                self._account.drop(_NOT_COMPARED, f"image at {match.stamp}: {error}")
        return number

    def _compare(self, match: Match, depth: Depth) -> None:
        """Add the errors of one image. Raises LircDepthError where there is nothing to compare it with."""
        for stamp in [stamp for stamp in self.ground_truth if stamp < match.stamp]:  # of images without depth
            del self.ground_truth[stamp]
        for stamp in [stamp for stamp in self.images if stamp < match.stamp]:
            del self.images[stamp]
        found = self._ground_truth(match, depth) if self._kind == "ground truth" else self._lidar(match, depth)
        farthest = math.inf if found.farthest is None else found.farthest
        predicted = found.depth
        if holds_millimetres(match.image[0]):
            farthest = FARTHEST_IN_MILLIMETRES
            lost = np.isnan(predicted)
            predicted = np.where(lost, np.float32(np.inf), predicted)
            self._counted_as_cap += int(lost.sum())
        draw = functools.partial(self._drawn, match.stamp, depth, found.truth_map) if self._draw_worst else None
        name = f"image at {match.stamp / 1e9:.3f} s"
        self._collector.add(VARIANT, predicted, found.truth, farthest=farthest, image=name, draw=draw)
        if farthest < math.inf:
            self._collector.note(f"16UC1 ends at {farthest:g} m: nothing is measured to a cap beyond")
        self._evaluated += 1
        if not self._panels:  # the first image stands for all
            self._panels = [Panel(f"depth at {match.stamp}", depth=depth), found.panel]

    def _drawn(self, stamp: int, depth: Depth, truth_map: Callable[[], Depth]) -> Picture:
        message = self.images.get(stamp)
        image = None if message is None else any_image_to_rgb(message)
        return error_view(depth, truth_map(), image if image is not None and image.shape[:2] == depth.shape else None)

    def _ground_truth(self, match: Match, depth: Depth) -> _Compared:
        if match.stamp not in self.ground_truth:
            raise LircDepthError("no ground truth of its stamp")
        message = self.ground_truth.pop(match.stamp)
        truth = depth_of(message)
        if truth.shape != depth.shape:
            raise LircDepthError(f"ground truth is {truth.shape}, depth is {depth.shape}")
        known = ~np.isnan(truth)
        farthest = FARTHEST_IN_MILLIMETRES if holds_millimetres(message) else None
        return _Compared(
            depth[known], truth[known], truth_panel(np.nan_to_num(truth)), lambda: np.nan_to_num(truth), farthest
        )

    def _lidar(self, match: Match, depth: Depth) -> _Compared:
        pixels, true = self._lidar_in_image(match, depth)
        panel = Panel("lidar", np.full((*depth.shape, 3), 255, np.uint8), None, (pixels, true))

        def truth_map() -> Depth:
            places, nearest = geometry.nearest_points(pixels, true, depth.shape[1])
            flat = np.zeros(depth.size, np.float32)
            flat[places] = true[nearest]
            return flat.reshape(depth.shape)

        return _Compared(at_pixels(depth, pixels), true, panel, truth_map, None)

    def _lidar_in_image(self, match: Match, depth: Depth) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        if self._lidar_topic not in match.scans:
            raise LircDepthError(f"no lidar scan within {_WINDOW_S} s")
        info = self._matcher.camera_info(match)
        if info is None:
            raise LircDepthError("no camera_info so far")
        scan = match.scans[self._lidar_topic]
        points, frame = scan.data
        camera_frame = match.image[0].header.frame_id
        transform, moved = self._poses.camera_from_sensor(camera_frame, match.stamp, frame, scan.stamp)
        intrinsics, size = camera_matrix(info)
        require_size(depth, size, "depth")
        self._without_motion += not moved
        points = geometry.transform_points(transform, points) + projection_offset(info)
        return points_in_image(points, intrinsics, *size)

    def result(self, about: dict[str, Any], bag_account: BagAccount) -> BagErrors:
        """Return what ``evaluate`` returns. Raises LircDepthError, with the causes, where no image was compared."""
        account = self._account
        if not account.done:
            why = account.reasons[0] if account.reasons else bag_account.missing_text() or "there is none"
            causes = f" ({account.causes()}; the first: {why})" if account.received else f": {why}"
            raise LircDepthError(f"none of {account.received} depth images can be evaluated{causes}")
        if self._without_motion:
            self._collector.note(
                f"{self._without_motion} lidar scans are used without ego motion: {self._poses.motionless()}"
            )
        for topic, number in self._matcher.refused.items():
            self._collector.note(f"{number} scans of {topic} are left out")
        for topic, number in bag_account.damaged.items():
            self._collector.note(f"{number} messages of {topic} are damaged")
        for text in (bag_account.missing_text(), self._poses.caution):
            if text:
                self._collector.note(text)
        if self._counted_as_cap:
            self._collector.note(
                f"{self._counted_as_cap} pixels with a true depth are 0 in 16UC1, which is none or beyond "
                f"{FARTHEST_IN_MILLIMETRES:g} m: they are counted as the cap"
            )
        counts = {
            "images": account.received,
            "dropped_by_cause": dict(account.dropped),
            "without_ego_motion": self._without_motion,
        }
        report = self._collector.report(about | {"truth": f"{self._kind} ({self._evaluated})"} | counts)
        left_out, reasons = sum(account.dropped.values()), tuple(dict.fromkeys(account.reasons))
        return BagErrors(dataclasses.replace(report, left_out=left_out, reasons=reasons), self._panels)
