# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of networks, and of guesses without one, on packed frames at the frames' own size."""

import torch

from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.evaluation.metrics import CAPS
from lircdepth_core.evaluation.split import grouped, has_truth, means, summary


@torch.inference_mode()
def evaluate(network, frames, device="cpu", progress=iter):
    """Return the errors of a network on PackedFrames, as evaluation.evaluate does.

    Its input is the frames' own size, cropped to multiples of 32; the truth is exact depth where the frames have it, or
    the single lidar scan. Raises LircDepthError when no frame has ground truth.
    """
    network = network.to(device, memory_format=torch.channels_last)
    errors, skipped = {"radar": {}, "no radar": {}}, 0
    for index in progress(range(len(frames))):
        sample = prepare(frames.frame(index))
        truth = truth_of(sample)
        if not has_truth(truth):
            skipped += 1
            continue
        image, radar = (sample[name][None].to(device) for name in ("image", "radar"))
        for name, channels in (("radar", radar), ("no radar", torch.zeros_like(radar))):
            depth = network(image, channels).depth[0, 0].float().cpu().numpy()
            for group, found in grouped(depth, truth, ()):
                errors[name].setdefault(group, []).append(found)
    return summary(errors, skipped, frames.description)


def evaluate_trivial(train, test):
    """Return {name: {group: mean errors}} of what guesses without a network reach on packed frames of ``test``.

    The camera is taken to stand on the street as the synthetic one does; the constant is the median lidar depth of
    ``train``. See synthetic.baselines.
    """
    from lircdepth_core.evaluation.trivial import BASELINES
    from lircdepth_core.synthetic.sensors.rig import CameraModel

    learnt, frames = PackedFrames(train), PackedFrames(test)
    depths = [learnt.frame(index)["single"] for index in range(0, len(learnt), max(1, len(learnt) // 64))]
    value = float(torch.cat([depth[(depth > 0) & (depth < max(CAPS))] for depth in depths]).median())
    height, width = frames.size
    camera = CameraModel().resized(width, height)
    errors = {}
    for index in range(len(frames)):
        frame = frames.frame(index)
        returns = radar_returns(frame)
        guesses = {name: guess(camera, returns, value) for name, guess in BASELINES.items()}
        sample = prepare(frame | {name: torch.from_numpy(depth)[None].float() for name, depth in guesses.items()})
        for name in guesses:
            for group, found in grouped(sample[name][0].numpy(), truth_of(sample), ()):
                errors.setdefault(name, {}).setdefault(group, []).append(found)
    return means(errors)


def radar_returns(frame):
    """Pixels (column, row) [N, 2] and depth [N] of a frame's radar returns."""
    rows, columns = torch.nonzero(frame["radar"][0], as_tuple=True)
    return torch.stack([columns, rows], dim=1).numpy(), frame["radar"][0][rows, columns].numpy()


def truth_of(sample):
    """A prepared frame's exact depth [H, W] where it has it, or its single lidar scan; 0 = unknown."""
    return sample.get("exact", sample["single"])[0].numpy()
