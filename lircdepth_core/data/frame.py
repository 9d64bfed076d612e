# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The raw frame, which every source of frames gives, and how it becomes a sample that a network takes.

A raw frame is a dict of tensors of one size: "image" uint8 [3, H, W] RGB; "radar" float32 [4, H, W] (depth m, RCS
dBsm, vx, vy m/s, 0 = no return); "dense" and "single" float32 [1, H, W] metres, 0 = unknown, or in their place
"rendered", which is known at every pixel and BEYOND_RANGE_M for the sky; optionally more maps with [C, H, W]. A sample
is the same dict with "image" normalised, float32, and a size that is a multiple of 32.

A source of frames is anything with the attributes of FrameSource.
"""

import hashlib
from collections.abc import Mapping
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from lircdepth_core.inference.input_plan import InputPlan, normalise

BEYOND_RANGE_M = 255.0  # "rendered" depth from here on, and of the sky: farther than any sensor of the vehicle measures

TRAINING_TRUTHS = ("rendered", "dense", "single")  # the maps of true depth that training may see

Frame: TypeAlias = dict[str, Tensor]


class FrameSource(Protocol):
    """Raw frames of one camera.

    focal_length: pixels. size: (height, width) pixels. description: says in a line where the frames come from.
    """

    focal_length: float
    size: tuple[int, int]
    description: str

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``."""
        ...


def rendered_truth(depth: Tensor) -> Tensor:
    """Return the depth [H, W] metres of a picture, Inf for its sky, as a frame's "rendered", on the CPU."""
    return torch.where(depth < BEYOND_RANGE_M, depth, BEYOND_RANGE_M).cpu()[None]


def sha256_of(frames: FrameSource) -> str:
    """Return a SHA-256 that tells a source's frames from others.

    It is that of ``frames.sha256()`` where the source has it; otherwise of what the source says of itself and of its
    first frame.
    """
    own = getattr(frames, "sha256", None)
    if own is not None:
        return str(own())
    digest = hashlib.sha256(f"{frames.description} {len(frames)} {frames.size} {frames.focal_length}".encode())
    for name, value in sorted(frames.frame(0).items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def cropped(frame: Mapping[str, Tensor], top: int, left: int, rows: int, columns: int) -> Frame:
    """Return the same window of every map of a frame: rows x columns pixels from (top, left) on."""
    return {name: value[..., top : top + rows, left : left + columns] for name, value in frame.items()}


def prepare(frame: Mapping[str, Tensor]) -> Frame:
    """Return a raw frame as a sample for evaluation: cropped to multiples of 32 as DepthPipeline crops, normalised.

    Raises LircDepthError for a frame of less than 32 pixels in a direction.
    """
    height, width = frame["image"].shape[-2:]
    plan = InputPlan.make(height, width, scale=1.0)
    sample = cropped(frame, plan.top, plan.left, plan.crop_height, plan.crop_width)
    return sample | {"image": normalise(sample["image"].float() / 255)}
