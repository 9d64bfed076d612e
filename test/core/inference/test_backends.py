# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every inference backend gives the depth of the plain network, within what its precision allows."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from backend_checks import SIZE, assert_near, example, opened, plain_depth
from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.opening import PRECISIONS, open_backend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.graph.rewriting import rewritten
from paths import REPOSITORY

ON_CPU = [
    (name, precision)
    for name, devices in PRECISIONS.items()
    for precision in devices["cpu"]
    if name not in ("plain", "compiled")
]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.parametrize(("name", "precision"), ON_CPU)
def test_every_backend_gives_the_depth_of_the_plain_network(
    network, street_inputs, cache, calibration_file, name, precision
):
    calibration = calibration_frames(calibration_file) if precision == "int8" else None
    backend = opened(network, name, precision, cache, calibration)
    backend.warm_up(*SIZE)
    assert_near(backend.infer(*street_inputs), plain_depth(network, street_inputs), precision)
    assert precision in backend.describe()
    assert backend.memory() > 2**20
    backend.release()


def test_float16_rounds_as_little_on_a_cpu_as_it_may_on_a_gpu(network, street_inputs):
    """Only GPUs compute in float16, but its rounding can be measured on a CPU."""
    backend = PyTorchBackend(rewritten(network), "cpu", "float16")
    assert_near(backend.infer(*street_inputs), plain_depth(network, street_inputs), "float16")


@pytest.mark.parametrize("name", ["eager", "onnxruntime", "openvino"])
def test_another_size_and_another_batch_get_engines_of_their_own(network, cache, name):
    """A camera's size may change while the node runs, and the number of engines in memory stays bounded."""
    backend = opened(network, name, "float32", cache)
    for batch, size in ((1, SIZE), (2, SIZE), (1, (96, 64)), (1, SIZE)):
        inputs = example(batch, size)
        assert_near(backend.infer(*inputs), plain_depth(network, inputs), "float32")
    assert len(backend._engines) == 2


def test_as_many_sizes_stay_in_memory_as_come_in_turns(tiny, cache):
    """Three cameras of three sizes in turns would otherwise have an engine built for each image."""
    backend = opened(tiny, "onnxruntime", "float32", cache)
    backend.keep_sizes(3)
    for size in (SIZE, (96, 64), (64, 64)) * 2:
        backend.infer(*example(1, size))
        engines = dict(backend._engines)
    backend.infer(*example(1, SIZE))
    assert list(engines.values()) == [engines[size] for size in engines]
    assert len(backend._engines) == 3
    assert {id(engine) for engine in backend._engines.values()} == {id(engine) for engine in engines.values()}


@pytest.mark.parametrize("name", ["plain", "eager", "onnxruntime", "openvino"])
def test_a_result_is_the_callers_own(tiny, cache, name):
    """Depth that is still being published must not change when the next frame is computed."""
    backend = opened(tiny, name, "float32", cache)
    first = backend.infer(*example())
    kept = first.clone()
    backend.infer(*example(seed=5))
    assert torch.equal(first, kept)


@pytest.mark.parametrize("name", ["plain", "eager", "onnxruntime", "openvino"])
def test_channels_last_images_are_taken_as_they_are(tiny, cache, name):
    """The pipeline's image is a permuted view of the camera's rows."""
    image, radar = example()
    rows = image.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert_near(opened(tiny, name, "float32", cache).infer(rows, radar), plain_depth(tiny, (image, radar)), "float32")


@pytest.mark.parametrize("name", ["plain", "eager", "onnxruntime", "openvino", "auto"])
def test_sizes_that_the_network_cannot_take_are_refused_with_the_sizes_to_use(tiny, cache, name):
    backend = opened(tiny, name, "float32", cache)
    with pytest.raises(ValueError, match="crop to 64x96 or pad to 96x96"):
        backend.infer(torch.zeros(1, 3, 70, 96), torch.zeros(1, 4, 70, 96))


@pytest.mark.parametrize("name", ["eager", "onnxruntime", "openvino"])
def test_the_thread_that_warmed_up_infers(tiny, cache, name):
    backend, inputs = opened(tiny, name, "float32", cache), example()
    with ThreadPoolExecutor(1) as worker:
        worker.submit(backend.warm_up, *SIZE).result()
        depth = worker.submit(backend.infer, *inputs).result()
    assert_near(depth, plain_depth(tiny, inputs), "float32")


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on a CPU")
@pytest.mark.parametrize("precision", PRECISIONS["compiled"]["cpu"])
def test_the_compiled_backend_gives_the_depth_of_the_plain_network(network, street_inputs, cache, precision):
    backend = open_backend(network, name="compiled", precision=precision, device="cpu", cache=cache)
    assert_near(backend.infer(*street_inputs), plain_depth(network, street_inputs), precision)


@needs_gpu
@pytest.mark.parametrize(
    ("name", "precision"), [(name, precision) for name, on in PRECISIONS.items() for precision in on.get("cuda", ())]
)
def test_every_backend_on_a_gpu_gives_the_depth_of_the_plain_network(network, street_inputs, cache, name, precision):
    expected = plain_depth(network, street_inputs)
    try:
        backend = open_backend(network, name=name, precision=precision, device="cuda", cache=cache)
    except LircDepthError as error:
        pytest.skip(str(error))
    with ThreadPoolExecutor(1) as worker:
        worker.submit(backend.warm_up, *street_inputs[0].shape[2:], len(street_inputs[0])).result()
        first = worker.submit(backend.infer, *street_inputs).result()
        kept = first.clone()
        worker.submit(backend.infer, *example(len(street_inputs[0]), street_inputs[0].shape[2:])).result()
    assert torch.equal(first, kept)
    # Convolutions in float32 multiply in TF32, which has float16's mantissa.
    assert_near(first, expected, "float16" if precision == "float32" else precision)
    assert backend.device.type == "cuda"
    assert backend.memory() > 0


NO_MEMORY = """
import resource, sys, torch
from pathlib import Path
from lircdepth_core.models import checkpoints
from lircdepth_core.inference.backends.opening import open_backend
from lircdepth_core.inference.device import is_out_of_memory
weights, name, cache = sys.argv[1:]
backend = open_backend(checkpoints.load(weights)[0], name=name, device="cpu", threads=1, cache=cache)
backend.warm_up(64, 96)
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**27,) * 2)
try:
    backend.warm_up(448, 800)
except RuntimeError as error:
    print(is_out_of_memory(error), error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_exhausted_memory_is_told_from_other_failures(cache, name):
    """The pipeline turns it into a MemoryError with advice."""
    command = [sys.executable, "-c", NO_MEMORY, "street", name, cache]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.stdout.startswith("True"), result.stdout + result.stderr
