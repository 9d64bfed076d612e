# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames are the frames that were packed, whatever number of processes made them."""

import pytest
import torch

from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import PackedFrames, pack
from lircdepth_core.errors import LircDepthError

pytest.importorskip("nuscenes")


def test_packed_frames_are_the_frames(root, dense, tmp_path):
    source = NuScenesFrames(root, "v1.0-mini", "all", dense=dense, labels=True)
    pack(source, tmp_path / "frames.safetensors")
    packed = PackedFrames(tmp_path / "frames.safetensors")
    assert (len(packed), packed.size, packed.focal_length) == (4, source.size, source.focal_length)
    assert packed.description == source.description
    for index in range(4):
        ours, theirs = packed.frame(index), source.frame(index)
        assert ours.keys() == theirs.keys()
        for name in ("image", "radar", "dense", "confidence_label"):
            assert torch.equal(ours[name], theirs[name]), name
        assert (ours["single"] - theirs["single"]).abs().max() <= 0.5 / 256
    pack(source, tmp_path / "two.safetensors", jobs=2)
    data = (tmp_path / "frames.safetensors").read_bytes()
    assert (tmp_path / "two.safetensors").read_bytes() == data
    (tmp_path / "half.safetensors").write_bytes(data[:5000])
    for name in ("half.safetensors", "absent.safetensors"):
        with pytest.raises(LircDepthError, match=name):
            PackedFrames(tmp_path / name)
