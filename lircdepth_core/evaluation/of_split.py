# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of the depth pipeline on key frames of a nuScenes split: with radar and without."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lircdepth_core import radar
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.sampling import spread
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import truth as truths
from lircdepth_core.evaluation.pictures import Panel, truth_panel
from lircdepth_core.evaluation.report import ErrorCollector, Report, has_truth
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.pipeline import DepthPipeline

PUBLISHED_OFFSET_ROWS = 4  # by which the radar sits too low in the published evaluation

Progress = Callable[[Sequence[int]], Iterable[int]]


def conditions(description: str) -> list[str]:
    """Return the conditions that a nuScenes scene's description names: "night" or "day", and "rain"."""
    words = description.lower()
    found = ["night" if "night" in words else "day"]
    return [*found, "rain"] if "rain" in words or "wet" in words else found


def evaluate(
    pipeline: DepthPipeline,
    frames: NuScenesFrames,
    truth: truths.Truth = "lidar",
    published_offset: bool = False,
    limit: int | None = None,
    progress: Progress = iter,
    about: dict[str, Any] | None = None,
) -> Report:
    """Return the errors of a DepthPipeline on frames (at scale 1), with radar and with radar left out.

    published_offset: put the radar 4 rows too low and leave the top 4 rows out, as the published figures do. limit: so
    many frames, spread over the split. Key frames without truth are counted. Raises LircDepthError when none has any.
    """
    indices, collector = spread(len(frames), limit), ErrorCollector()
    for index in progress(indices):
        sample = frames.samples[index]
        depth_truth = truths.of_key_frame(frames, sample, truth)
        if published_offset:
            depth_truth[:PUBLISHED_OFFSET_ROWS] = 0
        if not has_truth(depth_truth):
            collector.leave_out(f"key frame {sample['token']} has no ground truth")
            continue
        image, intrinsics, radars = frames.pipeline_input(sample)
        if published_offset:
            intrinsics = intrinsics + np.array([[0, 0, 0], [0, 0, PUBLISHED_OFFSET_ROWS], [0, 0, 0]])
        tags = conditions(frames.scene_description(sample))
        frame = pipeline(image, intrinsics, radars)
        seen = radar.project_scans(radars, intrinsics, image.shape[1], image.shape[0])
        draw = functools.partial(error_view, frame.depth, depth_truth, image, (seen.pixels, seen.depth))
        # The first one's time is that of warming up, too.
        token, seconds = sample["token"], None if index == indices[0] else sum(frame.seconds.values())
        collector.add("radar", frame.depth, depth_truth, tags, image=token, draw=draw, seconds=seconds)
        collector.add("no radar", pipeline(image, intrinsics).depth, depth_truth, tags, image=token)
    if collector.left_out == len(indices):
        raise LircDepthError(f"{frames.description}: no frame has any ground truth")
    return collector.report(about or {})


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
