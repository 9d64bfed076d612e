# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One frame through the worker: decode, estimate, publish, and note how long each stage took."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.depth_node.frames import Frame
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs, depth_messages
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.camera_info import camera_matrix, projection_offset, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

DEACTIVATED = "deactivated"  # cause of a drop


class Activation(Protocol):
    """What a job belongs to: from the node's activation to its deactivation."""

    @property
    def journal(self) -> Journal:
        """Where the activation's frames are counted."""


@dataclass
class Job:
    """A complete frame on its way to the worker.

    released: when it was handed over, time.perf_counter() seconds. activation: a job of an earlier one is not
    published. decoded: gives the decoded image; None where the worker decodes it.
    """

    frame: Frame
    released: float
    activation: Activation
    decoded: Future[npt.NDArray[np.uint8]] | None = None


def process(
    job: Job,
    pipeline: DepthPipeline,
    outputs: DepthOutputs,
    settings: Settings,
    publishing: Callable[[Job], AbstractContextManager[bool]],
    now: Callable[[], int],
    stopping: Callable[[], bool],
) -> None:
    """Publish the depth of a job, or drop it: exactly one of both is counted in its activation's journal.

    publishing(job) is entered after the network ran, and tells whether the job's activation still is the node's: a
    deactivated node publishes nothing, and is not deactivated meanwhile. now() is the node's time in nanoseconds.
    Raises LircDepthError for an image or camera_info that does not fit, and MemoryError: such a job is not counted yet.
    What goes wrong after the depth is published is counted as ``views_failed``, unless the process is ``stopping()``.
    """
    statistics = job.activation.journal.statistics
    started = time.perf_counter()
    frame = job.frame
    intrinsics, size = camera_matrix(frame.camera_info)
    image = any_image_to_rgb(frame.image) if job.decoded is None else job.decoded.result()
    require_size(image, size)
    decoded = time.perf_counter()
    estimate = pipeline(image, intrinsics, frame.radars)
    computed = time.perf_counter()
    header = frame.image.header
    depth, info, beyond_encoding = depth_messages(header, estimate.depth, frame.camera_info, settings.depth_encoding)
    filled = time.perf_counter()
    with publishing(job) as wanted:
        if not wanted:
            statistics.drop(DEACTIVATED, under_way=True)
            return
        outputs.publish_depth(depth, info)
        statistics.publish(estimate.fused)
    published = time.perf_counter()
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
    with _views_may_fail(job, stopping):
        outputs.publish_latency(stages["total"], since_stamp)
        with publishing(job) as wanted:
            if wanted:
                offset = projection_offset(frame.camera_info)
                outputs.publish_views(header, estimate.depth, image, intrinsics, offset, frame.radars, settings)


@contextmanager
def _views_may_fail(job: Job, stopping: Callable[[], bool]) -> Iterator[None]:
    """Count and tell what goes wrong within, unless the process is stopping: whatever it is, the depth is out."""
    journal = job.activation.journal
    try:
        yield
    except Exception as error:
        if stopping():
            return
        journal.statistics.count("views_failed")
        journal.statistics.error(f"{type(error).__name__}: {error}")
        journal.say_once("views", f"a view of the depth was not published: {traceback.format_exc()}", error=True)
