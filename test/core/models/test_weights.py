# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The weights that ship: their header, and their errors on streets on which they were not trained."""

import numpy as np
import pytest
import torch

from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.evaluation import of_packed
from lircdepth_core.models import checkpoints

STREET = checkpoints.SHIPPED["street"]


def test_they_say_what_they_learnt_from_and_at_which_focal_length():
    network, header = checkpoints.load("street")
    assert header.model == "lircdepth"
    assert header.trained_on.startswith("varied synthetic street")
    assert "never saw a real road" in header.caution
    assert header.focal_length < 1266.0
    assert {"val_mae", "val_abs_rel"} <= set(header.metrics)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert STREET.stat().st_size < 30e6
    assert {path.name for path in STREET.parent.iterdir()} == {STREET.name}


@pytest.mark.parametrize(("trained_on", "cautioned"), [
    ("varied synthetic street, varied, seed 0 (6480 frames)", True),
    ("synthetic street, train, 1200 frames, seed 0; varied synthetic street, varied, seed 0 (9 frames)", True),
    ("varied synthetic street, varied, seed 0; drives of drive1.mcap (900 frames)", False),
])  # fmt: skip
def test_weights_that_saw_rendered_pictures_alone_say_so(trained_on, cautioned):
    assert ("never saw a real road" in checkpoints.Header("lircdepth", trained_on=trained_on).caution) == cautioned


def test_they_see_depth_and_use_radar_on_streets_of_val(street_file):
    errors = of_packed.evaluate(checkpoints.load("street")[0], PackedFrames(street_file)).errors
    # A constant depth has 0.68 on the test set (training/RESULTS.md).
    assert errors["radar"]["0-80 m"]["abs_rel"] < 0.25
    assert errors["no radar"]["0-80 m"]["mae"] > 1.02 * errors["radar"]["0-80 m"]["mae"]
    assert np.isfinite(errors["radar"]["0-50 m"]["rmse"])
