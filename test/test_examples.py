# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The examples run as the documentation has them: own network, loss, data and backend, and Python in ten lines."""

import os
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from test_privacy import infer

import training_runs
from lircdepth_core.errors import LircDepthError
from lircdepth_core.losses import OwnTerms
from lircdepth_core.models import checkpoints
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan, project_scan
from lircdepth_ros import cli
from paths import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("LIRCDEPTH_NETWORKS", "own_network")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return training_runs.write_frames(tmp_path_factory.mktemp("frames") / "frames.safetensors")


def command(*words):
    return cli.main([str(word) for word in words])


def trained(frames, root, *options, model="tiny"):
    """Weights of two steps."""
    words = training_runs.fit_words(frames, root, "--trainer.max_steps", 2, *options, model=model)
    assert cli.main(words) == 0
    output = root / "weights.safetensors"
    assert command("export-weights", root / "checkpoints/best.ckpt", "-o", output) == 0
    return output


def test_an_own_network_is_trained_exported_and_evaluated_by_the_same_commands(frames, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    arguments = ("--model.model_args", "{width: 24}")
    weights = trained(frames, tmp_path / "run", *arguments, model="own_network.Pyramid")
    header = checkpoints.read_header(weights)
    assert (header.model, header.config) == ("own_network.Pyramid", {"width": 24})
    assert command("eval", "--packed", frames, "--weights", weights, "--device", "cpu", "-o", tmp_path / "eval") == 0
    exported = tmp_path / "own.onnx"
    assert command("export", weights, "--format", "onnx", "--size", 96, 160, "-o", exported) == 0
    import onnxruntime

    network, _ = checkpoints.load(weights)
    inputs = {"image": torch.rand(1, 3, 96, 160), "radar": torch.rand(1, 4, 96, 160)}
    (depth, *_) = onnxruntime.InferenceSession(exported).run(
        None, {name: value.numpy() for name, value in inputs.items()}
    )
    with torch.inference_mode():
        assert np.abs(depth - network(**inputs).depth.numpy()).max() < 1e-3
    capsys.readouterr()
    monkeypatch.delenv("LIRCDEPTH_NETWORKS")  # a file alone runs no code
    assert command("eval", "--packed", frames, "--weights", weights, "--device", "cpu", "-o", tmp_path / "eval") == 2
    assert "export LIRCDEPTH_NETWORKS=own_network" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "config", "message"), [
    ("own_network.Absent", {}, "cannot be imported"), ("own_network.MAX_DEPTH", {}, "expected a class derived from"),
    ("own_network.Pyramid", {"depth": 3}, "unexpected keyword argument 'depth'"),
    ("os.system", {}, "only where you allow"),
])  # fmt: skip
def test_what_is_no_network_is_one_line(name, config, message):
    with pytest.raises(LircDepthError, match=message):
        checkpoints.random_weights(name, config=config)


def test_an_own_loss_is_a_class_and_a_line(frames, tmp_path):
    pytest.importorskip("lightning_utilities", reason="Lightning is not installed")
    name = "own_loss.RelativeError"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"""model:
  class_path: StudentModule
  init_args:
    model: tiny
    loss:
      {{image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0, {name}: {{weight: 0.5, least_depth: 2.0}}}}
""")
    weights = trained(frames, tmp_path / "run", "--config", recipe, model=None)
    total, depth, own = (training_runs.logged(tmp_path, f"train/{each}") for each in ("total", "depth", name))
    for step in (0, 1):
        assert total[step] == pytest.approx(depth[step] + 0.5 * own[step], rel=1e-5)
        assert own[step] > 0
    assert checkpoints.read_header(weights).training["loss"][name] == {"weight": 0.5, "least_depth": 2.0}
    line = f"{{image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0, {name}: 0.5}}"
    trained(frames, tmp_path / "line", "--model.loss", line)
    changed = training_runs.logged(tmp_path / "line", f"train/{name}")
    assert changed[0] == pytest.approx(own[0], rel=1e-5)  # no truth is nearer than 2 m
    trained(frames, tmp_path / "teacher", "--model", "TeacherModule", "--model.loss", f"{{{name}: 0.5}}", model=None)
    total, own = (training_runs.logged(tmp_path / "teacher", f"train/{each}") for each in ("total", name))
    rest = {"depth": 1, "confidence": 1, "coarse_depth": 0.5, "smoothness": 0.001}
    found = {each: training_runs.logged(tmp_path / "teacher", f"train/{each}")[0] for each in rest}
    assert total[0] == pytest.approx(0.5 * own[0] + sum(rest[each] * found[each] for each in rest), rel=1e-4)


@pytest.mark.parametrize(("terms", "message"), [
    ({"own_loss.Absent": 1}, "loss term own_loss.Absent: cannot be imported"),
    ({"own_loss.RelativeError": "much"}, "its weight is 'much', expected a number"),
    ({"own_loss.RelativeError": {"weight": 1, "floor": 2}}, "unexpected keyword argument 'floor'"),
    ({"torch.nn.PReLU": 1}, "has parameters, which would not be trained"),
])  # fmt: skip
def test_what_is_no_loss_term_is_one_line(terms, message):
    with pytest.raises(LircDepthError, match=message):
        OwnTerms(terms)


def test_a_loss_term_that_is_no_scalar_is_one_line():
    with pytest.raises(LircDepthError, match=r"loss term test_examples.Whole returned \(2,\), expected a tensor"):
        OwnTerms({"test_examples.Whole": 1}).added({"total": torch.zeros(())}, None, None, {})


class Whole(torch.nn.Module):
    def forward(self, student, teacher, batch):
        return torch.ones(2)


def test_an_own_backend_runs_a_network_in_the_pipeline_and_the_commands(tmp_path, capsys):
    random = np.random.default_rng(2)
    image = random.integers(0, 256, (96, 160, 3), dtype=np.uint8)
    intrinsics = np.array([[1266.0, 0, 79.5], [0, 1266.0, 48], [0, 0, 1]])
    camera_from_radar = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    left = RadarScan.from_fields(x=[20.0], y=[0.4], z=[0.2], rcs=[9.0], vx=[3.0], vy=[2.0])
    right = RadarScan.from_fields(x=[20.0], y=[-0.4], z=[0.2], rcs=[9.0], vx=[3.0], vy=[-2.0])

    def depth(backend, image, scan):
        pipeline = DepthPipeline.from_weights("tiny", backend=backend, device="cpu")
        return pipeline(image, intrinsics, [(scan, camera_from_radar)]).depth

    once, mirrored = depth("eager", image, left), depth("eager", image[:, ::-1].copy(), right)[:, ::-1]
    assert np.abs(once - mirrored).max() > 1e-3
    assert depth("own_backend.Mirrored", image, left) == pytest.approx((once + mirrored) / 2, rel=1e-5)
    words = infer(tmp_path, "own_backend.Mirrored")
    assert command(*words) == 0
    assert np.load(tmp_path / "depth.npy").shape == (96, 160)
    capsys.readouterr()
    assert command(*words[:-1], "own_backend.LATERAL_VELOCITY") == 2
    assert "expected a class derived from lircdepth_core.inference.backends.backend.Backend" in capsys.readouterr().err


def test_a_parameter_file_runs_the_code_of_a_backend_only_where_it_is_allowed(tmp_path, monkeypatch, capsys):
    file = tmp_path / "model.yaml"
    parameters = "{weights: tiny, backend: own_backend.Mirrored, device: cpu, inference_scale: 0.2}"
    file.write_text(f"/**:\n  ros__parameters: {parameters}\n")
    assert command("prepare", "--params-file", file) == 2
    assert "export LIRCDEPTH_BACKENDS=own_backend" in capsys.readouterr().err
    monkeypatch.setenv("LIRCDEPTH_BACKENDS", "another:own_backend")
    assert command("prepare", "--params-file", file) == 0
    assert ", twice: ready after" in capsys.readouterr().out


def test_own_data_are_a_class_of_two_methods(tmp_path):
    pytest.importorskip("lightning_utilities", reason="Lightning is not installed")
    source = training_runs.Streets(4)
    for index in range(4):
        frame = source.frame(index)
        Image.fromarray(frame["image"].permute(1, 2, 0).numpy()).save(tmp_path / f"image-{index:04d}.png")
        np.save(tmp_path / f"radar-{index:04d}.npy", frame["radar"].numpy())
        np.save(tmp_path / f"lidar-{index:04d}.npy", frame["single"][0].numpy())
    words = training_runs.fit_words("unused", tmp_path / "run", "--trainer.max_steps", 2)
    first = words.index("--data")
    words[first : first + 10] = ["--data", "own_data.FolderData", "--data.folder", str(tmp_path)]
    assert cli.main(words) == 0
    header = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)["weights_header"]
    assert header["trained_on"] == "frames of a folder"
    assert len(header["training"]["data_sha256"]) == 64


def test_python_in_ten_lines(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (900, 1600, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    program = EXAMPLES / "depth_of_one_image.py"
    lines = [line for line in program.read_text().splitlines() if re.match(r"\w+ = |print|pipeline", line)]
    assert len(lines) <= 10
    done = subprocess.run(
        [sys.executable, program, tmp_path / "image.png"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"2 returns in view, median depth \d+\.\d\d m \(900, 1600\)\n", done.stdout)


def test_an_exported_file_gives_the_pipelines_depth_without_the_package(tmp_path):
    pytest.importorskip("onnxruntime")
    random = np.random.default_rng(1)
    image = cv2.resize(random.integers(0, 256, (90, 160, 3), dtype=np.uint8), (1600, 900))
    Image.fromarray(image).save(tmp_path / "image.png")
    intrinsics = np.array([[1266.4, 0, 816.3], [0, 1266.4, 491.5], [0, 0, 1]])
    x = random.uniform(5, 80, 200)
    scan = RadarScan.from_fields(x, random.uniform(-0.5, 0.5, 200) * x, random.uniform(-1, 1, 200),
                                 *random.uniform(-10, 10, (3, 200)))  # fmt: skip
    camera_from_radar = np.array([[0, -1, 0, 0], [0, 0, -1, 1.0], [1, 0, 0, 1.7], [0, 0, 0, 1.0]])
    seen = project_scan(scan, camera_from_radar, intrinsics, 1600, 900)
    assert len(seen.depth) > 100
    np.save(tmp_path / "returns.npy", np.column_stack(seen))
    expected = DepthPipeline.from_weights("street", backend="eager", device="cpu")(
        image, intrinsics, [(scan, camera_from_radar)]
    )
    exported = tmp_path / "street.onnx"
    assert command("export", "street", "-o", exported, "--format", "onnx", "--size", 224, 384) == 0
    files = (exported, tmp_path / "image.png", tmp_path / "returns.npy", tmp_path / "depth.npy")
    done = subprocess.run([sys.executable, EXAMPLES / "onnx_depth.py", *files], env={"PATH": ""}, check=False)
    assert done.returncode == 0
    found = np.load(tmp_path / "depth.npy")
    assert np.array_equal(np.isnan(found), np.isnan(expected.depth))
    assert np.nanmax(np.abs(found - expected.depth)) < 1e-3


def test_the_documentation_names_every_example():
    text = (REPOSITORY / "docs/research.md").read_text()
    for example in sorted(EXAMPLES.glob("*.py")):
        assert f"examples/{example.name}" in text


def run_example(name, *words):
    """Run an example as a program; return what it printed."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_bag_becomes_one_with_depth(tmp_path):
    pytest.importorskip("rosbags")
    import small_bags
    from lircdepth_ros.bags.reading import open_bag

    bag = small_bags.write(tmp_path / "bag", small_bags.frames(3))
    printed = run_example("bag_to_depth.py", bag, tmp_path / "depth", "tiny")
    assert printed.startswith("3 of 3 images have depth")
    counts = {connection.topic: connection.msgcount for connection in open_bag(tmp_path / "depth").connections}
    assert counts["/CAM_FRONT/depth/image"] == counts[small_bags.IMAGE] == 3


@pytest.mark.full  # half a minute: frames are rendered, and the weights that ship are trained on
def test_the_weights_that_ship_are_trained_on(tmp_path):
    pytest.importorskip("lightning_utilities", reason="Lightning is not installed")
    printed = run_example("fine_tuning.py", tmp_path, 2)
    header = checkpoints.read_header(tmp_path / "weights.safetensors")
    assert header.training["before"], "they say what they began with"
    assert "0-80 m" in printed


def test_the_nearest_obstacle_is_marked_where_it_is(rig):
    """A wall 12 m ahead behind a post at 7 m: the post, through real messages."""
    from sensor_msgs.msg import CameraInfo, Image
    from visualization_msgs.msg import Marker

    from lircdepth_ros.messages.depth import fill_depth_image
    from rig import INTRINSICS, header

    depth = np.full((96, 160), 12.0, np.float32)
    depth[:, 60:64] = 7.0
    depth[:2] = np.nan
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "nearest_obstacle.py"], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}
    )
    try:
        markers = []
        rig.node.create_subscription(Marker, "nearest_obstacle", markers.append, 10)
        images = rig.node.create_publisher(Image, "CAM_FRONT/depth/image", 10)
        infos = rig.node.create_publisher(CameraInfo, "CAM_FRONT/depth/camera_info", 10)

        def marked():
            infos.publish(CameraInfo(header=header(1, "CAM_FRONT"), k=INTRINSICS.reshape(-1)))
            image = Image(header=header(1, "CAM_FRONT"))
            fill_depth_image(image, depth, "32FC1")
            images.publish(image)
            return markers

        rig.wait(marked, "marker")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0
    place = markers[-1].pose.position
    assert place.z == 7.0
    assert 60 <= place.x / 7 * INTRINSICS[0, 0] + INTRINSICS[0, 2] < 64
