# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth pack-street` writes frames into a file, or file by file into a folder, and goes on where it stopped."""

import pytest
import torch

from lircdepth_core.data.packed import open_packed
from lircdepth_core.data.varied_street import VariedFrames
from lircdepth_ros import cli

SMALL = ("--scale", "0.05", "--device", "cpu")  # 80x45 pixels


def pack(*words):
    return cli.main(["pack-street", *map(str, words), *SMALL])


def test_a_folder_is_filled_file_by_file_and_goes_on(tmp_path, capsys):
    folder = tmp_path / "varied"
    assert pack("--split", "varied", "--frames", 3, "--shard", 2, "-o", folder) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("varied synthetic street, varied, seed 0: 0 of 3 frames are there")
    assert out[1].startswith("the rest takes about ")
    files = sorted(folder.glob("*.safetensors"))
    assert [file.name for file in files] == ["frames-000000.safetensors", "frames-000002.safetensors"]
    read, made = open_packed(folder), VariedFrames("varied", 3, 0.2)
    assert (len(read), read.size) == (3, (45, 80))
    assert torch.equal(read.frame(2)["image"], made.frame(2)["image"])
    assert (read.frame(2)["rendered"] - made.frame(2)["rendered"]).abs().max() <= 0.5 / 256

    files[1].unlink()  # as if the run had been killed within it
    kept = files[0].stat().st_mtime_ns
    assert pack("--split", "varied", "--frames", 3, "--shard", 2, "-o", folder) == 0
    assert "2 of 3 frames are there" in capsys.readouterr().out
    assert files[0].stat().st_mtime_ns == kept
    assert len(open_packed(folder)) == 3


@pytest.mark.parametrize("words", [("--split", "varied"), ("--split", "train", "--rendered")])
def test_a_folder_of_training_frames_grows(words, tmp_path, capsys):
    assert pack(*words, "--frames", 2, "--shard", 2, "-o", tmp_path) == 0
    (file,) = tmp_path.glob("*.safetensors")
    before = file.stat().st_mtime_ns
    assert pack(*words, "--frames", 4, "--shard", 2, "-o", tmp_path) == 0
    assert "2 of 4 frames are there" in capsys.readouterr().out
    assert file.stat().st_mtime_ns == before
    assert len(open_packed(tmp_path)) == 4


@pytest.mark.parametrize(("words", "message"), [
    (("--split", "varied", "--frames", 4, "--shard", 0), "--shard 0: expected at least 1"),
    (("--split", "varied", "--frames", 0, "--shard", 2), "--frames 0 --scale 0.05: expected at least 1"),
    (("--split", "nothing", "--frames", 4), "--split nothing: expected train, val, test, varied, unseen-val"),
    (("--split", "varied", "--frames", 4, "--rendered"), "--rendered is of the usual street: frames of varied streets"),
    (("--split", "train", "--frames", 4, "--lidar"), "--lidar is of varied streets: frames of the usual street"),
    (("--split", "varied", "--frames", 4), "is a folder; give a file, or --shard"),
])  # fmt: skip
def test_a_mistake_is_one_line(words, message, tmp_path, capsys):
    assert pack(*words, "-o", tmp_path) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_folder_of_other_frames_is_refused_and_left_alone(tmp_path, capsys):
    assert pack("--split", "varied", "--frames", 2, "--shard", 2, "-o", tmp_path) == 0
    (file,) = tmp_path.glob("*.safetensors")
    before = file.read_bytes()
    assert pack("--split", "varied", "--seed", 1, "--frames", 2, "--shard", 2, "-o", tmp_path) == 2
    assert "holds other frames" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert pack("--split", "varied", "--frames", 2, "--shard", 2, "-o", file) == 2
    assert "is a file; with --shard" in capsys.readouterr().err


def test_a_file_in_a_new_folder_is_made_with_an_estimate(tmp_path, capsys):
    path = tmp_path / "new/folder/frames.safetensors"
    assert pack("--split", "varied", "--frames", 5, "-o", path) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("varied synthetic street, varied, seed 0: 5 frames: about 0 minutes and 0 MB, twice that")
    assert len(open_packed(path)) == 5


def test_an_output_that_cannot_be_written_is_named_before_the_data_are_opened(tmp_path, capsys):
    (tmp_path / "file").touch()
    for output, message in (
        (tmp_path / "frames.txt", "frames.txt: expected the name of a file that ends in .safetensors"),
        (tmp_path / "file/frames.safetensors", f"File exists: {tmp_path / 'file'}"),
    ):
        assert cli.main(["pack", "--dataroot", str(tmp_path / "absent"), "-o", str(output)]) == 2
        assert message in capsys.readouterr().err
