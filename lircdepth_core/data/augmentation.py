# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The augmentation of training samples: random crop, mirror, colour and radar dropout."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lircdepth_core.data.frame import Frame, cropped
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.input_plan import normalise
from lircdepth_core.models.common.interface import STRIDE

_LATERAL_VELOCITY_CHANNEL = 3  # of the radar: vy, to the left, which changes its sign in a mirror


@dataclass(frozen=True)
class Augmentation:
    """The published augmentation, and radar dropout.

    crop: (height, width) of a random crop, multiples of 32. flip: probability of a mirror. colour: probability of a
    change of gamma, brightness and each channel, all drawn from colour_range. drop_scan: probability that a whole
    radar scan is taken away. drop_points: the share of returns that are taken away is drawn for each frame, between 0
    and this.
    """

    crop: tuple[int, int] = (352, 704)
    flip: float = 0.5
    colour: float = 0.5
    colour_range: tuple[float, float] = (0.9, 1.1)
    drop_scan: float = 0.0
    drop_points: float = 0.0

    def __call__(self, frame: Mapping[str, Tensor], generator: torch.Generator) -> Frame:
        """Return the training sample of a raw frame (see data.frame); ``generator`` (CPU) makes every choice.

        Raises LircDepthError when the frame is smaller than the crop.
        """
        height, width = frame["image"].shape[-2:]
        rows, columns = self.crop
        if rows > height or columns > width or rows % STRIDE or columns % STRIDE:
            raise LircDepthError(
                f"crop {rows}x{columns} (height x width): expected multiples of {STRIDE} within the frames' "
                f"{height}x{width}"
            )

        def chance(probability: float) -> bool:
            return bool(torch.rand((), generator=generator) < probability)

        top, left = (int(torch.randint(n + 1, (), generator=generator)) for n in (height - rows, width - columns))
        sample = cropped(frame, top, left, rows, columns)
        if chance(self.flip):
            sample = {name: value.flip(-1) for name, value in sample.items()}
            sample["radar"][_LATERAL_VELOCITY_CHANNEL].neg_()  # in the copy that flip made
        image = sample["image"].float() / 255
        if chance(self.colour):
            image = self._recoloured(image, generator)
        sample["image"] = normalise(image)
        if self.drop_scan or self.drop_points:
            sample["radar"] = self._thinned(sample["radar"], chance(self.drop_scan), generator)
        return sample

    def _recoloured(self, image: Tensor, generator: torch.Generator) -> Tensor:
        low, high = self.colour_range
        gamma, brightness, *channels = (low + (high - low) * torch.rand(5, generator=generator)).tolist()
        gain = brightness * image.new_tensor(channels)[:, None, None]
        recoloured: Tensor = (image**gamma * gain).clamp(0, 1)
        return recoloured

    def _thinned(self, radar: Tensor, without_scan: bool, generator: torch.Generator) -> Tensor:
        share = self.drop_points * float(torch.rand((), generator=generator))
        keep = torch.rand(radar.shape[-2:], generator=generator) >= share
        return torch.zeros_like(radar) if without_scan else radar * keep.to(radar.device)
