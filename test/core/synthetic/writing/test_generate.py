# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writing synthetic data roots: determinism, interruption and going on, errors, the command."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lircdepth_core import manifest, synthetic
from lircdepth_core.data.ground_truth import read_depth
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import claimed
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.synthetic.world.splits import VALIDATION
from lircdepth_core.work import Workers
from lircdepth_ros import cli


def tree(root):
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != manifest.NAME)
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


@pytest.fixture(autouse=True)
def threads():
    """Let data roots be written with as many threads as PyTorch may use, as users write them."""


TINY = {
    "duration": 0.2,
    # A window of the picture: its narrow bundles of rays meet fewer solids than those of a small picture.
    "sensors": (
        synthetic.CameraModel().cropped(760, 450, 64, 36),
        synthetic.LidarModel(azimuths=36),
        synthetic.RadarModel(),
    ),
}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_street(tmp_path):
    """Also when several processes share the work."""
    first, second, other = (
        tree(synthetic.generate(tmp_path / name, scenes, seed, workers=Workers(jobs), **TINY | {"duration": 0.5}))
        for name, scenes, seed, jobs in (("a", 2, 7, 1), ("b", 2, 7, 2), ("c", 1, 8, 1))
    )
    assert first == second
    images = [{data for path, data in files.items() if path.endswith(".jpg")} for files in (first, other)]
    assert len(images[0]) == 2 * 7
    assert not images[0] & images[1]


def test_a_failed_write_names_the_file_and_leaves_nothing_behind(tmp_path):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # larger files fail in the middle, as on a full disk
    try:
        with pytest.raises(LircDepthError, match=r"^scene-9001: File too large: .*\.(png|jpg|bin|json)$"):
            synthetic.generate(tmp_path / "root", 1, 0, **TINY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY if hard == -1 else hard, hard))
    assert os.listdir(tmp_path) == []


def test_an_existing_directory_is_refused_unless_it_is_empty(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("kept")
    with pytest.raises(LircDepthError, match="full: exists and is not empty"):
        synthetic.generate(tmp_path / "full", 1, 0, **TINY)
    assert os.listdir(tmp_path / "full") == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    synthetic.generate(tmp_path / "empty", 1, 0, **TINY)
    assert (tmp_path / "empty/v1.0-mini/scene.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--duration", "0"], "duration is 0.0 s, expected more than 0 and at most 20"),
        (["--duration", "nan"], "duration is nan s"),
        (["--scenes", "0"], "scenes is 0, expected at least 1"),
        (["--seed", "-1"], "seed is -1, expected 0 or more"),
        (["--image-size", "16x9"], "image size is 16x9, expected at least 32x32"),
    ],
)
def test_the_command_refuses_arguments_that_cannot_be_used(tmp_path, capsys, arguments, message):
    assert cli.main(["synth", "-o", str(tmp_path / "root"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_the_command_refuses_to_start_what_does_not_fit_on_the_disk(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 10, 100_000))
    arguments = ["--duration", "0.5", "--image-size", "64x36"]
    assert cli.main(["synth", "-o", str(tmp_path / "root"), *arguments]) == 2
    assert re.search(r"has 0 MB free, and about \d+ MB are needed", capsys.readouterr().err)
    assert os.listdir(tmp_path) == []


def test_unknown_names_are_refused_with_those_that_there_are():
    with pytest.raises(LircDepthError, match="weather 'snow' is unknown; there are clear, "):
        synthetic.build_world(0, weather_name="snow")
    with pytest.raises(LircDepthError, match="difficulty 'mad' is unknown; there are easy, "):
        synthetic.build_world(0, difficulty="mad")
    with pytest.raises(LircDepthError, match="split is 'train', expected one of val, test"):
        synthetic.scene_specs(1, 0, split="train")
    with pytest.raises(LircDepthError, match="sensors is 'some', expected 'front' or 'all'"):
        synthetic.suite("some")


def test_the_command_says_what_it_will_cost_and_writes_the_data_root(tmp_path, capsys):
    output = tmp_path / "new/root"
    assert cli.main(["synth", "-o", str(output), "--duration", "0.2", "--image-size", "64x36"]) == 0
    assert re.search(r"1 scene\(s\) of 0.2 s: about \d+ s and \d+ MB \(\d+ MB free\)", capsys.readouterr().out)
    assert len(list(output.glob("s*/CAM_FRONT/*.jpg"))) == 1
    assert len(list(output.glob("depth/CAM_FRONT/*.png"))) == 1


PROGRAM = """
import sys
from lircdepth_core import synthetic
if __name__ == "__main__":
    camera = synthetic.CameraModel().cropped(760, 450, 64, 36)
    sensors = (camera, synthetic.LidarModel(azimuths=36), synthetic.RadarModel())
    synthetic.generate(sys.argv[1], 2, 5, 0.2, sensors)
"""


def test_a_killed_run_goes_on_with_the_scenes_that_it_finished(tmp_path):
    output, whole = tmp_path / "root", tmp_path / "whole"
    script = tmp_path / "run.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(synthetic.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, script, output], env=environment)
    finished = synthetic.partial_folder(output) / "scene-9001"
    deadline = time.monotonic() + 120
    while not finished.is_dir():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    (marked,) = finished.glob("maps/*.png")
    before = marked.stat().st_ino
    with pytest.raises(LircDepthError, match="unfinished run with other arguments"):
        synthetic.generate(output, 2, 6, **TINY)
    synthetic.generate(output, 2, 5, **TINY)
    assert (output / "maps" / marked.name).stat().st_ino == before  # not made again
    assert sorted(os.listdir(tmp_path)) == ["root", "run.py"]
    assert tree(output) == tree(synthetic.generate(whole, 2, 5, **TINY))


@pytest.mark.parametrize(("vehicle", "height", "focal_length"), [("low", 0.42, 900.0), ("high", 2.41, 1080.0)])
def test_another_vehicles_sensors_are_where_it_has_them(tmp_path, vehicle, height, focal_length):
    output = tmp_path / "root"
    arguments = ["--vehicle", vehicle, "--duration", "0.4", "--difficulty", "easy"]
    size = {"low": (160, 90), "high": (180, 116)}[vehicle]
    assert cli.main(["synth", "-o", str(output), *arguments, "--image-size", "{}x{}".format(*size)]) == 0
    rows = {
        name: json.loads((output / "v1.0-mini" / f"{name}.json").read_text())
        for name in ("calibrated_sensor", "sensor", "sample_data")
    }
    channels = {row["token"]: row["channel"] for row in rows["sensor"]}
    camera = next(row for row in rows["calibrated_sensor"] if channels[row["sensor_token"]] == "CAM_FRONT")
    assert camera["translation"][2] == pytest.approx(height)
    nominal_width = {"low": 1280, "high": 1440}[vehicle]
    assert camera["camera_intrinsic"][0][0] == pytest.approx(focal_length * size[0] / nominal_width)
    # The road, seen by the devkit's conventions: rendered depth of the lowest row is that of a plane so far below.
    depth = next((output / "depth" / "CAM_FRONT").glob("*.png"))
    intrinsics = np.array(camera["camera_intrinsic"])
    rotation = rigid_transform((0, 0, 0), camera["rotation"])[:3, :3]
    column = size[0] // 2
    ray = rotation @ np.linalg.inv(intrinsics) @ [column, size[1] - 1, 1.0]
    assert read_depth(depth)[-1, column] == pytest.approx(-height / ray[2], rel=0.1)


def test_the_sensors_of_all_are_those_of_nuscenes_car():
    with pytest.raises(LircDepthError, match="vehicle is 'low', expected nuscenes with all sensors"):
        synthetic.suite("all", vehicle="low")
    with pytest.raises(LircDepthError, match="vehicle is 'bus', expected one of nuscenes, low, high"):
        synthetic.suite(vehicle="bus")


def test_two_processes_do_not_write_the_same_data_root(tmp_path):
    partial = synthetic.partial_folder(tmp_path / "root")
    partial.mkdir()
    with claimed(partial), pytest.raises(LircDepthError, match=f"another process is writing {tmp_path / 'root'}"):
        synthetic.generate(tmp_path / "root", 1, 0, **TINY)


@pytest.mark.full
def test_the_whole_suite_loads_in_the_devkit_with_twelve_sensors_that_look_where_nuscenes_has_them(tmp_path):
    nuscenes = pytest.importorskip("nuscenes")
    from pyquaternion import Quaternion

    output = tmp_path / "root"
    arguments = ["--sensors", "all", "--duration", "1", "--image-size", "160x90", "--jobs", "2", "--scenes", "2"]
    assert cli.main(["synth", "-o", str(output), *arguments]) == 0
    nusc = nuscenes.NuScenes("v1.0-mini", str(output), verbose=False)
    assert len(nusc.scene) == 2
    heading = {}
    for sample in nusc.sample:
        assert len(sample["data"]) == 12
        for channel, token in sample["data"].items():
            record = nusc.get("sample_data", token)
            assert (output / record["filename"]).is_file()
            pose = nusc.get("calibrated_sensor", record["calibrated_sensor_token"])
            forward = [0, 0, 1] if channel.startswith("CAM") else [1, 0, 0]
            heading[channel] = np.degrees(np.arctan2(*Quaternion(pose["rotation"]).rotate(forward)[1::-1]))
    # Left of straight ahead, degrees, as on nuScenes' sensor plan.
    expected = {
        "CAM_FRONT": 0,
        "CAM_FRONT_LEFT": 55,
        "CAM_FRONT_RIGHT": -55,
        "CAM_BACK_LEFT": 110,
        "CAM_BACK_RIGHT": -110,
        "CAM_BACK": 180,
        "RADAR_FRONT": 0,
        "RADAR_FRONT_LEFT": 90,
        "RADAR_FRONT_RIGHT": -90,
        "RADAR_BACK_LEFT": 180,
        "RADAR_BACK_RIGHT": 180,
    }
    for channel, angle in expected.items():
        assert abs((heading[channel] - angle + 180) % 360 - 180) < 6, channel


@pytest.mark.full
def test_a_frozen_split_is_written_with_its_names_and_weathers(tmp_path):
    root = synthetic.generate(tmp_path / "val", split="val", **TINY)
    scenes = json.loads((root / "v1.0-mini/scene.json").read_text())
    assert [scene["name"] for scene in scenes] == [spec.name for spec in VALIDATION]
    for scene, spec in zip(scenes, VALIDATION, strict=True):
        assert f", {spec.weather}, {spec.difficulty}" in scene["description"]
