# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One frame through the worker: decode, estimate, publish, and note how long each stage took."""

import time
from concurrent.futures import Future
from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo

from lircdepth_ros.depth_node.outputs import depth_messages
from lircdepth_ros.messages.camera_info import camera_matrix, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import stamp_to_ns


@dataclass
class Job:
    """A complete frame on its way to the worker. Times are time.perf_counter() seconds."""

    image: object  # sensor_msgs/Image or CompressedImage
    camera_info: CameraInfo
    radars: list  # (RadarScan, camera_from_radar), as DepthPipeline takes them
    arrived: float
    released: float
    lap: int  # the activation that it belongs to
    decoded: Future | None = None  # gives the decoded image; None: the worker decodes it


def process(job, pipeline, outputs, settings, statistics, still_wanted, now):
    """Publish the depth of a job.

    still_wanted(job) is asked after the network ran: a deactivated node publishes nothing. now() is the node's time in
    nanoseconds. Raises LircDepthError for an image or camera_info that cannot be worked with, and MemoryError.
    """
    started = time.perf_counter()
    intrinsics, size = camera_matrix(job.camera_info)
    image = any_image_to_rgb(job.image) if job.decoded is None else job.decoded.result()
    require_size(image, size)
    decoded = time.perf_counter()
    frame = pipeline(image, intrinsics, job.radars)
    computed = time.perf_counter()
    if not still_wanted(job):
        return
    header = job.image.header
    depth, info, unrepresented = depth_messages(header, frame.depth, job.camera_info, settings["depth_encoding"])
    filled = time.perf_counter()
    outputs.publish_depth(depth, info)
    published = time.perf_counter()
    statistics.count("frames_out")
    statistics.count("fused" if frame.fused else "camera_only")
    statistics.count("decoded_ahead", job.decoded is not None)
    statistics.count("returns_rejected", frame.rejected_returns)
    statistics.count("pixels_beyond_encoding", unrepresented)
    since_stamp = (now() - stamp_to_ns(header.stamp)) / 1e9
    stages = {
        "wait": job.released - job.arrived,
        "queue": started - job.released,
        "decode": decoded - started,
        **frame.seconds,
        "message": filled - computed,
        "publish": published - filled,
        "total": published - job.arrived,
        "staleness": since_stamp,
    }
    statistics.sample({f"{stage}_ms": seconds * 1e3 for stage, seconds in stages.items()})
    outputs.publish_latency(stages["total"], since_stamp)
    outputs.publish_views(header, frame.depth, image, intrinsics, job.radars, settings)
