# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One frame through the worker: decode, estimate, publish, and note how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.depth_node.frames import Frame
from lircdepth_ros.depth_node.outputs import DepthOutputs, depth_messages
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.statistics import Statistics
from lircdepth_ros.messages.camera_info import camera_matrix, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns


@dataclass
class Job:
    """A complete frame on its way to the worker.

    released: when it was handed over, time.perf_counter() seconds. activation: what it belongs to; a job of an earlier
    activation is not published. decoded: gives the decoded image; None where the worker decodes it.
    """

    frame: Frame
    released: float
    activation: object
    decoded: Future[npt.NDArray[np.uint8]] | None = None


def process(
    job: Job,
    pipeline: DepthPipeline,
    outputs: DepthOutputs,
    settings: Settings,
    statistics: Statistics,
    still_wanted: Callable[[Job], bool],
    now: Callable[[], int],
) -> None:
    """Publish the depth of a job.

    still_wanted(job) is asked after the network ran: a deactivated node publishes nothing. now() is the node's time in
    nanoseconds. Raises LircDepthError for an image or camera_info that does not fit, and MemoryError.
    """
    started = time.perf_counter()
    frame = job.frame
    intrinsics, size = camera_matrix(frame.camera_info)
    image = any_image_to_rgb(frame.image) if job.decoded is None else job.decoded.result()
    require_size(image, size)
    decoded = time.perf_counter()
    estimate = pipeline(image, intrinsics, frame.radars)
    computed = time.perf_counter()
    if not still_wanted(job):
        return
    header = frame.image.header
    depth, info, beyond_encoding = depth_messages(header, estimate.depth, frame.camera_info, settings.depth_encoding)
    filled = time.perf_counter()
    outputs.publish_depth(depth, info)
    published = time.perf_counter()
    statistics.count("frames_out")
    statistics.count("fused" if estimate.fused else "camera_only")
    statistics.count("decoded_ahead", job.decoded is not None)
    statistics.count("returns_rejected", estimate.rejected_returns)
    statistics.count("pixels_beyond_encoding", beyond_encoding)
    since_stamp = (now() - stamp_to_ns(header.stamp)) / NANOSECONDS_PER_SECOND
    stages = {
        "wait": job.released - frame.arrived,
        "queue": started - job.released,
        "decode": decoded - started,
        **estimate.seconds,
        "message": filled - computed,
        "publish": published - filled,
        "total": published - frame.arrived,
        "staleness": since_stamp,
    }
    statistics.sample({f"{stage}_ms": seconds * 1e3 for stage, seconds in stages.items()})
    outputs.publish_latency(stages["total"], since_stamp)
    outputs.publish_views(header, estimate.depth, image, intrinsics, frame.radars, settings)
