# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of a network on packed frames, at the frames' own size and without a pipeline."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lircdepth_core.data.frame import Frame, FrameSource, cropped, prepare
from lircdepth_core.data.sampling import spread
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import truth as truths
from lircdepth_core.evaluation.colours import Picture
from lircdepth_core.evaluation.pictures import Panel, truth_panel
from lircdepth_core.evaluation.rendered import RenderedFigures
from lircdepth_core.evaluation.report import ErrorCollector, Report, has_truth
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.inference.input_plan import InputPlan

Progress = Callable[[Sequence[int]], Iterable[int]]


@torch.inference_mode()
def evaluate(
    network: nn.Module,
    frames: FrameSource,
    device: torch.device | str = "cpu",
    progress: Progress = iter,
    about: dict[str, Any] | None = None,
    limit: int | None = None,
) -> Report:
    """Return the errors of a network on frames, with radar and with radar zeroed.

    Its input is the frames' own size, cropped to multiples of 32. The truth is rendered depth where the frames have it,
    or the single lidar scan; with rendered depth the report says, too, what RenderedFigures tells. limit: so many
    frames, spread over all. Raises LircDepthError when no frame has ground truth.
    """
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch
    indices, collector, rendered = spread(len(frames), limit), ErrorCollector(), RenderedFigures()
    for index in progress(indices):
        frame = frames.frame(index)
        sample = prepare(frame)
        truth, sky, labelled = truths.of_prepared_frame(sample), truths.sky_of(sample), truths.labelled_of(sample)
        if not has_truth(truth):
            collector.leave_out(f"frame {index} has no ground truth")
            continue
        image, radar = (sample[name][None].to(device) for name in ("image", "radar"))
        for variant, channels in (("radar", radar), ("no radar", torch.zeros_like(radar))):
            depth = network(image, channels).depth[0, 0].float().cpu().numpy()
            draw = functools.partial(_error_view, depth, truth, frame) if variant == "radar" else None
            collector.add(variant, depth, truth, image=f"frame {index}", draw=draw)
            if sky is not None:
                rendered.add(variant, depth, truth, sky, labelled)
    if collector.left_out == len(indices):
        raise LircDepthError(f"{frames.description}: no frame has any ground truth")
    figures = rendered.as_dict()
    for line in rendered.lines():
        collector.note(line)
    return collector.report((about or {}) | ({"rendered": figures} if figures else {}))


def _error_view(depth: npt.NDArray[np.float32], truth: npt.NDArray[np.float32], frame: Frame) -> Picture:
    plan = InputPlan.make(frame["image"].shape[-2], frame["image"].shape[-1], scale=1.0)
    seen = cropped(frame, plan.top, plan.left, plan.crop_height, plan.crop_width)  # what the network saw
    image, channel = np.ascontiguousarray(seen["image"].permute(1, 2, 0).numpy()), seen["radar"][0].numpy()
    rows, columns = np.nonzero(channel)
    return error_view(depth, truth, image, (np.column_stack([columns, rows]), channel[rows, columns]))


@torch.inference_mode()
def panels(
    networks: dict[str, nn.Module], frames: FrameSource, index: int | None = None, with_radar: bool = True
) -> list[Panel]:
    """Return a frame's image with radar, its truth, and the depth of each network under its caption.

    index: of the frame; by default the middle one. with_radar: whether the networks see the radar.
    """
    frame = frames.frame(len(frames) // 2 if index is None else index)
    sample = prepare(frame)
    rows, columns = torch.nonzero(frame["radar"][0], as_tuple=True)
    pixels, distances = torch.stack([columns, rows], dim=1).numpy(), frame["radar"][0][rows, columns].numpy()
    inputs = sample["image"][None], sample["radar"][None] * with_radar
    image = frame["image"].permute(1, 2, 0).numpy()
    return [
        Panel("image and radar", np.ascontiguousarray(image), points=(pixels, distances)),
        truth_panel(truths.of_prepared_frame(sample)),
        *(Panel(caption, depth=network(*inputs).depth[0, 0].numpy()) for caption, network in networks.items()),
    ]
