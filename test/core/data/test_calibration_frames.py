# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames to calibrate on are spread over a file, or rendered for the weights' camera, and only when needed."""

import hashlib

import pytest
import torch

from lircdepth_core.data import calibration_frames as module
from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.errors import LircDepthError
from training_runs import write_frames


def test_sixteen_frames_are_spread_over_a_file_which_names_them(tmp_path):
    path = write_frames(tmp_path / "frames.safetensors", count=40)
    calibration = calibration_frames(path, focal_length=120.0)
    assert calibration.key == hashlib.sha256(path.read_bytes()).hexdigest()
    samples, frames = calibration.samples(), PackedFrames(path)
    assert len(samples) == 16
    for number, sample in enumerate(samples):
        expected = prepare(frames.frame(number * 39 // 15))  # the first and the last one among them
        assert all(torch.equal(sample[name], expected[name]) for name in ("image", "radar"))


def test_twenty_frames_are_not_taken_from_the_first_part_of_their_file_alone(tmp_path):
    path = write_frames(tmp_path / "frames.safetensors", count=20)
    last = prepare(PackedFrames(path).frame(19))
    assert torch.equal(calibration_frames(path).samples()[-1]["image"], last["image"])


def test_frames_of_another_focal_length_than_the_weights_are_refused(tmp_path):
    path = write_frames(tmp_path / "frames.safetensors", count=2)
    with pytest.raises(LircDepthError, match=r"trained for a focal length of 240.0 px, but .* has 120.0 px"):
        calibration_frames(path, focal_length=240.0)


def test_without_a_file_the_street_is_rendered_for_the_weights_focal_length(monkeypatch):
    monkeypatch.setattr(module, "_STREET_FRAMES", 1)
    calibration = calibration_frames(focal_length=150.0)
    assert calibration.key == 150.0
    (sample,) = calibration.samples()
    assert sample["image"].shape == (3, 96, 160)  # nuScenes' 900x1600 at 1266 px become 106x189
    assert sample["radar"].shape == (4, 96, 160)
    assert sample["image"].std() > 0.1


def test_a_missing_file_is_named_before_any_work(tmp_path):
    with pytest.raises(LircDepthError, match=r"none\.safetensors: no such file of frames"):
        calibration_frames(tmp_path / "none.safetensors")


def test_a_frame_that_is_too_small_for_the_network_is_refused():
    frame = {"image": torch.zeros(3, 20, 64, dtype=torch.uint8), "radar": torch.zeros(4, 20, 64)}
    with pytest.raises(LircDepthError, match=r"image of 64x20 becomes 64x20 .* needs at least 32x32"):
        prepare(frame)
