# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Photometric augmentation beyond the published one: what another camera, light or surface does to a picture."""

from dataclasses import dataclass

import torch
from torch import Tensor

_SLOPES = (0.3, 1.3)  # of textures: their amplitude falls as frequency to the power of -slope; a natural picture has 1
_SHARE_TEXTURED = 0.7  # of the pictures that get a texture, where it is on
_BLUR_PX = 3


@dataclass(frozen=True)
class Photometric:
    """Changes of a picture, each drawn anew for each sample; the defaults change nothing.

    share: of the pictures that are changed; the others stay as they are. saturation, contrast, brightness, gamma:
    ranges of factors, and of gamma's exponent, (1, 1) for none. gains: standard deviation of a factor of each colour
    channel. texture: greatest standard deviation of a 1/f pattern that multiplies the picture, as the texture of
    surfaces does. haze: the same of one that is added to it. blur: probability of a blur by a mean of 3x3 pixels.
    noise: greatest standard deviation of the noise of pixels, of 1.
    """

    share: float = 1.0
    saturation: tuple[float, float] = (1.0, 1.0)
    contrast: tuple[float, float] = (1.0, 1.0)
    brightness: tuple[float, float] = (1.0, 1.0)
    gamma: tuple[float, float] = (1.0, 1.0)
    gains: float = 0.0
    texture: float = 0.0
    haze: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return a changed picture float32 [3, H, W] in 0..1; ``generator`` (CPU) makes every choice.

        What is off draws nothing: other switches do what they do without it.
        """

        def uniform(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=generator))

        def is_on(bounds: tuple[float, float]) -> bool:
            return tuple(bounds) != (1.0, 1.0)

        if self.share < 1 and uniform(0, 1) >= self.share:
            return image
        if is_on(self.saturation):
            grey = image.mean(0, keepdim=True)
            image = grey + (image - grey) * uniform(*self.saturation)
        if is_on(self.contrast):
            mean = image.mean()
            image = mean + (image - mean) * uniform(*self.contrast)
        if is_on(self.brightness):
            image = image * uniform(*self.brightness)
        if self.gains:
            image = image * (1 + self.gains * torch.randn((3, 1, 1), generator=generator)).to(image.device)
        size = (image.shape[-2], image.shape[-1])
        for strength, added in ((self.texture, False), (self.haze, True)):
            if strength and uniform(0, 1) < _SHARE_TEXTURED:
                pattern = uniform(0, strength) * pattern_1_f(size, uniform(*_SLOPES), generator).to(image.device)
                image = image + pattern if added else image * (1 + pattern)
        if is_on(self.gamma):
            image = image.clamp(1e-3, 1) ** uniform(*self.gamma)
        if self.blur and uniform(0, 1) < self.blur:
            padded = torch.nn.functional.pad(image[None], (1, 1, 1, 1), mode="replicate")
            image = torch.nn.functional.avg_pool2d(padded, _BLUR_PX, 1)[0]
        if self.noise:
            image = image + uniform(0, self.noise) * torch.randn(image.shape, generator=generator).to(image.device)
        return image.clamp(0, 1)


def pattern_1_f(size: tuple[int, int], slope: float, generator: torch.Generator) -> Tensor:
    """Return a pattern [1, H, W] of mean 0 and standard deviation 1 whose amplitude falls as frequency^-slope."""
    rows, columns = size
    white = torch.fft.rfft2(torch.randn((1, rows, columns), generator=generator))
    frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])
    weight = frequency.clamp_min(1 / max(rows, columns)) ** -slope
    weight[0, 0] = 0.0
    pattern: Tensor = torch.fft.irfft2(white * weight, s=(rows, columns))
    return pattern / pattern.std()
