# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes frames agree with the devkit's tables, training can be resumed at any batch, and damage is reported."""

import numpy as np
import pytest
import torch
from PIL import Image

import street_nuscenes
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.augmentation import Augmentation
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import PackedFrames, pack
from lircdepth_core.data.sampling import EpochBatches, TrainingSet
from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import decode_pcd, encode_pcd
from lircdepth_ros import cli

pytest.importorskip("nuscenes")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return street_nuscenes.write(tmp_path_factory.mktemp("street") / "root")


@pytest.fixture(scope="module")
def dense(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense")
    words = ("--dataroot", root, "--version", "v1.0-mini", "--split", "all", "-o", folder, "--jobs", 1)
    assert cli.main(["ground-truth", *map(str, words)]) == 0
    return folder


def frames(root, **options):
    return NuScenesFrames(root, "v1.0-mini", "all", **options)


def test_a_frame_holds_the_key_frames_image_radar_and_truth(root, dense):
    source = frames(root, dense=dense, labels=True)
    assert len(source) == 4
    assert source.size == (240, 320)
    assert source.focal_length == 300.0
    frame = source.frame(0)
    nusc, sample = source.nusc, source.samples[0]
    record = nusc.get("sample_data", sample["data"]["CAM_FRONT"])
    with Image.open(root / record["filename"]) as image:
        assert np.array_equal(frame["image"].permute(1, 2, 0).numpy(), np.asarray(image))
    assert torch.equal(frame["single"][0], torch.from_numpy(ground_truth.single_scan_depth(nusc, sample)))
    path = ground_truth.depth_path(dense, nusc, sample)
    assert torch.equal(frame["dense"][0], torch.from_numpy(ground_truth.read_depth(path)))

    radar_record = nusc.get("sample_data", sample["data"]["RADAR_FRONT"])
    returns = decode_pcd((root / radar_record["filename"]).read_bytes())
    points, depth = nuscenes.project_channel(nusc, sample, "RADAR_FRONT", "CAM_FRONT")
    assert len(points) == len(returns) == 12
    columns, rows = np.rint(points).astype(int).T
    drawn = frame["radar"][0].numpy()
    assert (drawn > 0).sum() == len({*zip(rows, columns, strict=True)})
    assert np.all(drawn[rows, columns] <= depth.astype(np.float32) + 1e-5)
    label = frame["confidence_label"][0]
    assert set(label.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert torch.equal(label < 0, frame["dense"][0] == 0)
    row, column = torch.nonzero(frame["radar"][2] == 6.0)[0].tolist()  # the return of the box, 6 m/s faster than us
    assert label[row, column] == 1.0
    stamp = record["timestamp"]
    on_box = torch.from_numpy(street_nuscenes.exact_depth(stamp)).sub(frame["dense"][0]).abs() < 0.2
    assert label[row - 4 : row + 4, column - 4 : column + 4][on_box[row - 4 : row + 4, column - 4 : column + 4]].all()


def test_a_smaller_scale_moves_pixels_as_resampling_does(root):
    whole, half = frames(root).frame(0), frames(root, scale=0.5)
    assert half.size == (120, 160)
    assert half.focal_length == 150.0
    frame = half.frame(0)
    assert frame["image"].shape == (3, 120, 160)
    assert frame["single"].shape == (1, 120, 160)
    rows, columns = torch.nonzero(whole["radar"][0], as_tuple=True)
    places = zip(rows.tolist(), columns.tolist(), strict=True)
    expected = {(round((r + 0.5) / 2 - 0.5), round((c + 0.5) / 2 - 0.5)) for r, c in places}
    found = {tuple(place) for place in torch.nonzero(frame["radar"][0]).tolist()}
    assert found
    assert all(
        min(abs(r - a) + abs(c - b) for a, b in expected) <= 2 for r, c in found
    )  # rounded before the resampling there, after it here


def test_an_empty_radar_scan_is_a_frame_without_returns(root, tmp_path):
    other = street_nuscenes.write(tmp_path / "root")
    source = frames(other)
    record = source.nusc.get("sample_data", source.samples[1]["data"]["RADAR_FRONT"])
    (other / record["filename"]).write_bytes(encode_pcd([]))
    assert not source.frame(1)["radar"].any()
    assert source.frame(0)["radar"].any()


def test_missing_files_and_scenes_are_named(root, tmp_path):
    other = street_nuscenes.write(tmp_path / "root")
    source = frames(other)
    for name in ("CAM_FRONT", "RADAR_FRONT", "LIDAR_TOP"):
        record = source.nusc.get("sample_data", source.samples[2]["data"][name])
        path = other / record["filename"]
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(LircDepthError, match=f"{path.name}.*missing"):
            source.frame(2)
        path.write_bytes(data)
    with pytest.raises(LircDepthError, match="lircdepth ground-truth"):
        frames(root, dense=tmp_path).frame(0)
    with pytest.raises(LircDepthError, match="unknown split"):
        NuScenesFrames(root, "v1.0-mini", "nonsense")
    with pytest.raises(LircDepthError, match="no key frame has"):
        NuScenesFrames(root, "v1.0-mini", "all", radar="RADAR_BACK")


class Listed:
    """Frames of given depth maps, for tests that depend on ground truth alone."""

    focal_length, size, description = 100.0, (32, 32), "listed"

    def __init__(self, depths):
        self.depths = depths

    def __len__(self):
        return len(self.depths)

    def frame(self, index):
        depth = torch.full((1, 32, 32), self.depths[index])
        image = torch.full((3, 32, 32), index, dtype=torch.uint8)
        return {"image": image, "radar": torch.zeros(4, 32, 32), "dense": depth, "single": torch.zeros(1, 32, 32)}


def test_a_frame_without_ground_truth_is_skipped_and_counted():
    source = TrainingSet(Listed([5.0, 0.0, 0.0, 7.0]), Augmentation((32, 32), flip=0, colour=0), seed=0)
    found = [(float(source[0, i]["dense"].max()), int(source[0, i]["skipped"])) for i in range(4)]
    assert found == [(5.0, 0), (7.0, 2), (7.0, 1), (7.0, 0)]
    empty = TrainingSet(Listed([0.0, 0.0]), Augmentation((32, 32)), seed=0)
    with pytest.raises(LircDepthError, match="no frame has any ground truth"):
        empty[0, 0]


def batches(length, batch_size, epoch, rank=0, world=1):
    """The batches of an epoch, as frames' indices."""
    sampler = EpochBatches(length, batch_size, 1, rank, world)
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    assert {place[0] for batch in found for place in batch} == {epoch}
    return [[index for _, index in batch] for batch in found]


def test_an_epoch_has_its_own_order_and_ranks_share_it():
    whole = batches(23, 4, epoch=2)
    assert len(whole) == 5
    assert len({i for batch in whole for i in batch}) == 20
    assert batches(23, 4, epoch=2) == whole
    assert batches(23, 4, epoch=3) != whole
    ranks = [batches(23, 2, 2, rank, world=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*ranks, strict=True)] == whole  # together, one process with twice the batch
    with pytest.raises(LircDepthError, match="3 frames do not fill one batch of 4"):
        EpochBatches(3, 4, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_at_any_batch_without_reading_the_frames_before(workers, tmp_path):
    """What is read is noted in a file, since workers are processes of their own."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    class Noted(Listed):
        def frame(self, index):
            with open(tmp_path / "read", "a") as file:
                file.write(f"{index}\n")
            return super().frame(index)

    def loader():
        sampler = EpochBatches(23, 4, 1)
        sampler.set_epoch(2)
        source = TrainingSet(Noted([5.0] * 23), Augmentation((32, 32)), seed=0)
        return stateful.StatefulDataLoader(source, batch_sampler=sampler, num_workers=workers)

    first, whole = loader(), []
    for number, batch in enumerate(first):
        whole.append(batch["image"])
        if number == 2:
            state = first.state_dict()
    (tmp_path / "read").unlink()
    second = loader()
    second.load_state_dict(state)
    rest = [batch["image"] for batch in second]
    assert len(rest) == 2
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[3:], strict=True))
    read = [int(line) for line in (tmp_path / "read").read_text().split()]
    assert sorted(read) == sorted(index for batch in batches(23, 4, epoch=2)[3:] for index in batch)


def test_packed_frames_are_the_frames(root, dense, tmp_path):
    source = frames(root, dense=dense, labels=True)
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


def test_frames_of_the_street_are_frozen_and_training_does_not_see_their_exact_depth():
    from lircdepth_core.data.street import StreetFrames

    frames = [StreetFrames("val", 9, scale=0.1).frame(8) for _ in range(2)]
    assert frames[0]["image"].shape == (3, 90, 160)
    assert all(torch.equal(frames[0][name], frames[1][name]) for name in frames[0])
    exact, dense, single = (frames[0][name] for name in ("exact", "dense", "single"))
    known = (dense > 0) & (exact > 0) & (exact < 60)
    assert known.float().mean() > 0.2
    assert ((dense - exact).abs() / exact)[known].median() < 0.03
    assert 0 < (single > 0).float().mean() < (dense > 0).float().mean()
    assert frames[0]["radar"][0].any()
    training = StreetFrames("train", 2, scale=0.1)
    assert training.frame(0).keys() == {"image", "radar", "dense", "single"}
    assert training.focal_length == pytest.approx(126.6, abs=0.1)
    with pytest.raises(LircDepthError, match="expected train, val, test"):
        StreetFrames("trial", 1)


def test_the_real_sample_is_a_frame(nuscenes_real):
    source = frames(nuscenes_real)
    frame = source.frame(0)
    assert frame["image"].shape == (3, 900, 1600)
    assert 20 < int((frame["radar"][0] > 0).sum()) <= 125
    assert 2000 < int((frame["single"] > 0).sum()) < 5000
    assert source.focal_length == pytest.approx(1266.4, abs=0.1)
