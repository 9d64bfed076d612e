# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How much depth changes with the filter by which a picture is made smaller, on the synthetic street or on nuScenes.

    python benchmarks/bench_resizing.py [--frames 6] [--weights street] [--dataroot NUSCENES --version v1.0-mini]

The pipeline takes the mean over areas. Here each picture is made as small as the weights want it by a filter, and then
goes through the pipeline, which resamples it no more; radar is the same each time. Differences are to the mean over
areas, over the pixels where that has at most 80 m.
"""

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.street import StreetFrames
from lircdepth_core.inference.resizing import resized
from lircdepth_core.pipeline import DepthPipeline

CAP_M = 80.0


def by_opencv(interpolation):
    return lambda image, height, width: cv2.resize(image, (width, height), interpolation=interpolation)


def by_pillow(filter):
    return lambda image, height, width: np.asarray(Image.fromarray(image).resize((width, height), filter))


FILTERS = {
    "mean over areas, OpenCV in one step": by_opencv(cv2.INTER_AREA),
    "box, Pillow": by_pillow(Image.Resampling.BOX),
    "bilinear, Pillow": by_pillow(Image.Resampling.BILINEAR),
    "bicubic, Pillow": by_pillow(Image.Resampling.BICUBIC),
    "Lanczos, Pillow": by_pillow(Image.Resampling.LANCZOS),
    "bilinear, OpenCV": by_opencv(cv2.INTER_LINEAR),
    "Lanczos, OpenCV": by_opencv(cv2.INTER_LANCZOS4),
    "nearest, OpenCV": by_opencv(cv2.INTER_NEAREST),
}


def inputs(arguments):
    """Yield what a pipeline takes, frame by frame."""
    if arguments.dataroot:
        frames = NuScenesFrames(arguments.dataroot, arguments.version, "all")
        yield from (frames.pipeline_input(sample) for sample in frames.samples[: arguments.frames])
    else:
        frames = StreetFrames("test", arguments.frames, scale=1.0)
        yield from (frames.pipeline_input(index) for index in range(arguments.frames))


def scaled(intrinsics, along_u, along_v):
    """Return the intrinsics of a resized image; pixel centres are whole numbers."""
    offset = np.array([[0, 0, along_u / 2 - 0.5], [0, 0, along_v / 2 - 0.5], [0, 0, 0]])
    return np.diag([along_u, along_v, 1.0]) @ intrinsics + offset


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--weights", default="street", help="default: %(default)s")
    parser.add_argument("--dataroot", metavar="DIR", help="of nuScenes, in the place of the street")
    parser.add_argument("--version", default="v1.0-trainval", help="of nuScenes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file, too")
    arguments = parser.parse_args()
    pipeline = DepthPipeline.from_weights(arguments.weights, device="cpu", backend="eager")
    rows = {name: [] for name in FILTERS}
    for image, intrinsics, radars in inputs(arguments):
        plan = pipeline.plan(*image.shape[:2], intrinsics)
        small_intrinsics = scaled(intrinsics, plan.width / image.shape[1], plan.height / image.shape[0])

        def depth_of(small, intrinsics=small_intrinsics, radars=radars):
            return pipeline(np.ascontiguousarray(small), intrinsics, radars).depth

        expected = depth_of(resized(image, plan.height, plan.width))
        counted = expected <= CAP_M
        for name, filter in FILTERS.items():
            difference = np.abs(depth_of(filter(image, plan.height, plan.width)) - expected)[counted]
            relative = difference / expected[counted]
            rows[name].append((difference.mean(), np.quantile(difference, 0.95), relative.mean()))
    means = {name: [float(value) for value in np.mean(each, axis=0)] for name, each in rows.items()}
    print("| filter | mean difference [m] | 95 % of pixels below [m] | mean relative difference |\n|---|---|---|---|")
    for name, (mean, quantile, relative) in means.items():
        print(f"| {name} | {mean:.2f} | {quantile:.2f} | {relative:.1%} |")
    print(f"\n{len(rows[name])} frames of {image.shape[1]}x{image.shape[0]}, to {plan.width}x{plan.height}")
    if arguments.json:
        arguments.json.write_text(json.dumps(means, indent=2) + "\n")


if __name__ == "__main__":
    main()
