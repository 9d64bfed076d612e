# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every precision that is offered gives the depth of float32, for the student and for the teacher, and never NaN."""

import copy

import numpy as np
import pytest
import torch

from backend_checks import TOLERANCE, assert_near, opened, plain_depth
from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.opening import PRECISIONS, open_backend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.graph.onnx_export import onnx_graph
from lircdepth_core.inference.graph.precision import reduced
from lircdepth_core.inference.graph.rewriting import rewritten
from lircdepth_core.models import build
from lircdepth_core.models.cafnet.encoders import SparseConv
from lircdepth_core.models.cafnet.planes import plane_depth
from lircdepth_core.training.modules import keep_depth_in_float32
from paths import PARITY
from seeded_weights import keys_from, seeded_tensor

ON_CPU = [
    (name, precision)
    for name, devices in PRECISIONS.items()
    for precision in devices["cpu"]
    if name not in ("plain", "compiled")
]
HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@pytest.fixture(scope="module")
def teacher():
    """A teacher whose depth varies over an image by 9 m, and with the radar by 1 m.

    Nobody publishes one. With a gain of 1 activations keep their size from layer to layer, as in trained networks; with
    more, random networks amplify rounding as no trained one does.
    """
    network = build("cafnet")
    state = {
        key: torch.from_numpy(np.asarray(seeded_tensor(key, shape, gain=1.0)))
        for key, shape in keys_from(PARITY / "teacher_keys.tsv")
        if ".fc." not in key
    }
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def inputs(street_inputs):
    """A window of a street in which there are radar returns."""
    image, radar = street_inputs
    window = (slice(0, 1), slice(None), slice(64, 160), slice(0, 160))
    assert (radar[window][:, 0] > 0).any()
    return image[window].contiguous(), radar[window].contiguous()


@pytest.mark.full
@pytest.mark.parametrize(("name", "precision"), [pair for pair in ON_CPU if pair != ("openvino", "int8")])
def test_every_backend_gives_the_teachers_depth(teacher, inputs, cache, calibration_file, name, precision):
    calibration = calibration_frames(calibration_file) if precision == "int8" else None
    backend = opened(teacher, name, precision, cache, calibration)
    depth = backend.infer(*inputs)
    assert torch.isfinite(depth).all()
    assert_near(depth, plain_depth(teacher, inputs), precision)


def test_int8_of_the_teacher_in_openvino_is_refused(teacher, cache, calibration_file):
    """Its compiler ends the process with a segmentation fault."""
    pytest.importorskip("openvino")
    with pytest.raises(LircDepthError, match="OpenVINO cannot compile the teacher"):
        open_backend(
            teacher, name="openvino", precision="int8", device="cpu", cache=cache,
            calibration=calibration_frames(calibration_file),
        )  # fmt: skip


@pytest.mark.parametrize("model", ["network", "teacher"])
@pytest.mark.parametrize("precision", HALF)
def test_half_precision_agrees_with_float32(request, inputs, model, precision):
    """float16 is offered on GPUs alone, but its rounding can be measured on a CPU."""
    network = request.getfixturevalue(model)
    depth = PyTorchBackend(rewritten(network), "cpu", precision).infer(*inputs)
    assert torch.isfinite(depth).all()
    assert_near(depth, plain_depth(network, inputs), precision)


@pytest.mark.parametrize("model", ["network", "teacher"])
@pytest.mark.parametrize("precision", HALF)
def test_under_autocast_every_output_is_finite_and_near_float32(request, inputs, model, precision):
    """What 16-mixed and bf16-mixed train and distil with."""
    network = request.getfixturevalue(model)
    expected = plain_depth(network, inputs)
    mixed = keep_depth_in_float32(copy.deepcopy(network))
    with torch.inference_mode(), torch.autocast("cpu", dtype=HALF[precision]):
        output = mixed(*inputs)
    for field, value in output._asdict().items():
        for tensor in value if isinstance(value, list) else [value]:
            assert torch.isfinite(tensor).all(), field
    assert float((output.depth.float() - expected).abs().mean()) < TOLERANCE[precision]


@pytest.mark.parametrize("model", ["network", "teacher"])
def test_a_graph_in_float16_gives_the_depth_of_float32(request, inputs, model):
    """What ONNX Runtime and TensorRT run on a GPU."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network = request.getfixturevalue(model)
    graph = onnx_graph(reduced(rewritten(network), "float16"))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (depth,) = session.run(["depth"], dict(zip(("image", "radar"), (value.numpy() for value in inputs), strict=True)))
    assert np.isfinite(depth).all()
    assert_near(torch.from_numpy(depth), plain_depth(network, inputs), "float16")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_sparse_convolution_without_a_measurement_in_reach_gives_its_bias(dtype):
    """1e-8, the usual guard of its quotient, is 0 in float16: 0 / 0 made every pixel of the teacher NaN."""
    torch.manual_seed(0)
    layer = SparseConv(4, 2, 3).to(dtype)
    torch.nn.init.constant_(layer.bias, 0.5)
    values, mask = torch.zeros(1, 4, 5, 5, dtype=dtype), torch.zeros(1, 1, 5, 5, dtype=dtype)
    values[0, :, 0, 0], mask[0, 0, 0, 0] = 2, 1
    with torch.inference_mode():
        result, reach = layer(values, mask)
    assert torch.equal(result[0, :, 2:, 2:], torch.full((2, 3, 3), 0.5, dtype=dtype))
    assert reach[0, 0, :2, :2].min() == 1
    assert reach.sum() == 4
    # One measurement in reach: its own weights, summed over channels, and the bias.
    expected = 2 * layer.conv.weight[:, :, 1, 1].double().sum(1) + 0.5
    assert torch.allclose(result[0, :, 0, 0].double(), torch.nn.functional.elu(expected), rtol=1e-2, atol=4e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_plane_that_a_ray_does_not_meet_has_a_finite_depth(dtype):
    """Tilted by 60 degrees towards a corner of its cell, a plane is met behind the camera, or nowhere."""
    angles = torch.linspace(-12, 12, 400)
    raw = torch.stack([torch.full_like(angles, 12.0), angles, torch.full_like(angles, 12.0)])[None, :, None]
    depth = plane_depth(raw.to(dtype), 8, 100.0)
    assert depth.dtype == dtype
    assert torch.isfinite(depth).all()
    assert depth.min() < 0
    assert depth.abs().max() <= 1000
