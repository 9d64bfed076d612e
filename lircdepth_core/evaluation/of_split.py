# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of the depth pipeline on key frames of a nuScenes split: with radar and without."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lircdepth_core import radar, work
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.sampling import spread
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import truth as truths
from lircdepth_core.evaluation.pictures import Panel, truth_panel
from lircdepth_core.evaluation.report import ErrorCollector, Report, has_truth
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.work import Workers

_MOST_FRAMES_A_TASK, _TASKS_A_JOB = 64, 4  # a task sends back pictures of its worst images: few of many
PUBLISHED_OFFSET_ROWS = 4  # by which the radar sits too low in the published evaluation


def conditions(description: str) -> list[str]:
    """Return the conditions that a nuScenes scene's description names: "night" or "day", and "rain"."""
    words = description.lower()
    found = ["night" if "night" in words else "day"]
    return [*found, "rain"] if "rain" in words or "wet" in words else found


@dataclass(frozen=True)
class FrameErrors:
    """What any process or machine needs beside indices to measure key frames. pipeline: opens the DepthPipeline."""

    pipeline: Callable[[], DepthPipeline]
    frames: NuScenesFrames
    truth: truths.Truth
    published_offset: bool

    def __call__(self, indices: Sequence[int], advance: Callable[[int], object]) -> ErrorCollector:
        """Return the errors of key frames, with radar and with radar left out, or why there are none."""
        collector = ErrorCollector()
        for index in indices:
            self._measure(index, collector, warm=index != indices[0])
            advance(1)
        return collector

    def _measure(self, index: int, collector: ErrorCollector, warm: bool) -> None:
        frames, pipeline = self.frames, self.pipeline()
        sample = frames.samples[index]
        depth_truth = truths.of_key_frame(frames, sample, self.truth)
        if self.published_offset:
            depth_truth[:PUBLISHED_OFFSET_ROWS] = 0
        if not has_truth(depth_truth):
            collector.leave_out(f"key frame {sample['token']} has no ground truth")
            return
        image, intrinsics, radars = frames.pipeline_input(sample)
        if self.published_offset:
            intrinsics = intrinsics + np.array([[0, 0, 0], [0, 0, PUBLISHED_OFFSET_ROWS], [0, 0, 0]])
        tags = conditions(frames.scene_description(sample))
        frame = pipeline(image, intrinsics, radars)
        seen = radar.project_scans(radars, intrinsics, image.shape[1], image.shape[0])
        draw = functools.partial(error_view, frame.depth, depth_truth, image, (seen.pixels, seen.depth))
        # The first one's time is that of warming up, too.
        token, seconds = sample["token"], sum(frame.seconds.values()) if warm else None
        collector.add("radar", frame.depth, depth_truth, tags, image=token, draw=draw, seconds=seconds)
        collector.add("no radar", pipeline(image, intrinsics).depth, depth_truth, tags, image=token)


def evaluate(
    pipeline: Callable[[], DepthPipeline],
    frames: NuScenesFrames,
    truth: truths.Truth = "lidar",
    published_offset: bool = False,
    limit: int | None = None,
    about: dict[str, Any] | None = None,
    workers: Workers = Workers(),  # noqa: B008 - frozen
    advance: Callable[[int], object] = lambda count: None,
) -> Report:
    """Return the errors of a DepthPipeline on frames (at scale 1), with radar and with radar left out.

    pipeline: opens it, once in each process that works. published_offset: put the radar 4 rows too low and leave the
    top 4 rows out, as the published figures do. limit: so many frames, spread over the split. Key frames without truth
    are counted. advance: called with the numbers of frames that are done. Raises LircDepthError when none has any.
    """
    indices, collector = spread(len(frames), limit), ErrorCollector()
    alone = workers == Workers()
    length = len(indices) if alone else max(1, min(_MOST_FRAMES_A_TASK, len(indices) // (_TASKS_A_JOB * workers.jobs)))
    found = work.run(
        FrameErrors(pipeline, frames, truth, published_offset),
        [indices[first : first + length] for first in range(0, len(indices), length)],
        workers,
        advance,
        lambda part: f"key frames {frames.samples[part[0]]['token']} to {frames.samples[part[-1]]['token']}",
        start=_one_thread,
        method="spawn",
    )
    for part in found:
        collector.join(part)
    if collector.left_out == len(indices):
        raise LircDepthError(f"{frames.description}: no frame has any ground truth")
    return collector.report(about or {})


def _one_thread() -> None:
    torch.set_num_threads(1)


def panels(pipeline: DepthPipeline, frames: NuScenesFrames, truth: truths.Truth) -> list[Panel]:
    """Return the middle frame's image with radar, its depth with and without radar, and its truth."""
    sample = frames.samples[len(frames) // 2]
    image, intrinsics, radars = frames.pipeline_input(sample)
    return [
        *input_panels(frames, sample, truth),
        Panel("depth", depth=pipeline(image, intrinsics, radars).depth),
        Panel("depth with radar left out", depth=pipeline(image, intrinsics).depth),
    ]


def input_panels(frames: NuScenesFrames, sample: dict[str, Any], truth: truths.Truth) -> list[Panel]:
    """Return a key frame's image with radar, and its truth."""
    image, intrinsics, radars = frames.pipeline_input(sample)
    height, width = image.shape[:2]
    seen = radar.project_scans(radars, intrinsics, width, height)
    return [
        Panel("image and radar", image, points=(seen.pixels, seen.depth)),
        truth_panel(truths.of_key_frame(frames, sample, truth), image),
    ]
