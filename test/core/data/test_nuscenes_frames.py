# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes frames agree with the devkit's tables, and a damaged or missing file is named."""

import numpy as np
import pytest
import torch
from PIL import Image

import street_nuscenes
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import decode_pcd, encode_pcd

pytest.importorskip("nuscenes")


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


def test_the_real_sample_is_a_frame(nuscenes_real):
    source = frames(nuscenes_real)
    frame = source.frame(0)
    assert frame["image"].shape == (3, 900, 1600)
    assert 20 < int((frame["radar"][0] > 0).sum()) <= 125
    assert 2000 < int((frame["single"] > 0).sum()) < 5000
    assert source.focal_length == pytest.approx(1266.4, abs=0.1)
