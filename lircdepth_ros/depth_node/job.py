# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames through the worker: decode, estimate, publish, and note how long each stage took."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.pipeline import DepthFrame, DepthPipeline, PreparedFrame
from lircdepth_ros.depth_node.frames import Frame
from lircdepth_ros.depth_node.journal import Journal
from lircdepth_ros.depth_node.outputs import DepthOutputs, depth_messages
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.messages.camera_info import camera_matrix, projection_offset, require_size
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND, stamp_to_ns

DEACTIVATED = "deactivated"  # cause of a drop


class CameraOutputs(Protocol):
    """What of a camera a job needs."""

    @property
    def settings(self) -> Settings:
        """The camera's settings, live ones as they are now."""

    @property
    def outputs(self) -> DepthOutputs:
        """The camera's publishers."""


@dataclass
class Job:
    """A complete frame of a camera on its way to the worker.

    released: when it was handed over, time.perf_counter() seconds. journal: where the activation that it belongs to
    counts the camera's frames. decoded: gives the decoded image; None where the worker decodes it.
    """

    frame: Frame
    released: float
    camera: CameraOutputs
    journal: Journal
    decoded: Future[npt.NDArray[np.uint8]] | None = None


@dataclass(frozen=True)
class _Ready:
    """A job that is decoded and prepared. Times: time.perf_counter() seconds."""

    job: Job
    image: npt.NDArray[np.uint8]
    intrinsics: npt.NDArray[np.float64]
    prepared: PreparedFrame
    started: float
    decoded: float


class JobProcessor:
    """Publishes the depth of jobs, or drops them: exactly one of both is counted for each in its journal.

    publishing(job) is entered after the network ran, and tells whether the job's activation still is the node's: a
    deactivated node publishes nothing, and is not deactivated meanwhile. now() is the node's time in nanoseconds.
    batch: how many jobs are computed together, where their inputs are of one size; others are computed one by one, so
    that the backend has no more than these two to be prepared for. What goes wrong after the depth is published is
    counted as ``views_failed``. Nothing is counted or logged any more once the process is ``stopping()``.
    """

    def __init__(
        self,
        pipeline: DepthPipeline,
        publishing: Callable[[Job], AbstractContextManager[bool]],
        now: Callable[[], int],
        stopping: Callable[[], bool],
        batch: int = 1,
    ) -> None:
        self._pipeline = pipeline
        self._publishing = publishing
        self._now = now
        self._stopping = stopping
        self._batch = batch

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Compute and publish jobs. Never raises: the worker lives on for the next ones."""
        by_size: dict[tuple[int, int], list[_Ready]] = {}
        for job in jobs:
            with self._dropping_what_fails([job]):
                ready = self._prepare(job)
                by_size.setdefault(ready.prepared.input_size, []).append(ready)
        for group in by_size.values():
            step = self._batch if len(group) == self._batch else 1
            for start in range(0, len(group), step):
                self._estimate(group[start : start + step])

    def _prepare(self, job: Job) -> _Ready:
        started = time.perf_counter()
        frame = job.frame
        intrinsics, size = camera_matrix(frame.camera_info)
        image = any_image_to_rgb(frame.image) if job.decoded is None else job.decoded.result()
        require_size(image, size)
        decoded = time.perf_counter()
        return _Ready(job, image, intrinsics, self._pipeline.prepare(image, intrinsics, frame.radars), started, decoded)

    def _estimate(self, group: Sequence[_Ready]) -> None:
        with self._dropping_what_fails([ready.job for ready in group]):
            estimates = self._pipeline.estimate([ready.prepared for ready in group])
            for ready, estimate in zip(group, estimates, strict=True):
                with self._dropping_what_fails([ready.job]):
                    self._publish(ready, estimate)

    def _publish(self, ready: _Ready, estimate: DepthFrame) -> None:
        job, computed = ready.job, time.perf_counter()
        frame, statistics = job.frame, job.journal.statistics
        header, settings, outputs = frame.image.header, job.camera.settings, job.camera.outputs
        depth, info, beyond_encoding = depth_messages(
            header, estimate.depth, frame.camera_info, settings.depth_encoding
        )
        filled = time.perf_counter()
        with self._publishing(job) as wanted:
            if not wanted:
                statistics.drop(DEACTIVATED, under_way=True)
                return
            outputs.publish_depth(depth, info)
            statistics.publish(estimate.fused)
        published = time.perf_counter()
        statistics.count("decoded_ahead", job.decoded is not None)
        statistics.count("returns_rejected", estimate.rejected_returns)
        statistics.count("pixels_beyond_encoding", beyond_encoding)
        since_stamp = (self._now() - stamp_to_ns(header.stamp)) / NANOSECONDS_PER_SECOND
        stages = {
            "wait": job.released - frame.arrived,
            "queue": ready.started - job.released,
            "decode": ready.decoded - ready.started,
            **estimate.seconds,
            "message": filled - computed,
            "publish": published - filled,
            "total": published - frame.arrived,
            "staleness": since_stamp,
        }
        statistics.sample({f"{stage}_ms": seconds * 1e3 for stage, seconds in stages.items()})
        with self._views_may_fail(job):
            outputs.publish_latency(stages["total"], since_stamp)
            with self._publishing(job) as wanted:
                if wanted:
                    offset = projection_offset(frame.camera_info)
                    outputs.publish_views(
                        header, estimate.depth, ready.image, ready.intrinsics, offset, frame.radars, settings
                    )

    @contextmanager
    def _dropping_what_fails(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Drop the jobs, for a cause that is counted and logged, when what is within fails."""
        try:
            yield
        except LircDepthError as error:
            _drop(jobs, "bad_input", str(error))
        except MemoryError as error:
            _drop(jobs, "out_of_memory", str(error) or "out of memory")
        except Exception as error:
            if self._stopping():
                return  # the process was asked to stop while the network ran
            text = traceback.format_exc()
            _drop(jobs, "internal_error", f"{type(error).__name__}: {error}")
            jobs[0].journal.say_once("traceback", text, error=True)

    @contextmanager
    def _views_may_fail(self, job: Job) -> Iterator[None]:
        """Count and tell what goes wrong within, unless the process is stopping: whatever it is, the depth is out."""
        journal = job.journal
        try:
            yield
        except Exception as error:
            if self._stopping():
                return
            journal.statistics.count("views_failed")
            journal.statistics.error(f"{type(error).__name__}: {error}")
            journal.say_once("views", f"a view of the depth was not published: {traceback.format_exc()}", error=True)


def _drop(jobs: Sequence[Job], cause: str, reason: str) -> None:
    for job in jobs:
        job.journal.drop(cause, reason, under_way=True)
