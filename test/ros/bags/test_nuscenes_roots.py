# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Data roots as people have them: what does not matter is not needed, and what does is one line that names it."""

import shutil

import pytest

import tiny_nuscenes

pytest.importorskip("nuscenes", reason="the dataset is read through its devkit")
pytest.importorskip("rosbags", reason="bags are written with rosbags")

from lircdepth_core.data import nuscenes
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_ros import cli


@pytest.fixture
def root(tmp_path):
    return tiny_nuscenes.write(tmp_path / "data" / "root")


def convert(root, *options, scene=True):
    words = ["nuscenes-to-bag", "--dataroot", str(root), "-o", str(options[0]), *options[1:]]
    return cli.main(words + (["--scene", "scene-0001"] if scene else []))


def test_maps_are_not_needed(root, tmp_path):
    shutil.rmtree(root / "maps")
    assert convert(root, tmp_path / "bag") == 0
    assert cli.main(["verify-bag", str(tmp_path / "bag"), "--dataroot", str(root)]) == 0
    assert len(NuScenesFrames(root, "v1.0-mini", "all")) > 0


def folder(path):
    path.unlink()
    path.mkdir()


def dangling(path):
    path.unlink()
    path.symlink_to("/nonexistent/x")


def pointer(path):
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def empty(path):
    path.write_bytes(b"")


DAMAGE = {
    folder: "is a folder, expected a file",
    dangling: "is missing: it is a link to /nonexistent/x, which is not there",
    pointer: "is a pointer of Git LFS, expected the file itself",
    empty: "",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda function: function.__name__)
@pytest.mark.parametrize("channel", ["CAM_FRONT", "RADAR_FRONT", "LIDAR_TOP"])
def test_whatever_stands_in_a_files_place_is_one_line_and_can_be_skipped(root, tmp_path, capsys, channel, damage):
    path = min((root / "samples" / channel).iterdir())
    damage(path)
    assert convert(root, tmp_path / "bag") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lircdepth")]
    assert f"{path}" in line
    assert DAMAGE[damage] in line
    assert not (tmp_path / "bag").exists()
    assert convert(root, tmp_path / "bag", "--skip-missing") == 0
    captured = capsys.readouterr()
    assert "1 sensor files skipped" in captured.out
    assert f"skipped: {path}" in captured.err
    frames = NuScenesFrames(root, "v1.0-mini", "all")
    with pytest.raises(LircDepthError, match=str(path)):
        [frames.frame(index) for index in range(len(frames))]


def test_paths_may_be_relative_or_begin_at_home(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("HOME", str(root.parent))
    for number, name in enumerate(("root", "./root/", "~/root")):
        assert convert(name, tmp_path / str(number)) == 0


def test_a_data_root_that_is_one_folder_off_is_told_where_it_is(root):
    with pytest.raises(LircDepthError, match=f"it is the folder of tables itself: give {root}"):
        nuscenes.open_nuscenes(root / "v1.0-mini", "v1.0-mini")
    with pytest.raises(LircDepthError, match=f"there are some in {root}"):
        nuscenes.open_nuscenes(root.parent, "v1.0-mini")
    with pytest.raises(LircDepthError, match=r"versions there: v1\.0-mini"):
        nuscenes.open_nuscenes(root, "v1.0-trainval")


def test_tables_are_loaded_once_a_process_and_again_when_they_change(root):
    """Those of the full data set take a minute and gigabytes; training opens them for two splits."""
    first = nuscenes.open_nuscenes(root, "v1.0-mini")
    assert nuscenes.open_nuscenes(str(root) + "/", "v1.0-mini") is first
    assert NuScenesFrames(root, "v1.0-mini", "all").nusc is first
    path = root / "v1.0-mini/scene.json"
    path.write_text(path.read_text().replace("straight on", "straight ahead"))
    changed = nuscenes.open_nuscenes(root, "v1.0-mini")
    assert changed is not first
    assert changed.scene[0]["description"] == "straight ahead"
