# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The part of a configuration that takes long: a network is loaded and warmed up in the worker's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent import futures
from typing import Protocol

from lircdepth_core.inference.backends.opening import require_allowed_backend
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros.depth_node.job import Job
from lircdepth_ros.depth_node.poses import NodePoses
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.depth_node.worker import Worker

_STOP_CHECK_PERIOD_S = 0.1  # between looks for a stop signal
_REPORT_PERIOD_S = 1.0  # between reports of a preparation that goes on
_LOG_PERIOD_S = 10.0  # between lines in the log about it


class Logger(Protocol):
    """The part of rclpy's logger that is used here."""

    def info(self, message: str) -> object:
        """Log what happens."""


class Preparation:
    """A network on its way, from when this is made. settings may be replaced while only live ones differ.

    report(text) is called, from ``tell_progress``, once a second with how long it has taken so far.
    """

    def __init__(
        self,
        settings: Settings,
        poses: NodePoses,
        worker: Worker[Job],
        logger: Logger,
        report: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.poses = poses
        self.worker = worker
        self._logger = logger
        self._report = report
        self._began = time.monotonic()
        self._told = 0.0  # seconds after the beginning
        self._pipeline = worker.call(self._load, settings)

    def _load(self, settings: Settings) -> DepthPipeline:
        """Return a warm pipeline; in the worker's thread."""
        require_allowed_backend(settings.backend)  # a parameter file alone runs no code
        names = ("device", "threads", "backend", "precision", "inference_scale", "max_range", "upsampling")
        pipeline: DepthPipeline = DepthPipeline.from_weights(
            settings.weights, **{name: getattr(settings, name) for name in names}
        )
        # Cameras may differ in size, and each size is computed alone and in batches.
        pipeline.backend.keep_sizes(len(settings.each_camera()) * len({1, settings.batch}))
        plan = pipeline.nominal_plan()
        self._logger.info(
            f"preparing the network for {plan.crop_width}x{plan.crop_height}; the first time on a machine this may "
            "take minutes, then it is cached"
        )
        pipeline.warm_up(settings.batch)
        return pipeline

    async def finished(self) -> None:
        """Wait without holding up the executor, which has to be woken up meanwhile: by a timer, say."""
        while not self._pipeline.done():
            await _Once()

    def pipeline(self, stopping: Callable[[], bool]) -> DepthPipeline:
        """Return the pipeline when it is ready. Raises what went wrong, and KeyboardInterrupt when ``stopping()``."""
        while not futures.wait([self._pipeline], timeout=_STOP_CHECK_PERIOD_S).done:
            self.tell_progress()
            if stopping():
                raise KeyboardInterrupt  # which no caller takes for a failed transition
        return self._pipeline.result()

    def tell_progress(self) -> None:
        """Report how long it has taken so far, when that is due."""
        elapsed = time.monotonic() - self._began
        if elapsed < self._told + _REPORT_PERIOD_S:
            return
        text = f"the network is being prepared, for {elapsed:.0f} s so far"
        self._report(text)
        if elapsed // _LOG_PERIOD_S > self._told // _LOG_PERIOD_S:
            self._logger.info(text)
        self._told = elapsed


class _Once:
    """To be awaited: lets the executor do what else is ready."""

    def __await__(self) -> Generator[None, None, None]:
        yield
