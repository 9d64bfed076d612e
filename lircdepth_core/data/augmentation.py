# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a raw frame to what the network is trained on: crop, flip, colour, radar dropout, normalisation.

A raw frame is a dict of tensors of one size: "image" uint8 [3, H, W] RGB; "radar" float32 [4, H, W] (depth m, RCS
dBsm, vx, vy m/s, 0 = no return); "dense" and "single" float32 [1, H, W] metres, 0 = unknown; optionally more maps with
[C, H, W]. A training sample is the same dict with "image" normalised, float32.
"""

from dataclasses import dataclass

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.lircdepth import STRIDE

IMAGE_MEAN = (0.485, 0.456, 0.406)  # ImageNet, RGB
IMAGE_STD = (0.229, 0.224, 0.225)
_LEFTWARD = 3  # the radar channel that changes sign in a mirror: vy, to the left


def normalise(image):
    """Return an image in 0..1, float [..., 3, H, W], with ImageNet's mean and standard deviation taken out."""
    mean, std = (image.new_tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    return (image - mean) / std


def prepare(frame):
    """Return a raw frame as a sample for evaluation: cropped to multiples of 32 as DepthPipeline crops, normalised."""
    height, width = frame["image"].shape[-2:]
    rows, columns = height // STRIDE * STRIDE, width // STRIDE * STRIDE
    sample = _cropped(frame, height - rows, (width - columns) // 2, rows, columns)
    return sample | {"image": normalise(sample["image"].float() / 255)}


@dataclass(frozen=True)
class Augmentation:
    """The published augmentation, and radar dropout.

    crop: (height, width) of a random crop, multiples of 32. flip: probability of a mirror. colour: probability of a
    change of gamma, brightness and each channel, all drawn from colour_range. drop_scan: probability that a whole
    radar scan is taken away; drop_points: share of returns that are taken away, drawn for each frame between 0 and it.
    """

    crop: tuple[int, int] = (352, 704)
    flip: float = 0.5
    colour: float = 0.5
    colour_range: tuple[float, float] = (0.9, 1.1)
    drop_scan: float = 0.0
    drop_points: float = 0.0

    def __call__(self, frame, generator):
        """Return the training sample of a raw frame; ``generator`` (CPU) decides everything.

        Raises LircDepthError when the frame is smaller than the crop.
        """
        height, width = frame["image"].shape[-2:]
        rows, columns = self.crop
        if rows > height or columns > width or rows % STRIDE or columns % STRIDE:
            raise LircDepthError(
                f"crop {rows}x{columns} (height x width): expected multiples of {STRIDE} within the frames' "
                f"{height}x{width}"
            )

        def chance(probability):
            return bool(torch.rand((), generator=generator) < probability)

        top, left = (int(torch.randint(n + 1, (), generator=generator)) for n in (height - rows, width - columns))
        sample = _cropped(frame, top, left, rows, columns)
        if chance(self.flip):
            sample = {name: value.flip(-1) for name, value in sample.items()}
            sample["radar"][_LEFTWARD].neg_()  # flip copied
        image = sample["image"].float() / 255
        if chance(self.colour):
            image = self._recoloured(image, generator)
        sample["image"] = normalise(image)
        if self.drop_scan or self.drop_points:
            sample["radar"] = self._thinned(sample["radar"], chance(self.drop_scan), generator)
        return sample

    def _recoloured(self, image, generator):
        low, high = self.colour_range
        gamma, brightness, *channels = (low + (high - low) * torch.rand(5, generator=generator)).tolist()
        gain = brightness * image.new_tensor(channels)[:, None, None]
        return (image**gamma * gain).clamp(0, 1)

    def _thinned(self, radar, without_scan, generator):
        share = self.drop_points * float(torch.rand((), generator=generator))
        keep = torch.rand(radar.shape[-2:], generator=generator) >= share
        return torch.zeros_like(radar) if without_scan else radar * keep.to(radar.device)


def _cropped(frame, top, left, rows, columns):
    return {name: value[..., top : top + rows, left : left + columns] for name, value in frame.items()}
