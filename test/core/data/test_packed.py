# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames are the frames that were packed, whatever number of processes made them."""

import pytest
import torch

from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import PackedFrames, missing_shards, open_packed, pack, shard_path
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


class Levels:
    """Frames of one grey level each, with rendered depth and a sky."""

    focal_length, size, description = 50.0, (32, 64), "levels"

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def frame(self, index):
        radar = torch.zeros(4, 32, 64)
        radar[:, 3, index % 64] = torch.tensor([5.0 + index, 1.0, -2.0, 0.5])
        rendered = torch.full((1, 32, 64), 7.25 + index)
        rendered[:, :8] = BEYOND_RANGE_M
        return {"image": torch.full((3, 32, 64), index, dtype=torch.uint8), "radar": radar, "rendered": rendered}


def test_shards_go_on_where_they_stopped_and_are_read_as_one(tmp_path):
    for indices in missing_shards(Levels(5), tmp_path, 4)[:1]:
        pack(Levels(5), shard_path(tmp_path, indices), indices=indices)
    assert missing_shards(Levels(5), tmp_path, 4) == [range(4, 5)]
    assert missing_shards(Levels(9), tmp_path, 4) == [range(4, 8), range(8, 9)]
    pack(Levels(8), shard_path(tmp_path, range(4, 8)), indices=range(4, 8))
    frames = open_packed(tmp_path)
    assert len(frames) == 8
    assert (frames.size, frames.focal_length) == ((32, 64), 50.0)
    for index in range(8):
        read, made = frames.frame(index), Levels(8).frame(index)
        assert all(torch.equal(read[name], made[name]) for name in made), index
    assert len(open_packed([tmp_path, shard_path(tmp_path, range(4, 8))])) == 12


def test_shards_of_other_frames_and_folders_without_any_are_refused(tmp_path):
    with pytest.raises(LircDepthError, match="no file of frames"):
        open_packed(tmp_path)
    pack(Levels(4), shard_path(tmp_path, range(4)))
    with pytest.raises(LircDepthError, match=r"frames-000000.*holds other frames"):
        missing_shards(Levels(5), tmp_path, 5)
    others = Levels(4)
    others.description = "other levels"
    with pytest.raises(LircDepthError, match="other levels"):
        missing_shards(others, tmp_path, 4)
    smaller = Levels(4)
    smaller.focal_length = 40.0
    pack(smaller, tmp_path / "smaller.safetensors")
    with pytest.raises(LircDepthError, match=r"focal length 40, expected .* and 50"):
        open_packed(tmp_path)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(LircDepthError, match=r"broken.*not a complete file"):
        open_packed(tmp_path / "broken.safetensors")
