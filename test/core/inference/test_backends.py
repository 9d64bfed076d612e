# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every inference backend gives the depth of the plain network, within what its precision allows; engines and
measurements come from the cache, and a damaged cache costs time alone.
"""

import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames, pack
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.onnxruntime import OnnxRuntimeBackend
from lircdepth_core.inference.backends.opening import BACKENDS, PRECISIONS, open_backend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.cache import Cache
from lircdepth_core.inference.graph.rewriting import rewritten
from lircdepth_core.models import checkpoints
from lircdepth_ros import cli
from paths import REPOSITORY

SIZE = (64, 96)
# Mean difference from the plain network [m], with the weights that ship, on streets of val; what it is on streets of
# test, benchmarks/RESULTS.md has.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.4, "float16": 0.1, "int8": 1.5}
ON_CPU = [
    (name, precision)
    for name, devices in PRECISIONS.items()
    for precision in devices["cpu"]
    if name not in ("plain", "compiled")
]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small inputs gain nothing from more, and threads that wait for each other cost what others could use."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def warnings_alone(caplog):
    caplog.set_level(logging.WARNING)


def example(batch=1, size=SIZE, seed=0):
    """Image and radar as the network takes them: normalised noise, and a return at every twentieth pixel."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, 3, *size, generator=generator)
    values = torch.rand(batch, 4, *size, generator=generator) * torch.tensor([100.0, 20, 10, 10])[:, None, None]
    return image, values * (torch.rand(batch, 1, *size, generator=generator) < 0.05)


@pytest.fixture(scope="module")
def network():
    return checkpoints.load("street")[0]


@pytest.fixture(scope="module")
def tiny():
    return checkpoints.random_weights("tiny")[0]


@pytest.fixture(scope="module")
def frames(street_file):
    """Image [N, 3, H, W] and radar [N, 4, H, W] of streets that the weights never saw, as the network takes them."""
    street = PackedFrames(street_file)
    samples = [prepare(street.frame(index)) for index in range(0, len(street), 2)]
    return tuple(torch.stack([sample[name] for sample in samples]) for name in ("image", "radar"))


@pytest.fixture(scope="module")
def packed(street_file, tmp_path_factory):
    """Frames to calibrate on, others than ``frames``, as `lircdepth pack` writes them."""
    street = PackedFrames(street_file)

    class Others:
        focal_length, description = street.focal_length, "the others"

        def __len__(self):
            return len(street) // 2

        def frame(self, index):
            return street.frame(2 * index + 1)

    path = tmp_path_factory.mktemp("frames") / "others.safetensors"
    pack(Others(), path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def plain_depth(network, inputs):
    with torch.inference_mode():
        return network(*inputs).depth


def assert_near(depth, expected, precision):
    assert depth.shape == expected.shape
    assert depth.dtype == torch.float32
    difference = (depth.cpu() - expected).abs()
    assert difference.mean() < TOLERANCE[precision]
    if precision == "float32":
        assert difference.max() < 100 * TOLERANCE[precision]


def opened(network, name, precision, cache, calibration=None):
    try:
        return open_backend(network, name=name, precision=precision, device="cpu", cache=cache, calibration=calibration)
    except LircDepthError as error:
        if "no instructions" in str(error) or "is needed" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize(("name", "precision"), ON_CPU)
def test_every_backend_gives_the_depth_of_the_plain_network(network, frames, cache, packed, name, precision):
    calibration = calibration_frames(packed) if precision == "int8" else None
    backend = opened(network, name, precision, cache, calibration)
    backend.warm_up(*SIZE)
    assert_near(backend.infer(*frames), plain_depth(network, frames), precision)
    assert precision in backend.describe()
    assert backend.memory() > 2**20
    backend.release()


def test_float16_rounds_as_little_on_a_cpu_as_it_may_on_a_gpu(network, frames):
    """The precision is a GPU's, but the rounding can be seen without one."""
    backend = PyTorchBackend(rewritten(network), "cpu", "float16")
    assert_near(backend.infer(*frames), plain_depth(network, frames), "float16")


@pytest.mark.parametrize("name", ["eager", "onnxruntime", "openvino"])
def test_another_size_and_another_batch_get_engines_of_their_own(network, cache, name):
    """A camera's size may change while the node runs; what is in memory stays bounded."""
    backend = opened(network, name, "float32", cache)
    for batch, size in ((1, SIZE), (2, SIZE), (1, (96, 64)), (1, SIZE)):
        inputs = example(batch, size)
        assert_near(backend.infer(*inputs), plain_depth(network, inputs), "float32")
    assert len(backend._engines) == 2


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
def test_the_compiled_backend_gives_the_depth_of_the_plain_network(network, frames, cache, precision):
    backend = open_backend(network, name="compiled", precision=precision, device="cpu", cache=cache)
    assert_near(backend.infer(*frames), plain_depth(network, frames), precision)


@needs_gpu
@pytest.mark.parametrize(
    ("name", "precision"), [(name, precision) for name, on in PRECISIONS.items() for precision in on.get("cuda", ())]
)
def test_every_backend_on_a_gpu_gives_the_depth_of_the_plain_network(network, frames, cache, name, precision):
    expected = plain_depth(network, frames)
    try:
        backend = open_backend(network, name=name, precision=precision, device="cuda", cache=cache)
    except LircDepthError as error:
        pytest.skip(str(error))
    with ThreadPoolExecutor(1) as worker:
        worker.submit(backend.warm_up, *frames[0].shape[2:], len(frames[0])).result()
        first = worker.submit(backend.infer, *frames).result()
        kept = first.clone()
        worker.submit(backend.infer, *example(len(frames[0]), frames[0].shape[2:])).result()
    assert torch.equal(first, kept)
    # Convolutions in float32 multiply in TF32, which has float16's mantissa.
    assert_near(first, expected, "float16" if precision == "float32" else precision)
    assert backend.device.type == "cuda"
    assert backend.memory() > 0


# --- the cache


def inodes(folder):
    """Which file each entry is: a new one has another inode."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def run(network, name, folder):
    backend = opened(network, name, "float32", folder)
    backend.warm_up(*SIZE)
    assert_near(backend.infer(*example()), plain_depth(network, example()), "float32")
    return backend


@pytest.mark.parametrize(("name", "kinds"), [("onnxruntime", {".onnx"}), ("openvino", {".onnx", ".openvino"})])
def test_the_second_start_reads_what_the_first_made(tiny, tmp_path, caplog, name, kinds):
    run(tiny, name, tmp_path)
    made = inodes(tmp_path)
    assert {Path(entry).suffix for entry in made} == kinds
    run(tiny, name, tmp_path)
    assert inodes(tmp_path) == made
    assert not caplog.records


@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "auto"])
def test_the_network_is_only_built_where_nothing_is_kept(tiny, tmp_path, name):
    built = []

    def network():
        built.append(name)
        return tiny

    depths = []
    for _ in range(2):
        try:
            backend = open_backend(network, name=name, device="cpu", weights_sha256="0" * 64, cache=tmp_path)
        except LircDepthError as error:
            pytest.skip(str(error))
        backend.warm_up(*SIZE)
        depths.append(backend.infer(*example()))
        assert built == [name] or "eager" in backend.describe().partition("(")[0]  # which runs the network itself
    assert torch.equal(*depths)


COMPILE = """
import os
import sys
import torch
from lircdepth_core.models import checkpoints
from lircdepth_core.inference.backends.opening import open_backend
checkpoints.load("random")  # needs torchvision, with which PyTorch's own default appears
assert "TORCHINDUCTOR_CACHE_DIR" in os.environ
network = checkpoints.random_weights("tiny")[0]
backend = open_backend(network, name="compiled", device="cpu", threads=1, cache=sys.argv[1])
backend.warm_up(64, 96)
image, radar = torch.rand(1, 3, 64, 96), torch.rand(1, 4, 64, 96)
with torch.inference_mode():
    torch.testing.assert_close(backend.infer(image, radar), network(image, radar).depth)
"""


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on a CPU")
def test_what_the_compiler_made_is_kept_and_a_damaged_entry_is_made_anew(tmp_path):
    """Counted by a compiler that notes its calls."""
    noted, compiler, cache = tmp_path / "noted", tmp_path / "g++", tmp_path / "cache"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexec {shutil.which("g++")} "$@"\n')
    compiler.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    environment |= {"CXX": str(compiler), "TMPDIR": str(tmp_path)}

    def compiled():
        """Run in a process of its own; return how many files it compiled, and what it said."""
        noted.write_text("")
        done = subprocess.run(
            [sys.executable, "-c", COMPILE, cache],
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not list(tmp_path.glob("lircdepth-compiled-*")), "the process left its folder behind"
        return sum(".so" in line for line in noted.read_text().splitlines()), done.stderr

    first, _ = compiled()
    (entry,) = cache.iterdir()
    assert entry.suffix == ".inductor"
    second, said = compiled()
    assert first > second == 0
    assert "made anew" not in said
    flip_a_bit(entry)
    third, said = compiled()
    assert third == first
    assert f"{entry}: cache entry is made anew: truncated or changed" in said


def test_other_weights_get_other_entries(tiny, tmp_path):
    run(tiny, "openvino", tmp_path)
    made = inodes(tmp_path)
    other, _ = checkpoints.random_weights("tiny", seed=1)
    run(other, "openvino", tmp_path)
    assert len(inodes(tmp_path)) == 2 * len(made)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "auto"])
def test_damaged_entries_are_made_anew(tiny, tmp_path, caplog, damage, name):
    """Native readers of these formats may crash on damaged data: they must never see it."""
    run(tiny, name, tmp_path)
    made = inodes(tmp_path)
    for path in tmp_path.iterdir():
        damage(path)
    run(tiny, name, tmp_path)
    lines = [record.getMessage() for record in caplog.records]
    assert lines
    assert all("made anew: truncated or changed" in line for line in lines)
    assert inodes(tmp_path).keys() == made.keys()
    caplog.clear()
    run(tiny, name, tmp_path)
    assert not caplog.records


def test_an_entry_of_another_key_is_made_anew(tiny, tmp_path, caplog):
    """Stale: whole, but not what its name says."""
    run(tiny, "onnxruntime", tmp_path)
    (entry,) = tmp_path.iterdir()
    other, _ = checkpoints.random_weights("tiny", seed=1)
    run(other, "onnxruntime", tmp_path / "other")
    (stale,) = (tmp_path / "other").iterdir()
    shutil.copy(stale, entry)
    run(tiny, "onnxruntime", tmp_path)
    assert "made anew" in caplog.text


@pytest.mark.parametrize("name", ["openvino", "auto"])
def test_a_cache_that_cannot_be_written_costs_one_warning(tiny, tmp_path, caplog, name):
    (tmp_path / "file").touch()
    run(tiny, name, tmp_path / "file" / "cache")
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()


def test_the_default_cache_is_where_xdg_says(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run(tiny, "onnxruntime", None)
    assert [path.suffix for path in (tmp_path / "lircdepth").iterdir()] == [".onnx"]


def test_old_entries_go_when_there_are_many(tmp_path):
    for number in range(40):
        assert Cache(tmp_path).get("test", number, lambda number=number: b"%d" % number, int) == number
    assert len(list(tmp_path.iterdir())) == 24


# --- auto


def test_auto_measures_once_and_says_what_it_picked(tiny, tmp_path, caplog):
    backend = opened(tiny, "auto", "float32", tmp_path)
    assert "measures" in backend.describe()
    backend.warm_up(*SIZE)
    line = backend.describe()
    assert f" ms at {SIZE[0]}x{SIZE[1]})" in line
    assert "(auto: " in line
    made = inodes(tmp_path)
    again = run(tiny, "auto", tmp_path)
    assert again.describe() == line  # the same measurements, to the digit
    assert inodes(tmp_path) == made
    assert not caplog.records


def without(package, program):
    """Run a program in a Python that cannot import a package."""
    program = f"import sys\nsys.modules[{package!r}] = None\n" + program
    return subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)


OPEN = """
from lircdepth_core.models import checkpoints
from lircdepth_core.inference.backends.opening import open_backend
backend = open_backend(checkpoints.random_weights("tiny")[0], name=sys.argv[1], device="cpu", cache=sys.argv[2])
backend.warm_up(64, 96)
print(backend.describe())
"""


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_missing_library_is_named_and_auto_does_without(tmp_path, name):
    program = OPEN.replace("sys.argv[1]", repr(name)).replace("sys.argv[2]", repr(str(tmp_path)))
    result = without(name, program)
    assert f"LircDepthError: the package {name} is needed" in result.stderr
    result = without(name, program.replace(f"name={name!r}", "name='auto'"))
    assert result.returncode == 0, result.stderr
    assert f"backend {name} is left out" in result.stderr
    assert name not in result.stdout
    assert "(auto: " in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "tflite"}, f"backend 'tflite': expected {', '.join(BACKENDS)}"),
        ({"name": "openvino", "precision": "float16"}, "backend openvino on cpu has float32, bfloat16, int8"),
        ({"name": "plain", "precision": "bfloat16"}, "backend plain on cpu has float32"),
        ({"precision": "fp8"}, "backend auto on cpu has float32, bfloat16, int8"),
        ({"device": "tpu"}, "expected auto, cpu, cuda or cuda:N"),
        ({"name": "onnxruntime", "precision": "int8"}, "precision 'int8' needs frames to calibrate on"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(tiny, tmp_path, options, message):
    with pytest.raises(LircDepthError, match=message.replace("(", r"\(")) as info:
        open_backend(tiny, **{"device": "cpu", "cache": tmp_path} | options)
    assert "\n" not in str(info.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_onnxruntime_says_what_it_lacks_for_a_gpu_where_it_would_go_on_with_the_cpu(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(LircDepthError, match=r"needs the package onnxruntime-gpu|cannot use this GPU"):
        OnnxRuntimeBackend(lambda: b"", torch.device("cuda"), "float32", Cache(tmp_path), {})._build((1, *SIZE))


def test_openvino_reports_to_nobody(tmp_path):
    """Its package for telemetry is not loaded, and so sends nothing from a vehicle."""
    program = OPEN.replace("sys.argv[1]", "'openvino'").replace("sys.argv[2]", repr(str(tmp_path)))
    program += "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    result = subprocess.run(
        [sys.executable, "-c", "import sys" + program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


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
    """The pipeline turns it into a MemoryError that says what to do."""
    command = [sys.executable, "-c", NO_MEMORY, "street", name, cache]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert result.stdout.startswith("True"), result.stdout + result.stderr


# --- lircdepth export


def load_onnx(path):
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    return lambda image, radar: session.run(None, {"image": image.numpy(), "radar": radar.numpy()})[0]


def load_openvino(path):
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image, radar: model([image.numpy(), radar.numpy()])[0]


def load_torch(path):
    module = torch.export.load(path).module()
    return lambda image, radar: module(image, radar).numpy()


@pytest.mark.parametrize(
    ("kind", "suffix", "precision", "load"),
    [
        ("onnx", ".onnx", "float32", load_onnx),
        pytest.param("onnx", ".onnx", "int8", load_onnx, marks=pytest.mark.full),
        ("openvino", ".xml", "float32", load_openvino),
        ("torch", ".pt2", "bfloat16", load_torch),
    ],
)
def test_an_exported_file_gives_the_depth_of_the_plain_network(
    network, frames, packed, tmp_path, kind, suffix, precision, load
):
    output = tmp_path / f"student{suffix}"
    batch, _, height, width = frames[0].shape
    size = f"--size {height} {width} --batch {batch}"
    command = f"export street -o {output} --format {kind} {size} --precision {precision}"
    assert cli.main([*command.split(), "--calibration", str(packed)]) == 0
    with torch.inference_mode():
        depth = torch.from_numpy(load(output)(*frames))
    assert_near(depth, plain_depth(network, frames), precision)
    assert {path.suffix for path in tmp_path.iterdir()} == {suffix} | ({".bin"} if kind == "openvino" else set())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("-o depth.pt2", "expected an output name that ends in .onnx"),
        ("-o none/depth.onnx", "no such directory"),
        ("--size 70 96", "expected multiples of 32"),
        ("--precision bfloat16", "format onnx has float32, float16, int8"),
        ("--precision int8 --calibration none.safetensors", "no such file of frames"),
        ("--format tensorrt -o depth.engine", "the package tensorrt is needed"),
    ],
)
def test_a_mistake_in_an_export_is_one_line_and_leaves_no_file(tmp_path, monkeypatch, capsys, changed, message):
    if "tensorrt" in message:
        try:
            import tensorrt  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("TensorRT is installed")
    monkeypatch.chdir(tmp_path)
    command = f"export street -o depth.onnx --format onnx --size 64 96 {changed}"
    assert cli.main(command.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_missing_weights_are_named_by_export(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "none.safetensors", "-o", "depth.onnx", "--format", "onnx", "--size", "64", "96"]) == 2
    assert "none.safetensors: no such weights file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
