# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From light to an 8-bit picture: glare, white balance, vignette, tone curve and noise of a camera."""

import numpy as np
import torch

from lircdepth_core.synthetic.render.materials.patterns import scramble
from lircdepth_core.synthetic.sensors.rig import CameraModel
from lircdepth_core.synthetic.world.world import World

_UNIFORM_STEPS = 65535  # of the numbers that scramble returns


def develop(
    world: World, camera: CameraModel, light: torch.Tensor, glow: torch.Tensor, time: float, noise: bool
) -> torch.Tensor:
    """Return the image uint8 [H, W, 3] that a camera makes of light [H, W, 3].

    glow: [H, W, 3], the part of the light that lamps send out; it spills over their surroundings in the dark. noise:
    with the sensor's noise, which is the same for the same world, camera and time [s].
    """
    weather = world.weather
    height, width = light.shape[:2]
    if weather.dark:
        light = light + _halo(glow, max(8, round(camera.fx / 60)))
    light = light * (weather.exposure * light.new_tensor(weather.balance))
    # The loss depends on the angle from the optical axis, so that a crop loses as much as the full picture there.
    across = (torch.arange(width, device=light.device) - camera.cx) / camera.fx
    down = (torch.arange(height, device=light.device) - camera.cy) / camera.fy
    light = light * (1 - weather.vignette * 1.3 * (across**2 + down[:, None] ** 2).clamp(max=0.75))[..., None]
    image = (1 - torch.exp(-1.15 * light)) ** (1 / 2.2) * 255
    if noise:
        number = torch.arange(height * width * 3, dtype=torch.int32, device=light.device).reshape(height, width, 3)
        key = (world.number, round(time * 1e6), *camera.channel.encode())
        seed = torch.tensor(int(np.random.default_rng(key).integers(1 << 31)), dtype=torch.int32, device=light.device)
        # A sum of four uniform numbers is nearly normal, and the same on every device.
        total = torch.zeros_like(image)
        for k in range(4):
            total += scramble(number, seed + k)
        image = image + weather.noise * 1.73 * (total / _UNIFORM_STEPS - 2) * (0.6 + 0.4 * (image / 128).clamp(max=1.5))
    return image.clamp(0, 255).add(0.5).clamp(max=255).to(torch.uint8)


def _halo(glow: torch.Tensor, reach: int) -> torch.Tensor:
    """Return the light [H, W, 3] that lamps spill around themselves within about ``reach`` pixels."""
    cell = max(1, reach // 4)
    picture = glow.permute(2, 0, 1)[None]
    small = torch.nn.functional.avg_pool2d(picture, cell, ceil_mode=True, count_include_pad=False)
    total = torch.zeros_like(small)
    for size, share in ((3, 0.35), (7, 0.25), (15, 0.14)):
        blurred = small
        for _ in range(2):
            blurred = torch.nn.functional.avg_pool2d(blurred, size, 1, size // 2, count_include_pad=False)
        total = total + share * blurred
    whole = torch.nn.functional.interpolate(total, size=glow.shape[:2], mode="bilinear", align_corners=False)
    return whole[0].permute(1, 2, 0)
