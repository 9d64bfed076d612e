# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth export`: files that give the plain network's depth in other runtimes."""

import json

import pytest
import torch

from backend_checks import assert_near, plain_depth
from lircdepth_core.models import checkpoints
from lircdepth_ros import cli


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


def metadata(kind, path):
    """What the file itself says about its input."""
    if kind == "onnx":
        return {entry.key: entry.value for entry in pytest.importorskip("onnx").load(path).metadata_props}
    if kind == "torch":
        extra = {"lircdepth.json": ""}
        torch.export.load(path, extra_files=extra)
        return json.loads(extra["lircdepth.json"])
    model = pytest.importorskip("openvino").Core().read_model(str(path))
    names = ("focal_length_px", "image_mean", "image_std", "input_size", "channel_order")
    return {name: model.get_rt_info(["lircdepth", name]).astype(str) for name in names}


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
    network, street_inputs, calibration_file, tmp_path, kind, suffix, precision, load
):
    output = tmp_path / f"student{suffix}"
    batch, _, height, width = street_inputs[0].shape
    size = f"--size {height} {width} --batch {batch}"
    command = f"export street -o {output} --format {kind} {size} --precision {precision}"
    assert cli.main([*command.split(), "--calibration", str(calibration_file)]) == 0
    with torch.inference_mode():
        depth = torch.from_numpy(load(output)(*street_inputs))
    assert_near(depth, plain_depth(network, street_inputs), precision)
    about = metadata(kind, output)
    assert json.loads(about["focal_length_px"]) == checkpoints.read_header("street").focal_length
    assert json.loads(about["image_mean"]) == [0.485, 0.456, 0.406]
    assert json.loads(about["image_std"]) == [0.229, 0.224, 0.225]
    assert json.loads(about["input_size"]) == list(checkpoints.read_header("street").input_size)
    assert about["channel_order"] == "RGB"
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
