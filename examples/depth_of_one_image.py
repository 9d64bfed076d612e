# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Arrays in, depth out: python examples/depth_of_one_image.py IMAGE."""

import sys

import numpy as np
from PIL import Image

from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan

pipeline = DepthPipeline.from_weights("street")  # a name, or a .safetensors file
image = np.asarray(Image.open(sys.argv[1]).convert("RGB"))  # uint8 [H, W, 3], rectified
intrinsics = [[1266.4, 0, 816.3], [0, 1266.4, 491.5], [0, 0, 1]]  # pixels of this image
# Two returns in the radar's frame: x ahead, y to the left, z up [m]; RCS [dBsm]; velocity of the return [m/s].
scan = RadarScan.from_fields(
    x=[20.0, 42.0], y=[1.0, -3.0], z=[0.0, 0.0], rcs=[12.0, 5.0], vx=[-8.0, 0.0], vy=[0.0, 0.0]
)
camera_from_radar = np.array([[0, -1, 0, 0], [0, 0, -1, 1.0], [1, 0, 0, 1.7], [0, 0, 0, 1.0]])  # optical: z ahead
frame = pipeline(image, intrinsics, [(scan, camera_from_radar)])
print(f"{frame.returns_seen} returns in view, median depth {np.nanmedian(frame.depth):.2f} m", frame.depth.shape)
