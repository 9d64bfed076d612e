# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packed frames are the frames that were packed, whatever number of processes made them."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import PackedFrames, open_packed, pack, pack_shards, shard_path
from lircdepth_core.errors import LircDepthError
from lircdepth_core.manifest import Manifest
from lircdepth_core.work import Workers
from lircdepth_ros import cli
from paths import REPOSITORY, SUPPORT

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
    pack(source, tmp_path / "two.safetensors", Workers(2))
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
        return {"image": torch.full((3, 32, 64), index % 256, dtype=torch.uint8), "radar": radar, "rendered": rendered}


def test_shards_go_on_where_they_stopped_and_are_read_as_one(tmp_path, capsys):
    pack(Levels(5), shard_path(tmp_path, range(4)), indices=range(4))  # without a manifest
    pack_shards(Levels(5), tmp_path, 4)
    assert "4 of 5 frames are there" in capsys.readouterr().out
    kept = shard_path(tmp_path, range(4)).stat().st_mtime_ns
    shard_path(tmp_path, range(4, 5)).unlink()
    pack_shards(Levels(9), tmp_path, 4, Workers(2))
    assert shard_path(tmp_path, range(4)).stat().st_mtime_ns == kept
    frames = open_packed(tmp_path)
    assert len(frames) == 9
    assert (frames.size, frames.focal_length) == ((32, 64), 50.0)
    for index in range(9):
        read, made = frames.frame(index), Levels(9).frame(index)
        assert all(torch.equal(read[name], made[name]) for name in made), index
    assert len(open_packed([tmp_path, shard_path(tmp_path, range(4, 8))])) == 13
    assert Manifest(tmp_path).verify([f"frames-{first:06d}.safetensors" for first in (0, 4, 8)]) == []


def test_shards_of_other_frames_and_folders_without_any_are_refused(tmp_path):
    with pytest.raises(LircDepthError, match="no file of frames"):
        open_packed(tmp_path)
    pack(Levels(4), shard_path(tmp_path, range(4)))
    with pytest.raises(LircDepthError, match=r"frames-000000.*holds other frames"):
        pack_shards(Levels(5), tmp_path, 5)
    others = Levels(4)
    others.description = "other levels"
    with pytest.raises(LircDepthError, match="other levels"):
        pack_shards(others, tmp_path, 4)
    smaller = Levels(4)
    smaller.focal_length = 40.0
    pack(smaller, tmp_path / "smaller.safetensors")
    with pytest.raises(LircDepthError, match=r"focal length 40, expected .* and 50"):
        open_packed(tmp_path)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(LircDepthError, match=r"broken.*not a complete file"):
        open_packed(tmp_path / "broken.safetensors")


class Stopping(Levels):
    """A source that fails at a frame, until it is mended."""

    broken: int | None = None
    made: list

    def frame(self, index):
        if index == self.broken:
            raise LircDepthError("no disk")
        self.made.append(index)
        return super().frame(index)


def test_a_stopped_run_goes_on_and_gives_the_same_file(tmp_path):
    pack(Levels(11), tmp_path / "whole.safetensors")
    frames = Stopping(11)
    frames.made, frames.broken = [], 9
    with pytest.raises(LircDepthError, match="no disk"):
        pack(frames, tmp_path / "frames.safetensors")
    assert not (tmp_path / "frames.safetensors").exists()
    frames.made, frames.broken = [], None
    pack(frames, tmp_path / "frames.safetensors")
    assert frames.made == [0, 8, 9, 10], "the first frame tells whether the parts are of these frames"
    assert (tmp_path / "frames.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"frames.safetensors", "whole.safetensors"}


def test_parts_of_other_frames_are_made_anew(tmp_path):
    frames = Stopping(8)
    frames.made, frames.broken = [], 5
    with pytest.raises(LircDepthError, match="no disk"):
        pack(frames, tmp_path / "frames.safetensors")
    brighter = Levels(8)
    brighter.frame = lambda index: Levels.frame(brighter, index + 1)
    pack(brighter, tmp_path / "frames.safetensors")
    packed = PackedFrames(tmp_path / "frames.safetensors")
    assert [int(packed.frame(index)["image"].max()) for index in range(8)] == list(range(1, 9))


class Rows(Levels):
    """Frames of different numbers of returns, and one that has more maps."""

    def __init__(self, counts, more=None):
        super().__init__(len(counts))
        self.counts, self.more = counts, more

    def frame(self, index):
        frame = super().frame(index)
        frame["radar"] = torch.zeros(4, 32, 64)
        frame["radar"][:, 0, : self.counts[index]] = torch.arange(1.0, self.counts[index] + 1)
        return frame | ({"dense": torch.ones(1, 32, 64)} if index == self.more else {})


def test_frames_may_have_any_number_of_returns_but_not_other_maps(tmp_path):
    source = Rows([3, 0, 17, 64, 1, 2])
    pack(source, tmp_path / "frames.safetensors")
    packed = PackedFrames(tmp_path / "frames.safetensors")
    for index in range(6):
        assert torch.equal(packed.frame(index)["radar"], source.frame(index)["radar"])
    with pytest.raises(LircDepthError, match="frames differ in what they hold"):
        pack(Rows([1, 1, 1], more=2), tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()


class Large(Levels):
    """Frames of 6 MB."""

    size = (1024, 2048)

    def frame(self, index):
        return {
            "image": torch.full((3, 1024, 2048), index, dtype=torch.uint8),
            "radar": torch.zeros(4, 1024, 2048),
            "single": torch.ones(1, 1024, 2048),
        }


PEAK = """
import resource, sys
sys.path[:0] = sys.argv[2:]
import test_packed
from lircdepth_core.data.packed import pack
pack(test_packed.Large(4), sys.argv[1] + "/a.safetensors")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pack(test_packed.Large(40), sys.argv[1] + "/b.safetensors")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.full
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    """Ten times the frames, 400 MB, in a process of its own."""
    here = [str(REPOSITORY), str(REPOSITORY / "test/core/data"), str(SUPPORT)]
    command = [sys.executable, "-c", PEAK, str(tmp_path), *here]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(result.stdout) < 100_000  # kilobytes


def test_a_disk_that_is_too_small_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(LircDepthError, match="bytes are needed while it is made, and 10,000 are free"):
        pack(Levels(4), tmp_path / "frames.safetensors")
    assert not list(tmp_path.iterdir())


def test_files_are_merged_into_one(tmp_path, capsys):
    for name, count in (("a", 3), ("b", 2)):
        pack(Levels(count), tmp_path / f"{name}.safetensors")
    words = ["pack", "--merge", str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors"), "-o"]
    assert cli.main([*words, str(tmp_path / "both.safetensors")]) == 0
    merged = PackedFrames(tmp_path / "both.safetensors")
    assert [int(merged.frame(index)["image"][0, 0, 0]) for index in range(len(merged))] == [0, 1, 2, 0, 1]
    assert merged.frame(4).keys() == Levels(2).frame(1).keys()
    for name, value in Levels(2).frame(1).items():
        assert torch.equal(merged.frame(4)[name], value), name
    assert cli.main(["pack", "--merge", str(tmp_path / "absent"), "-o", str(tmp_path / "c.safetensors")]) == 2
    assert "no such file of frames" in capsys.readouterr().err
