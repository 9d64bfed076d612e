# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth from an exported file, without this package: what a program in another language does, too.

    lircdepth export street -o street.onnx --format onnx --size 224 384
    python examples/onnx_depth.py street.onnx IMAGE RETURNS.npy DEPTH.npy

The image is of a camera with FOCAL_LENGTH_PX, FACTOR times that of the file. RETURNS: [N, 6], u and v in pixels of the
image, depth along the optical axis [m], RCS [dBsm], vx and vy [m/s] along the camera's heading.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime

FOCAL_LENGTH_PX, HALVINGS = 1266.4, 2

session = onnxruntime.InferenceSession(sys.argv[1])
about = session.get_modelmeta().custom_metadata_map
mean, std = (np.array(json.loads(about[name]), np.float32) for name in ("image_mean", "image_std"))
trained_px = float(about["focal_length_px"])
assert abs(trained_px * 2**HALVINGS / FOCAL_LENGTH_PX - 1) < 0.015, "another camera: resize by the ratio"

# The picture shrinks by the mean over areas; then the rows at the top and columns at both sides are cropped.
image = whole = cv2.cvtColor(cv2.imread(sys.argv[2]), cv2.COLOR_BGR2RGB)
for _ in range(HALVINGS):
    image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
height, width = session.get_inputs()[0].shape[2:]
top, left = image.shape[0] - height, (image.shape[1] - width) // 2
pixels = (image[top:, left : left + width] / np.float32(255) - mean) / std

# Returns are drawn at that size, the farthest first, so that the nearest one wins its pixel.
returns = np.load(sys.argv[3])
returns = returns[np.argsort(-returns[:, 2], kind="stable")]
place = np.rint((returns[:, :2] + 0.5) / 2**HALVINGS - 0.5 - (left, top)).astype(int)
inside = ((place >= 0) & (place < (width, height))).all(axis=1)
radar = np.zeros((4, height, width), np.float32)
for (column, row), values in zip(place[inside], returns[inside, 2:], strict=True):
    radar[:, row, column] = values

inputs = {"image": pixels.transpose(2, 0, 1)[None].astype(np.float32), "radar": radar[None]}
depth = np.full(image.shape[:2], np.nan, np.float32)  # unknown where it was cropped
depth[top:, left : left + width] = session.run(["depth"], inputs)[0][0, 0]
np.save(sys.argv[4], cv2.resize(depth, whole.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT))
