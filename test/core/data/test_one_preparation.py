# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training and inference prepare a frame in the same way: a network gives the same depth in both."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import street_nuscenes
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.street import StreetFrames
from lircdepth_core.models import checkpoints
from lircdepth_core.models.common.interface import DepthOutput
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros import cli

pytestmark = pytest.mark.usefixtures("one_thread")

FLOAT32 = 1e-4  # metres, at depths up to 100: the pipeline's network is rewritten, and sums in another order
SCALE = 0.25  # of the weights that ship, to a nuScenes camera


def gap(pipeline, network, raw, image, intrinsics, radars):
    """Mean difference [m] between the pipeline's depth and that of a raw frame as training prepares it."""
    sample = prepare(raw)
    with torch.inference_mode():
        trained = network(sample["image"][None], sample["radar"][None]).depth[0, 0].numpy()
    plan = pipeline.plan(*image.shape[:2], intrinsics)
    rows, columns = (
        ((np.arange(small) + 0.5) * whole / small).astype(int)
        for small, whole in ((plan.height, image.shape[0]), (plan.width, image.shape[1]))
    )
    driven = pipeline(image, intrinsics, radars).depth[np.ix_(rows, columns)]
    driven = driven[plan.top :, plan.left : plan.left + plan.crop_width]
    assert driven.shape == trained.shape
    return float(np.abs(driven - trained).mean())


class Sum:
    """Stands for a network and its backend; every value of the input is seen in its "depth"."""

    device = torch.device("cpu")

    def infer(self, image, radar):
        return image.sum(1, keepdim=True) + radar.sum(1, keepdim=True)

    def __call__(self, image, radar):
        return DepthOutput(self.infer(image, radar), [], [], [], [])


@pytest.fixture(scope="module")
def pipeline():
    return DepthPipeline.from_weights("street", backend="eager", device="cpu")


@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.full)])
def test_street_frames(pipeline, network, count):
    frames = StreetFrames("val", count, SCALE)
    gaps = [gap(pipeline, network, frames.inputs(i), *frames.pipeline_input(i)) for i in range(count)]
    assert max(gaps) < FLOAT32


def test_the_real_sample(pipeline, network, nuscenes_real):
    pytest.importorskip("nuscenes")
    whole = NuScenesFrames(nuscenes_real, "v1.0-mini", "all")
    small = NuScenesFrames(nuscenes_real, "v1.0-mini", "all", scale=pipeline.header.focal_length / whole.focal_length)
    assert gap(pipeline, network, small.frame(0), *whole.pipeline_input(whole.samples[0])) < FLOAT32


def test_a_data_root_at_other_scales(tmp_path):
    """Pictures of noise tell filters apart."""
    pytest.importorskip("nuscenes")
    root = street_nuscenes.write(tmp_path / "root")
    whole = NuScenesFrames(root, "v1.0-mini", "all")
    for number, sample in enumerate(whole.samples):
        record = whole.nusc.get("sample_data", sample["data"]["CAM_FRONT"])
        noise = np.random.default_rng(number).integers(0, 256, (*whole.size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / record["filename"])
    for scale in (0.25, 0.4, 0.5, 0.75, 1.0):
        header = checkpoints.Header(model="tiny", focal_length=scale * whole.focal_length)
        small = NuScenesFrames(root, "v1.0-mini", "all", scale=scale)
        for index, sample in enumerate(whole.samples):
            pipeline = DepthPipeline(Sum(), header)
            assert gap(pipeline, Sum(), small.frame(index), *whole.pipeline_input(sample)) < FLOAT32, scale


def test_a_small_scan_keeps_the_points_that_no_nearer_one_hides(root):
    pytest.importorskip("nuscenes")
    whole, half = (NuScenesFrames(root, "v1.0-mini", "all", scale=scale).frame(0)["single"][0] for scale in (1, 0.5))
    rows, columns = torch.nonzero(whole, as_tuple=True)
    # Two pixels of the whole map become one of the small one; a position was rounded there, so that one of its
    # neighbours may hold the point.
    nearest = torch.nn.functional.max_pool2d(-torch.where(half > 0, half, torch.inf)[None], 3, 1, 1)[0]
    assert bool((-nearest[rows // 2, columns // 2] <= whole[rows, columns]).all())
    assert int((half > 0).sum()) > 0.5 * len(rows)


def test_packed_frames_and_the_data_root_have_the_same_errors(nuscenes_real, tmp_path):
    pytest.importorskip("nuscenes")
    common = ("--dataroot", nuscenes_real, "--version", "v1.0-mini", "--split", "all")
    words = {
        "pack": (*common, "--scale", SCALE, "-o", tmp_path / "frames.safetensors"),
        "eval": ("--packed", tmp_path / "frames.safetensors", "--device", "cpu", "-o", tmp_path / "packed"),
    }
    for command, options in words.items():
        assert cli.main([command, *map(str, options)]) == 0
    assert cli.main(["eval", *map(str, (*common, "--backend", "eager", "-o", tmp_path / "root"))]) == 0
    packed, rooted = (
        json.loads((tmp_path / name / "results.json").read_text())["errors"]["radar"]["0-80 m"]
        for name in ("packed", "root")
    )
    for name in ("mae", "rmse", "abs_rel", "delta1"):
        assert packed[name] == pytest.approx(rooted[name], rel=0.01), name
