# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher is the published CaFNet: same parameters, same outputs, same cost."""

import copy
import math

import numpy as np
import pytest
import torch
from test_checkpoints import published_checkpoint
from test_student import PARITY, assert_agrees, assert_probes_agree, keys_from, seeded_inputs, seeded_tensor

from lircdepth_core.commands.info import count_macs
from lircdepth_core.models import checkpoints
from lircdepth_core.models.cafnet import CaFNet
from lircdepth_core.models.cafnet.planes import plane_depth
from lircdepth_ros import cli

CLASSIFIERS = 3 * (512 * 1000 + 1000)


def published_state():
    """The published keys with seeded values, which can be regenerated, the unused classifiers among them."""
    return {
        key: torch.from_numpy(np.asarray(seeded_tensor(key, shape)))
        for key, shape in keys_from(PARITY / "teacher_keys.tsv")
    }


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A published checkpoint that went through `lircdepth import-checkpoint`."""
    folder = tmp_path_factory.mktemp("teacher")
    state = {f"module.{key}": value for key, value in published_state().items()}
    published = published_checkpoint(folder / "cafnet.pth", model=state)
    assert cli.main(["import-checkpoint", str(published), "-o", str(folder / "cafnet.safetensors")]) == 0
    return checkpoints.load(folder / "cafnet.safetensors")


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=str)
def parity(request, imported):
    """Return (dtype, output of the imported network, output of the published network)."""
    network = copy.deepcopy(imported[0]).to(request.param)
    image, radar = (torch.from_numpy(x).to(request.param) for x in seeded_inputs(batch=2, height=96, width=160, seed=7))
    with torch.inference_mode():
        return request.param, network(image, radar), np.load(PARITY / "teacher.npz")


def test_a_published_checkpoint_gives_the_published_depth_and_confidence(parity):
    dtype, output, published = parity
    assert_agrees(output.depth, published["final_depth"], dtype)
    assert_agrees(output.radar_confidence, published["radar_confidence"], dtype)
    assert_agrees(output.coarse_depth, published["coarse_depth"], dtype)


@pytest.mark.parametrize(
    ("name", "field", "count"),
    [
        ("lpg_depth", "inter_depth", 3),
        ("image_feature", "image_features", 5),
        ("radar_feature", "radar_features", 5),
        ("decoder_feature", "decoder_features", 5),
    ],
)
def test_every_tensor_that_distillation_reads_is_the_published_one(parity, name, field, count):
    dtype, output, published = parity
    tensors = getattr(output, field)
    if name == "radar_feature":  # the published order is coarse to fine, ours the student's
        tensors = tensors[::-1]
    assert len(tensors) == count
    assert_probes_agree(tensors, published, name, dtype)


def test_parameters_and_multiply_accumulates_are_the_published_ones_less_the_unused_classifiers():
    with torch.device("meta"):
        network = CaFNet()
    assert sum(parameter.numel() for parameter in network.parameters()) + CLASSIFIERS == 62_248_686
    assert count_macs(network, 896, 1600)[""] / 1e9 == pytest.approx(683.95, abs=0.005)
    assert not any(parameter.requires_grad for name, parameter in network.named_parameters() if "sparsity" in name)


def test_the_classifiers_are_not_kept_and_every_other_value_is(imported):
    network, header = imported
    assert header.model == "cafnet"
    assert not header.random
    state = network.state_dict()
    assert not any(".fc." in key for key in state)
    for key, value in published_state().items():
        if ".fc." not in key:
            assert torch.equal(state[key], value), key


def test_a_plane_that_faces_the_camera_has_one_depth_and_a_tilted_one_has_the_ray_planes_intersection():
    """Independent: intersect each pixel's ray (u, v, 1) with the plane n . x = n4."""
    raw = torch.tensor([-40.0, 0.0, 0.0], dtype=torch.float64).view(1, 3, 1, 1)  # theta 0: the normal is the axis
    assert torch.allclose(plane_depth(raw, 4, 100.0), torch.full((1, 1, 4, 4), 0.5, dtype=torch.float64))
    raw = torch.tensor([0.3, -0.8, 0.4], dtype=torch.float64).view(1, 3, 1, 1)
    sigmoid = [1 / (1 + math.exp(-x)) for x in (0.3, -0.8, 0.4)]
    theta, phi, distance = sigmoid[0] * math.pi / 3, sigmoid[1] * 2 * math.pi, sigmoid[2]
    depth = plane_depth(raw, 2, 100.0)[0, 0]
    for row, v in enumerate((-0.25, 0.25)):
        for column, u in enumerate((-0.25, 0.25)):
            normal = (math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta))
            expected = distance / (normal[0] * u + normal[1] * v + normal[2])
            assert float(depth[row, column]) == pytest.approx(expected, rel=1e-12)


def test_a_scan_without_returns_gives_finite_depth():
    """The sparse convolutions divide by the number of returns in reach."""
    network = CaFNet().eval()
    with torch.inference_mode():
        output = network(torch.randn(1, 3, 64, 96), torch.zeros(1, 4, 64, 96))
    assert all(bool(torch.isfinite(x).all()) for x in (output.depth, output.radar_confidence, output.coarse_depth))
