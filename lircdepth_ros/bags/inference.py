# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer-bag`: depth for every image of a bag, without DDS and without ROS.

The same matching, transforms, conversions and DepthPipeline as the node's; time is the bag's own, so that the result is
that of a node that is never late, and the same every time.
"""

import heapq
import json
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.inference.upsampling import METHODS
from lircdepth_ros.bags.frames import BagTransforms, FrameMatcher
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.bags.writing import new_bag, offered_qos
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.camera_info import camera_matrix, require_size
from lircdepth_ros.messages.clouds import cloud_to_radar_scan
from lircdepth_ros.messages.depth import fill_depth_image
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import stamp_to_ns


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="IN", help="bag with a camera and radars")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="bag to create")
    parser.add_argument(
        "--image-topic", default="/CAM_FRONT/image_rect", help="default: %(default)s, /compressed or not"
    )
    parser.add_argument("--camera-info-topic", default="/CAM_FRONT/camera_info", help="default: %(default)s")
    parser.add_argument("--radar-topics", nargs="*", default=["/RADAR_FRONT/points"], help="default: %(default)s")
    parser.add_argument("--radar-fields", default="x y z rcs vx vy", help="names in the clouds (default: %(default)s)")
    parser.add_argument("--depth-topic", default="/CAM_FRONT/depth", help="default: %(default)s")
    parser.add_argument(
        "--calibration", metavar="YAML", help="sensors' mounting (default: the bag's, or its /tf_static)"
    )
    parser.add_argument("--odometry-topic", default="/odom", help="ego motion; without it /tf (default: %(default)s)")
    add_pipeline(parser)
    parser.add_argument("--sync-window", type=float, default=0.1, help="as the node's [s] (default: %(default)s)")
    parser.add_argument("--max-wait", type=float, default=0.06, help="as the node's [s] (default: %(default)s)")
    parser.add_argument(
        "--encoding",
        choices=("32FC1", "16UC1"),
        default="32FC1",
        help="32FC1: metres, Image. 16UC1: millimetres, PNG in a CompressedImage (default: %(default)s)",
    )
    parser.add_argument("--with-inputs", action="store_true", help="copy the input's messages too")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.add_argument("--compression", choices=("none", "zstd"), default="none", help="default: %(default)s")
    parser.add_argument("--mp4", metavar="FILE", help="also a video: the image above its depth")
    parser.add_argument(
        "--lidar-topic", default="/LIDAR_TOP/points", help="for metrics, if there (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def add_pipeline(parser):
    """Add the arguments of ``make_pipeline``: the node's parameters of the same names."""
    parser.add_argument(
        "--weights",
        default="street",
        help="file, or street (shipped), random or tiny (untrained); default: %(default)s",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: PyTorch's choice")
    parser.add_argument(
        "--backend", default="auto", help="auto, plain, eager, compiled, onnxruntime, openvino (default: %(default)s)"
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="float32, bfloat16, float16, int8, as the backend has it (default: %(default)s)",
    )
    parser.add_argument("--inference-scale", type=float, default=1.0, help="scale of the network's input")
    parser.add_argument(
        "--upsampling", choices=METHODS, default="nearest", help="of depth from a smaller input (default: %(default)s)"
    )
    parser.add_argument("--max-range", type=float, default=100.0, help="depth beyond this is +Inf [m]")


def make_pipeline(arguments):
    """Return the DepthPipeline that add_pipeline's arguments ask for. Raises LircDepthError."""
    from lircdepth_core.pipeline import DepthPipeline  # seconds, for PyTorch

    for name in ("inference_scale", "max_range"):
        if not getattr(arguments, name) > 0:
            raise LircDepthError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}, expected more than 0")
    names = ("device", "threads", "backend", "precision", "inference_scale", "upsampling", "max_range")
    return DepthPipeline.from_weights(arguments.weights, **{name: getattr(arguments, name) for name in names})


def run(arguments):
    """Process a bag and print a summary. Raises LircDepthError."""
    from lircdepth_ros.bags import evaluation as eval_bag

    for path in (arguments.output, arguments.mp4):
        if path and Path(path).exists():
            raise LircDepthError(f"{path} exists already and is not overwritten")
    with closing(open_bag(arguments.bag)) as reader:
        job = _Job(reader, arguments)
        job.pipeline = make_pipeline(arguments)
        started = time.perf_counter()
        with (
            new_bag(arguments.output, arguments.storage, arguments.compression) as writer,
            _video(arguments.mp4, job.image_rate()) as video,
        ):
            job.process(writer, video)
        seconds = time.perf_counter() - started
        has_lidar = arguments.lidar_topic in job.types
    counts = {name: job.counts[name] for name in ("images", "frames", "fused", "camera_only", "dropped")}
    summary = {"bag": arguments.output, **counts, "seconds": round(seconds, 3), "reasons": job.reasons[:20]}
    summary["caution"] = job.pipeline.header.caution
    if has_lidar and job.counts["frames"]:
        depth = f"{arguments.depth_topic}/image"
        summary["metrics"] = eval_bag.evaluate(
            arguments.output, arguments.bag, depth, arguments.lidar_topic, arguments.calibration
        )
    _report(summary, arguments)


def _report(summary, arguments):
    for reason in summary["reasons"][:5]:
        print(f"left out: {reason}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(summary, indent=2))
        return
    print("{bag}: {frames} depth images of {images} images ({fused} fused, {camera_only} camera only, {dropped} left "
          "out) in {seconds} s".format(**summary))  # fmt: skip
    if summary["caution"]:
        print(summary["caution"])
    if "metrics" in summary:
        from lircdepth_ros.bags import evaluation as eval_bag

        print(eval_bag.table(summary["metrics"]))


class _Job:
    """One bag on its way through the pipeline."""

    def __init__(self, reader, arguments):
        self._reader, self._arguments = reader, arguments
        self.types = {connection.topic: connection.msgtype for connection in reader.connections}
        self._image_topic = self._find_image_topic()
        for topic in (arguments.camera_info_topic, *arguments.radar_topics):
            self._require(topic)
        taken = [topic for topic in self.types if topic.startswith(f"{arguments.depth_topic}/")]
        if taken and arguments.with_inputs:
            raise LircDepthError(f"{arguments.bag} has {', '.join(taken)} already: choose another --depth-topic")
        if len(arguments.radar_fields.split()) != 6:
            raise LircDepthError(f"--radar-fields is '{arguments.radar_fields}', expected six names: x y z rcs vx vy")
        beside = Path(arguments.bag) / "calibration.yaml"  # the converter writes it into each bag
        path = arguments.calibration or (beside if beside.is_file() else None)
        calibration = Calibration.load(path) if path else None
        self._transforms = BagTransforms(self.types, calibration, arguments.odometry_topic)
        self._matcher = FrameMatcher(
            arguments.radar_topics,
            lambda message: cloud_to_radar_scan(message, arguments.radar_fields.split()),
            self._transforms,
            arguments.sync_window,
            arguments.max_wait,
        )
        self.pipeline = None
        self.counts, self.reasons = Counter(), []

    def _require(self, topic):
        if topic not in self.types:
            raise LircDepthError(f"{self._arguments.bag} has no topic {topic}; it has {', '.join(sorted(self.types))}")

    def _find_image_topic(self):
        for topic in (f"{self._arguments.image_topic}/compressed", self._arguments.image_topic):
            if self.types.get(topic) in ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"):
                return topic
        raise LircDepthError(
            f"{self._arguments.bag} has no image topic {self._arguments.image_topic}[/compressed]; it has "
            f"{', '.join(sorted(self.types))}"
        )

    def image_rate(self):
        """Return the images a second, for a video."""
        images = sum(c.msgcount for c in self._reader.connections if c.topic == self._image_topic)
        return max(images - 1, 1) / max(self._reader.duration / 1e9, 1e-3)

    def process(self, writer, video):
        """Read the bag once; write depth, and the inputs if asked for, in the order of their log times."""
        from tqdm import tqdm

        used = {self._image_topic, self._arguments.camera_info_topic, *self._arguments.radar_topics}
        used |= self._transforms.topics
        copied = self._reader.connections if self._arguments.with_inputs else []
        wanted = self._reader.connections if copied else [c for c in self._reader.connections if c.topic in used]
        out = _OrderedWriter(writer, copied, self._arguments)
        matcher, typestore = self._matcher, definitions.typestore()
        with tqdm(total=self._images(), desc="depth", unit=" images", disable=None) as bar:

            def infer(matches):
                for match in matches:
                    self._infer(match, out, video)
                    bar.update()

            for connection, now, data in read_messages(self._reader, wanted):
                topic = connection.topic
                infer(matcher.poll(now - 1))  # what became final between two messages
                out.copy(connection, now, data)
                if topic in used:
                    try:
                        message = typestore.deserialize_cdr(data, connection.msgtype)
                    except Exception as error:  # rosbags lets a decoder's own errors through
                        raise LircDepthError(f"{topic} at {now}: message is damaged: {error}") from error
                    self._take(topic, message, now)
                    infer(matcher.poll(now))
                out.flush(matcher.oldest if matcher.oldest is not None else now)
            infer(matcher.poll())
            out.flush()
        self.reasons += matcher.refused

    def _images(self):
        return sum(c.msgcount for c in self._reader.connections if c.topic == self._image_topic)

    def _take(self, topic, message, now):
        if topic == self._image_topic:
            self.counts["images"] += 1
            self._matcher.add_image(message, now)
        elif topic == self._arguments.camera_info_topic:
            self._matcher.camera_info = message
        elif topic in self._arguments.radar_topics:
            self._matcher.add_cloud(topic, message)
        else:
            self._transforms.add(topic, message)

    def _infer(self, match, out, video):
        message, log_time = match.image
        try:
            frame, image = self._depth(match)
        except LircDepthError as error:
            self.counts["dropped"] += 1
            self.reasons.append(f"image at {match.stamp}: {error}")
            return
        self.counts["frames"] += 1
        self.counts["fused" if frame.fused else "camera_only"] += 1
        out.depth(message.header, frame.depth, self._matcher.camera_info, log_time)
        if video:
            video(image, frame.depth)

    def _depth(self, match):
        message, _ = match.image
        info = self._matcher.camera_info
        if info is None:
            raise LircDepthError(f"no {self._arguments.camera_info_topic} so far")
        radars = []
        for topic, scan in match.scans.items():
            returns, frame = scan.data
            try:
                transform, _ = self._transforms.camera_from_sensor(
                    message.header.frame_id, match.stamp, frame, scan.stamp
                )
            except LircDepthError as error:
                self.reasons.append(f"{topic} at {scan.stamp}: {error}")
                continue
            radars.append((returns, transform))
        intrinsics, size = camera_matrix(info)
        image = any_image_to_rgb(message)
        require_size(image, size)
        return self.pipeline(image, intrinsics, radars), image


class _OrderedWriter:
    """Writes input copies and depth in the order of log times, though depth is known later than its image."""

    def __init__(self, writer, copied, arguments):
        self._writer, self._encoding = writer, arguments.encoding
        typestore = definitions.typestore()
        self._copies = {id(connection): self._add(connection) for connection in copied}
        topic = f"{arguments.depth_topic}/image"
        topics = [(topic, "sensor_msgs/msg/Image")]
        if self._encoding == "16UC1":
            topics = [(f"{topic}/compressedDepth", "sensor_msgs/msg/CompressedImage")]
        topics.append((f"{arguments.depth_topic}/camera_info", "sensor_msgs/msg/CameraInfo"))
        qos = offered_qos(10)
        self._depth, self._info = (
            writer.add_connection(name, kind, typestore=typestore, offered_qos_profiles=[qos]) for name, kind in topics
        )
        self._held, self._count = [], 0

    def _add(self, connection):
        """Announce a copied topic, with its own message definition where the bag has it."""
        options = {"offered_qos_profiles": connection.ext.offered_qos_profiles}
        if connection.msgdef.data and connection.digest:
            options |= {"msgdef": connection.msgdef.data, "rihs01": connection.digest}
        elif connection.msgtype in definitions.typestore().types:
            options["typestore"] = definitions.typestore()
        else:
            raise LircDepthError(f"{connection.topic} cannot be copied: the bag does not define {connection.msgtype}")
        return self._writer.add_connection(connection.topic, connection.msgtype, **options)

    def copy(self, connection, log_time, data):
        if id(connection) in self._copies:
            self._hold(log_time, self._copies[id(connection)], data)

    def depth(self, header, depth, info, log_time):
        """Hold a depth image and its camera_info, with the image's header and log time."""
        message = SimpleNamespace()
        fill_depth_image(message, depth, self._encoding)
        stamp, frame = stamp_to_ns(header.stamp), header.frame_id
        if self._encoding == "16UC1":
            millimetres = np.frombuffer(message.data, np.uint16).reshape(depth.shape)
            image = building.compressed_depth(stamp, frame, millimetres)
        else:
            image = building.image(stamp, frame, depth, self._encoding)
        copy = type(info)(**{**vars(info), "header": header})
        for connection, entry in ((self._depth, image), (self._info, copy)):
            self._hold(log_time, connection, definitions.serialize(entry))

    def _hold(self, log_time, connection, data):
        self._count += 1
        heapq.heappush(self._held, (log_time, self._count, connection, data))

    def flush(self, until=None):
        """Write what is earlier than ``until``: nothing earlier can come any more."""
        while self._held and (until is None or self._held[0][0] < until):
            log_time, _, connection, data = heapq.heappop(self._held)
            self._writer.write(connection, log_time, data)


@contextmanager
def _video(path, rate):
    """Give a function (image, depth) that adds a frame to an MP4, or None without a path. Named when complete."""
    if not path:
        yield None
        return
    import cv2

    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial.mp4")
    writer = None

    def add(image, depth):
        nonlocal writer
        far = np.nan_to_num(depth, nan=100.0, posinf=100.0)
        near = (255 * np.clip(1 - far / 80.0, 0, 1)).astype(np.uint8)
        colors = cv2.applyColorMap(near, cv2.COLORMAP_TURBO)
        colors[np.isnan(depth)] = 0
        frame = np.vstack([image[..., ::-1], colors])
        frame = cv2.resize(frame, (frame.shape[1] // 4 * 2, frame.shape[0] // 4 * 2), interpolation=cv2.INTER_AREA)
        if writer is None:
            writer = cv2.VideoWriter(str(partial), cv2.VideoWriter_fourcc(*"mp4v"), rate, frame.shape[1::-1])
            if not writer.isOpened():
                raise LircDepthError(f"cannot write {path}: this OpenCV has no encoder for it, or no such folder")
        writer.write(frame)

    try:
        yield add
        if writer is not None:
            writer.release()
            partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
