# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth eval-bag`: errors of a bag's depth images against its lidar.

Each depth image is compared with the lidar scan nearest to it in time, moved into the camera's frame at the image's
time and projected as nuScenes does; where the bag has ground truth (depth_gt/image) of the same stamp, with that.
"""

import heapq
import json
import math
from collections import Counter, defaultdict, deque
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import depth_errors
from lircdepth_core.files import written_whole
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_ros.bags.frames import BagTransforms, FrameMatcher
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.camera_info import camera_matrix, require_size
from lircdepth_ros.messages.clouds import cloud_to_points
from lircdepth_ros.messages.depth import depth_of
from lircdepth_ros.messages.stamps import stamp_to_ns

CAPS = (50.0, 70.0, 80.0)  # metres, as published evaluations have it
_WINDOW = 0.05  # seconds: a lidar at 10 Hz always has a scan within this


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument(
        "bag", metavar="BAG", help="bag with depth images, as infer-bag or a recording of the node has them"
    )
    parser.add_argument("--reference", metavar="BAG", help="bag with the lidar and transforms (default: the same)")
    parser.add_argument("--depth-topic", default="/CAM_FRONT/depth/image", help="default: %(default)s")
    parser.add_argument("--lidar-topic", default="/LIDAR_TOP/points", help="default: %(default)s")
    parser.add_argument(
        "--calibration", metavar="YAML", help="sensors' mounting (default: the bag's, or its /tf_static)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the metrics to a file, too")


def run(arguments):
    """Evaluate, print the table. Raises LircDepthError."""
    reference = arguments.reference or arguments.bag
    metrics = evaluate(arguments.bag, reference, arguments.depth_topic, arguments.lidar_topic, arguments.calibration)
    if arguments.json:
        with written_whole(arguments.json) as partial:
            partial.write_text(json.dumps(metrics, indent=2) + "\n")
    print(table(metrics))


def table(metrics):
    """Return the metrics as the text of a table: a line a cap, a column a metric."""
    caps = metrics["caps"]
    names = list(next(iter(caps.values())))
    lines = [
        f"{metrics['frames']} depth images against {metrics['truth']}, mean over images; {metrics['left_out']} left out"
    ]
    lines.append("cap [m]" + "".join(f"{name:>12}" for name in names))
    for cap, values in caps.items():
        lines.append(f"{cap:>7}" + "".join(f"{values[name]:>12.4g}" for name in names))
    return "\n".join(lines)


def evaluate(depth_bag, reference_bag, depth_topic, lidar_topic, calibration=None):
    """Return {"frames", "left_out", "truth", "caps": {cap: {metric: mean over images}}}. Raises LircDepthError."""
    from tqdm import tqdm

    paths = list(dict.fromkeys([str(depth_bag), str(reference_bag)]))
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(open_bag(path))) for path in paths]
        types = {c.topic: c.msgtype for reader in readers for c in reader.connections}
        if depth_topic not in types and f"{depth_topic}/compressedDepth" in types:
            depth_topic += "/compressedDepth"
        folder = depth_topic.removesuffix("/compressedDepth").rpartition("/")[0]
        camera = folder.rpartition("/")[0]
        # A depth image has its camera_info beside it; a recording without them has the camera's.
        info_topic = next((t for t in (f"{folder}/camera_info", f"{camera}/camera_info") if t in types), None)
        truth_topic = f"{camera}/depth_gt/image"
        for topic, where in ((depth_topic, depth_bag), (lidar_topic, reference_bag)):
            if topic not in types and not (topic == lidar_topic and truth_topic in types):
                raise LircDepthError(f"{where} has no topic {topic}; there are {', '.join(sorted(types))}")
        if info_topic is None:
            raise LircDepthError(f"{depth_bag} has no topic {folder}/camera_info, nor {camera}/camera_info")
        beside = Path(reference_bag) / "calibration.yaml"
        path = calibration or (beside if beside.is_file() else None)
        transforms = BagTransforms(types, Calibration.load(path) if path else None)
        matcher = FrameMatcher([lidar_topic], cloud_to_points, transforms, _WINDOW, 2 * _WINDOW)
        result = _Errors(transforms, matcher, lidar_topic)
        used, sources = {depth_topic, info_topic, truth_topic, lidar_topic, *transforms.topics}, []
        own = {depth_topic, f"{folder}/camera_info"}  # from the bag with depth; everything else from the reference
        for reader, topics in zip(readers, (used,) if len(readers) == 1 else (used & own, used - own), strict=True):
            connections = [c for c in reader.connections if c.topic in topics]
            if connections:
                sources.append(_by_stamp(reader, connections))
        count = sum(c.msgcount for c in readers[0].connections if c.topic == depth_topic)
        with tqdm(total=count, desc="evaluate", unit=" images", disable=None) as bar:
            for now, topic, message in heapq.merge(*sources, key=lambda entry: entry[0]):
                bar.update(result.take(matcher.poll(now - 1), now))
                if topic == depth_topic:
                    matcher.add_image(message, now)
                elif topic == info_topic:
                    matcher.camera_info = message
                elif topic == truth_topic:
                    result.ground_truth[stamp_to_ns(message.header.stamp)] = message
                elif topic == lidar_topic:
                    matcher.add_cloud(lidar_topic, message)
                else:
                    transforms.add(topic, message)
                bar.update(result.take(matcher.poll(now), now))
            bar.update(result.take(matcher.poll()))
    return result.summary()


def _by_stamp(reader, connections):
    """Yield (header stamp [ns], topic, message). Log times of two bags may lie years apart; the sensors' do not.

    In a recording a message may come a little after one with a later stamp: it then takes that one's.
    """
    typestore, latest = definitions.typestore(), 0
    for connection, logged, data in read_messages(reader, connections):
        try:
            message = typestore.deserialize_cdr(data, connection.msgtype)
        except Exception as error:  # rosbags lets a decoder's own errors through
            raise LircDepthError(f"{connection.topic} at {logged}: message is damaged: {error}") from error
        stamped = message.transforms if hasattr(message, "transforms") else [message]
        latest = max([latest, *(stamp_to_ns(entry.header.stamp) for entry in stamped)])
        yield latest, connection.topic, message


class _Errors:
    """Collects the errors of matched depth images."""

    def __init__(self, transforms, matcher, lidar_topic):
        self._transforms, self._matcher, self._lidar_topic = transforms, matcher, lidar_topic
        self.ground_truth = {}  # depth images by stamp
        self._held = deque()  # matches that the ground truth of the same time may still follow
        self._sums, self._counts = {cap: defaultdict(float) for cap in CAPS}, Counter()

    def take(self, matches, now=math.inf):
        """Take matches, evaluate those of before log time ``now``; return how many those were."""
        number = 0
        self._held += matches
        while self._held and self._held[0].image[1] < now:
            match = self._held.popleft()
            number += 1
            depth = depth_of(match.image[0])
            try:
                self._add(*self._pairs(match, depth))
            except LircDepthError as error:
                self._counts["left out"] += 1
                self._reason = str(error)
        return number

    def _pairs(self, match, depth):
        """Return (predicted [N], true [N]) metres, and which truth it was."""
        stamps = [stamp for stamp in self.ground_truth if stamp < match.stamp]
        for stamp in stamps:  # of images without depth
            del self.ground_truth[stamp]
        if match.stamp in self.ground_truth:
            truth = depth_of(self.ground_truth.pop(match.stamp))
            if truth.shape != depth.shape:
                raise LircDepthError(f"ground truth is {truth.shape}, depth is {depth.shape}")
            known = ~np.isnan(truth)
            return depth[known], truth[known], "ground truth"
        if self._lidar_topic not in match.scans:
            raise LircDepthError(f"no lidar scan within {_WINDOW} s")
        if self._matcher.camera_info is None:
            raise LircDepthError("no camera_info so far")
        scan = match.scans[self._lidar_topic]
        points, frame = scan.data
        camera_frame = match.image[0].header.frame_id
        transform, _ = self._transforms.camera_from_sensor(camera_frame, match.stamp, frame, scan.stamp)
        intrinsics, size = camera_matrix(self._matcher.camera_info)
        require_size(depth, size, "depth")
        pixels, truth = geometry.project(geometry.transform_points(transform, points), intrinsics)
        seen = geometry.visible(pixels, truth, *size)
        columns, rows = np.rint(pixels[seen]).astype(int).T
        return depth[rows, columns], truth[seen], "lidar"

    def _add(self, depth, truth, kind):
        errors = {cap: depth_errors(depth, truth, cap) for cap in CAPS}  # all or none
        self._counts[kind] += 1
        for cap, values in errors.items():
            for name, value in values.items():
                self._sums[cap][name] += value

    def summary(self):
        """Return what ``evaluate`` returns."""
        frames = self._counts["lidar"] + self._counts["ground truth"]
        if not frames:
            raise LircDepthError(f"no depth image can be evaluated: {getattr(self, '_reason', 'there is none')}")
        truth = " and ".join(
            f"{kind} ({self._counts[kind]})" for kind in ("ground truth", "lidar") if self._counts[kind]
        )
        return {
            "frames": frames,
            "left_out": self._counts["left out"],
            "truth": truth,
            "caps": {f"{cap:g}": {name: total / frames for name, total in s.items()} for cap, s in self._sums.items()},
        }
