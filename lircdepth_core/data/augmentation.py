# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The augmentation of training samples: random crop, mirror, colour and radar dropout."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lircdepth_core.data.frame import Frame, cropped
from lircdepth_core.data.photometric import Photometric
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.input_plan import normalise
from lircdepth_core.losses.teacher import confidence_label
from lircdepth_core.models.common.interface import STRIDE

_IMAGE_WIDTH_PX = 1600  # of nuScenes' cameras, for which the reach of a return is given
_LATERAL_VELOCITY_CHANNEL = 3  # of the radar: vy, to the left, which changes its sign in a mirror

_FALSE_ALONE = 0.5  # of the scans that are taken away
_CLUTTER_DEPTHS_M = (2.0, 100.0)


@dataclass(frozen=True)
class Augmentation:
    """The published augmentation, and radar dropout.

    crop: (height, width) of a random crop, multiples of 32. flip: probability of a mirror. colour: probability of a
    change of gamma, brightness and each channel, all drawn from colour_range. drop_scan: probability that a whole
    radar scan is taken away. drop_points: the share of returns that are taken away is drawn for each frame, between 0
    and this. clutter: the mean number of false returns that are added is drawn for each frame, between 0 and this; they
    lie at the height of the true ones. Every second scan that is taken away leaves false returns behind: without any
    true one beside it, only the picture gives them away. photometric: stronger changes of the picture, see Photometric.
    """

    crop: tuple[int, int] = (352, 704)
    flip: float = 0.5
    colour: float = 0.5
    colour_range: tuple[float, float] = (0.9, 1.1)
    drop_scan: float = 0.0
    drop_points: float = 0.0
    clutter: float = 0.0
    photometric: Photometric | None = None

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
        if self.photometric is not None:
            image = self.photometric(image, generator)
        sample["image"] = normalise(image)
        whole, cluttered = sample["radar"], bool(self.clutter)
        if self.drop_scan or self.drop_points:
            dropped = chance(self.drop_scan)
            sample["radar"] = self._thinned(whole, dropped, generator)
            cluttered = cluttered and (not dropped or chance(_FALSE_ALONE))
            if "confidence_label" in sample:
                scale = width / _IMAGE_WIDTH_PX
                sample["confidence_label"] = _without_removed(sample, whole[0] * (sample["radar"][0] == 0), scale)
        if cluttered:
            sample["radar"] = self._cluttered(sample["radar"], whole, generator)
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

    def _cluttered(self, radar: Tensor, whole: Tensor, generator: torch.Generator) -> Tensor:
        """Return a scan with false returns that are like those of the whole scan."""
        rows, columns = torch.nonzero(whole[0].cpu() > 0, as_tuple=True)
        if not len(rows):
            return radar
        count = int(torch.poisson(self.clutter * torch.rand(1, generator=generator), generator=generator))

        def among(length: int) -> Tensor:
            return torch.randint(length, (count,), generator=generator)

        row = rows[among(len(rows))]
        column = among(radar.shape[-1])
        # Cross section and velocity are those of a true return, so that the depth alone gives a false one away.
        source = among(len(rows))
        nearest, farthest = _CLUTTER_DEPTHS_M
        depth = nearest * (farthest / nearest) ** torch.rand(count, generator=generator)
        values = whole[:, rows[source], columns[source]].clone()
        values[0] = depth.to(radar.device)
        result = radar.clone()
        for place in torch.argsort(depth, descending=True).tolist():  # the nearest comes last, and wins its pixel
            there = result[:, row[place], column[place]]
            if not 0 < float(there[0]) < float(values[0, place]):
                there.copy_(values[:, place])
        return result


def _without_removed(sample: Mapping[str, Tensor], removed: Tensor, scale: float) -> Tensor:
    """Return the confidence labels [1, H, W] of a sample after returns were taken away.

    removed: [H, W], the depth of these returns. scale: width of the whole image relative to nuScenes'. A pixel for
    which a removed return held is 0 now, unless one that is left holds for it, too; without any return none holds.
    """
    label, left = sample["confidence_label"], sample["radar"][0]
    if not bool((removed > 0).any()):
        return label
    held = label > 0
    if bool((left > 0).any()):
        dense = sample["dense"][0]
        by_removed, by_left = (confidence_label(depth, dense, scale=scale)[None] > 0 for depth in (removed, left))
        held &= by_removed & ~by_left
    return torch.where(held, torch.zeros_like(label), label)
