# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of the street are frozen, and training does not see their exact depth."""

import pytest
import torch

from lircdepth_core.data.street import StreetFrames
from lircdepth_core.errors import LircDepthError


def test_frames_of_the_street_are_frozen_and_training_does_not_see_their_exact_depth():
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
