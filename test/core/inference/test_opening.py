# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A backend is chosen by name or by measuring; a name, device or library that does not exist is named in one line."""

import subprocess
import sys

import pytest
import torch

from backend_checks import SIZE, opened, run
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.onnxruntime import OnnxRuntimeBackend
from lircdepth_core.inference.backends.opening import BACKENDS, open_backend
from lircdepth_core.inference.cache import Cache
from paths import REPOSITORY


def test_auto_measures_once_and_says_what_it_picked(tiny, tmp_path, caplog):
    backend = opened(tiny, "auto", "float32", tmp_path)
    assert "measures" in backend.describe()
    backend.warm_up(*SIZE)
    line = backend.describe()
    assert f" ms at {SIZE[0]}x{SIZE[1]})" in line
    assert "(auto: " in line
    made = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    again = run(tiny, "auto", tmp_path)
    assert again.describe() == line  # the same measurements, to the digit
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == made
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
    """OpenVINO's package for telemetry is not loaded, so that a vehicle sends no report."""
    program = OPEN.replace("sys.argv[1]", "'openvino'").replace("sys.argv[2]", repr(str(tmp_path)))
    program += "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    result = subprocess.run(
        [sys.executable, "-c", "import sys" + program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
