# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The student is the published LiRCDepth: same parameters, same outputs, same cost."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lircdepth_core.commands.info import count_macs
from lircdepth_core.models.lircdepth import LiRCDepth
from lircdepth_core.models.tiny import TinyDepth
from seeded_weights import keys_from, seeded_inputs, seeded_tensor

PARITY = Path(__file__).parent / "parity"


def published_state():
    """The published keys with seeded values, which can be regenerated."""
    return {
        key: torch.from_numpy(np.asarray(seeded_tensor(key, shape)))
        for key, shape in keys_from(PARITY / "student_keys.tsv")
    }


@pytest.fixture(scope="module", params=[torch.float64, torch.float32], ids=str)
def parity(request):
    """Return (dtype, output of the seeded network, output of the published network)."""
    network = LiRCDepth()
    network.load_state_dict(published_state())
    network = network.eval().to(request.param)
    image, radar = (torch.from_numpy(x).to(request.param) for x in seeded_inputs(batch=2, height=96, width=160, seed=7))
    with torch.inference_mode():
        output = network(image, radar)
    return request.param, output, np.load(PARITY / "student.npz")


def assert_agrees(actual, expected, dtype, scale=None):
    actual, expected = np.float64(actual), np.float64(expected)
    if dtype == torch.float64:
        assert np.abs(actual - expected).max() <= 1e-6 * (np.abs(expected).max() if scale is None else scale)
    else:
        assert np.linalg.norm(actual - expected) <= 1e-5 * np.linalg.norm(expected)


def assert_probes_agree(tensors, published, name, dtype):
    """Shapes, 64 values each, mean magnitude and spread of a list of tensors against those published under a name."""
    for i, tensor in enumerate(tensors):
        assert tuple(tensor.shape) == tuple(published[f"{name}_{i}_shape"])
        flat = tensor.contiguous().flatten().double().numpy()
        probe = np.linspace(0, flat.size - 1, 64).astype(np.int64)
        assert_agrees(flat[probe], published[f"{name}_{i}_probe"], dtype, scale=np.abs(flat).max())
        tolerance = 1e-6 if dtype == torch.float64 else 1e-5
        assert np.abs(flat).mean() == pytest.approx(float(published[f"{name}_{i}_absmean"]), rel=tolerance)
        assert flat.std() == pytest.approx(float(published[f"{name}_{i}_std"]), rel=tolerance)


def test_a_published_checkpoint_gives_the_published_depth(parity):
    dtype, output, published = parity
    assert_agrees(output.depth, published["final_depth"], dtype)


@pytest.mark.parametrize(
    ("name", "field", "count"),
    [
        ("inter_depth", "inter_depth", 3),
        ("image_feature", "image_features", 5),
        ("radar_feature", "radar_features", 5),
        ("decoder_feature", "decoder_features", 5),
    ],
)
def test_every_tensor_that_distillation_reads_is_the_published_one(parity, name, field, count):
    dtype, output, published = parity
    tensors = getattr(output, field)
    assert len(tensors) == count
    assert_probes_agree(tensors, published, name, dtype)


def test_parameters_and_multiply_accumulates_are_those_of_the_paper():
    with torch.device("meta"):
        network = LiRCDepth()
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_645_228
    assert count_macs(network, 896, 1600)[""] / 1e9 == pytest.approx(118.87, abs=0.005)
    assert count_macs(network, 352, 704)[""] / 1e9 == pytest.approx(20.55, abs=0.005)


@pytest.mark.parametrize("network", [LiRCDepth, TinyDepth])
def test_a_size_that_is_no_multiple_of_32_is_refused_with_the_sizes_to_use(network):
    with torch.device("meta"):
        network = network()
        with pytest.raises(ValueError, match="crop to 864x1600 or pad to 896x1600"):
            network(torch.empty(1, 3, 894, 1600), torch.empty(1, 4, 894, 1600))
        with pytest.raises(ValueError, match="radar is"):
            network(torch.empty(1, 3, 64, 64), torch.empty(1, 4, 64, 96))


def test_the_tiny_network_depends_on_image_and_radar():
    """Tests of the node rely on this dependence to notice a frame that was computed from the wrong input."""
    torch.manual_seed(0)
    network, image, radar = TinyDepth().eval(), torch.zeros(1, 3, 64, 64), torch.zeros(1, 4, 64, 64)
    with torch.inference_mode():
        depth = network(image, radar).depth
        assert depth.shape == (1, 1, 64, 64)
        image[..., 20, 20] = 100.0
        assert not torch.equal(network(image, radar).depth, depth)
        image[..., 20, 20] = 0.0
        radar[0, 0, 40, 40] = 30.0
        assert not torch.equal(network(image, radar).depth, depth)
