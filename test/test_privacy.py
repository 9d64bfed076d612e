# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Nothing phones home: commands and the node write no file of anybody else's reporting (docs/security.md)."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tiny_nuscenes
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.geometry.calibration import Calibration
from paths import REPOSITORY

# Everything else that a process leaves behind is somebody's report, or litter.
EXPECTED = re.compile(
    r"cache/lircdepth/[0-9a-f]{32}\.[\w.]+"  # this project's own cache
    r"|cache/matplotlib/fontlist-.*\.json"  # where a picture is drawn or the devkit imported: which fonts there are
    r"|home/\.ros/log/.*\.log"  # of every ROS node
)
OF_THE_USER = ("ORT_", "MPLCONFIGDIR", "MATPLOTLIBRC", "TORCH", "TRITON", "ROS_HOME", "ROS_LOG_DIR", "LIRCDEPTH")


@pytest.fixture
def stranger(tmp_path):
    """A user who has just arrived: (environment, folder of all that he owns); every folder of his is empty."""
    user = tmp_path / "user"
    places = {"HOME": "home", "TMPDIR": "tmp"}
    places |= {f"XDG_{name}_HOME": name.lower() for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    for place in places.values():
        (user / place).mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_USER)}
    # Set here, since what runs is not installed and the working directory is the user's.
    path = os.pathsep.join(filter(None, [str(REPOSITORY), inherited.get("PYTHONPATH")]))
    environment = inherited | {name: str(user / place) for name, place in places.items()} | {"PYTHONPATH": path}
    return environment, user


def unexpected(user):
    """Return the files in a user's folders that are neither this project's nor on the list above."""
    names = [str(path.relative_to(user)) for path in user.rglob("*") if not path.is_dir()]
    return sorted(name for name in names if not EXPECTED.fullmatch(name))


def infer(folder, backend, weights="tiny", width=160, height=96):
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(folder / "image.png")
    intrinsics = np.array([[1266.0, 0, width / 2], [0, 1266.0, height / 2], [0, 0, 1]])
    camera = rigid_transform((1.7, 0.0, 1.5), (0.5, -0.5, 0.5, -0.5))
    Calibration({"CAM_FRONT": camera}, {"CAM_FRONT": intrinsics}).save(folder / "calibration.yaml")
    files = ("--image", folder / "image.png", "--calibration", folder / "calibration.yaml", "-o", folder / "depth.npy")
    return "infer", *files, "--weights", weights, "--backend", backend


def packed(folder):
    from training_runs import write_frames  # which imports Lightning

    return write_frames(folder / "frames.safetensors", 2)


def draw(folder):
    return "eval", "--packed", packed(folder), "--weights", "tiny", "-o", folder / "eval"


def convert(folder):
    root = folder / "root"
    root.mkdir()
    tiny_nuscenes.write(root)
    return "nuscenes-to-bag", "--dataroot", root, "--scene", "scene-0001", "-o", folder / "bag"


def train(folder):
    frames = packed(folder)
    return (
        "train", "fit", "--model", "StudentModule", "--model.model", "tiny", "--data", "PackedData", "--data.train",
        frames, "--data.val", frames, "--data.crop", "[64, 96]", "--data.batch_size", 2,
        "--trainer.max_steps", 1, "--trainer.accelerator", "cpu", "--trainer.devices", 1,
        "--trainer.default_root_dir", folder, "--trainer.num_sanity_val_steps", 0, "--trainer.limit_val_batches", 1,
        "--model.loss", "{image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0}",
    )  # fmt: skip


COMMANDS = {
    "ONNX Runtime": ("onnxruntime onnx", lambda folder: infer(folder, "onnxruntime")),
    "OpenVINO": ("openvino onnx", lambda folder: infer(folder, "openvino")),
    "Matplotlib": ("matplotlib lightning_utilities", draw),
    "the nuScenes devkit and rosbags": ("nuscenes rosbags", convert),
    "Lightning": ("lightning_utilities jsonargparse", train),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_leaves_nothing_but_its_own(stranger, tmp_path, name):
    """ORT_DISABLE_TELEMETRY unset: the package sets it by itself."""
    packages, words_of = COMMANDS[name]
    for package in packages.split():
        pytest.importorskip(package)
    environment, user = stranger
    words = map(str, words_of(tmp_path))
    command = [sys.executable, "-m", "lircdepth_ros.cli", *words]
    done = subprocess.run(command, cwd=user / "home", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unexpected(user) == []


def test_the_node_leaves_nothing_but_its_own_and_its_log(stranger, tmp_path):
    pytest.importorskip("rclpy")
    environment, user = stranger
    infer(tmp_path, "auto")  # for its calibration file
    options = {"weights": "tiny", "transform_source": "calibration", "calibration_file": tmp_path / "calibration.yaml"}
    settings = [word for name, value in options.items() for word in ("-p", f"{name}:={value}")]
    node = subprocess.Popen(
        [sys.executable, "-m", "lircdepth_ros.depth_node", "--ros-args", *map(str, settings)],
        cwd=user / "home",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = iter(node.stdout.readline, "")
        log = [next(lines)]
        while "active: " not in log[-1]:  # all backends are measured by then
            log.append(next(lines, "active: never"))
        assert "active: never" not in log, "".join(log)
        node.send_signal(signal.SIGINT)
        node.communicate(timeout=120)
    finally:
        node.kill()
    assert unexpected(user) == []


@pytest.mark.parametrize("chosen", ["0", "1"])
def test_what_the_user_chose_about_telemetry_is_kept(stranger, chosen):
    environment, user = stranger
    program = "import lircdepth_core, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = environment | {"ORT_DISABLE_TELEMETRY": chosen}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=user, capture_output=True, text=True)
    assert done.stdout.strip() == chosen, done.stderr
