# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of the synthetic street: what is in them, and that nothing but arguments and index decides it."""

import pytest
import torch
from torch.utils.data import DataLoader

from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.street import StreetFrames
from lircdepth_core.errors import LircDepthError


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_frames_of_the_street_are_frozen_and_training_does_not_see_their_exact_depth():
    frames = [StreetFrames("val", 9, scale=0.1).frame(8) for _ in range(2)]
    assert frames[0]["image"].shape == (3, 90, 160)
    assert same(*frames)
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


def test_rendered_depth_is_known_at_every_pixel_and_the_rest_of_the_frame_is_the_same():
    with_lidar = StreetFrames("train", 2, scale=0.1, exact=True).frame(1)
    frame = StreetFrames("train", 2, scale=0.1, rendered=True).frame(1)
    assert frame.keys() == {"image", "radar", "rendered"}
    assert all(torch.equal(frame[name], with_lidar[name]) for name in ("image", "radar"))
    rendered, exact = frame["rendered"], with_lidar["exact"]
    sky = exact == 0
    assert 0 < sky.float().mean() < 1
    assert (rendered[sky] == BEYOND_RANGE_M).all()
    assert torch.equal(rendered[~sky], exact[~sky].clamp(max=BEYOND_RANGE_M))


def test_a_window_of_the_picture_holds_what_a_depth_network_is_trained_on():
    street = StreetFrames("train", 4, scale=0.2, seed=1, exact=True, window=(96, 128))
    assert street.size == (96, 128)
    assert street.focal_length == pytest.approx(0.2 * 1266.4)
    frames = [street.frame(index) for index in range(2)]
    assert all(frame["image"].shape == (3, 96, 128) for frame in frames)
    assert all(frame["image"].dtype == torch.uint8 for frame in frames)
    assert all(frame["radar"].shape == (4, 96, 128) for frame in frames)
    exact, single, dense = (torch.stack([frame[name] for frame in frames]) for name in ("exact", "single", "dense"))
    assert exact.shape == single.shape == dense.shape == (2, 1, 96, 128)
    assert (exact > 0).float().mean() > 0.4
    assert (dense > 0).sum() > 1.5 * (single > 0).sum() > 0
    both = (single > 0) & (exact > 0)
    # 35 ms, half a metre of height and the rounding to coarse pixels lie between the two.
    assert ((single - exact)[both].abs() < 0.02 * exact[both] + 0.1).float().mean() > 0.6
    assert torch.stack([frame["image"] for frame in frames]).float().std() > 15
    assert same(street.inputs(1), {name: frames[1][name] for name in ("image", "radar")})


def test_frames_are_the_same_from_any_number_of_workers_and_from_any_index_on():
    """The three indices are of two streets. Each of several GPUs takes its own indices, and so its own frames."""

    def street(seed=3):
        return StreetFrames("train", 8, scale=0.4, seed=seed, window=(64, 96))

    def loaded(indices, workers):
        return list(DataLoader(indices, batch_size=None, collate_fn=street().frame, num_workers=workers))

    indices = [3, 4, 5]
    alone = loaded(indices, 0)
    assert not any(same(alone[0], other) for other in alone[1:])
    for one, other in zip(alone, loaded(indices, 2), strict=True):
        assert same(one, other)
    assert same(street().frame(5), alone[2])
    assert not same(street(seed=4).frame(5), alone[2])


def test_a_window_that_does_not_fit_is_refused():
    for window in ((900, 128), (16, 128), (96, 321)):
        with pytest.raises(LircDepthError, match=f"window is \\({window[0]}, {window[1]}\\).*32 to 180, 320"):
            StreetFrames("train", 1, scale=0.2, window=window)
