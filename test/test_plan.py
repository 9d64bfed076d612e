# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""benchmarks/plan.py computes what a hand computes from round numbers."""

import runpy

import pytest

from paths import REPOSITORY

PLAN = runpy.run_path(str(REPOSITORY / "benchmarks/plan.py"))


def test_a_training_run_by_hand():
    # 1,000 frames in batches of 5 on 2 GPUs: 100 steps of 0.5 s and an exchange of 50.58 MB at 50.58 MB/s: 1 s.
    gbit = PLAN["PARAMETERS_BYTES"] * 8 / 1e9
    found = PLAN["training"](2, 10.0, 36, 1000, 5, gbit, 3.0, 100, 100)
    assert found["steps an epoch"] == 100
    assert found["step [s]"] == pytest.approx(1.5)
    assert found["hours"] == pytest.approx(1.5)
    assert found["money"] == pytest.approx(9.0)
    assert found["disk for packed frames [GB]"] == pytest.approx(0.07)
    assert found["read by all ranks [MB/s]"] == pytest.approx(1.4)
    assert PLAN["all_reduce_seconds"](1, 1.0) == 0


def test_a_fleet_by_hand():
    # 24 hours of driving in a day, 10 core seconds for each second: 10 workers; 100 s an item of 10 s of driving.
    found = PLAN["fleet"](24, 1, 10.0, 1.0, 4.0, 10.0, 500.0, 2.0, 0.5)
    assert found["workers of one core"] == 10
    assert found["core hours"] == pytest.approx(240)
    assert found["items"] == pytest.approx(8640)
    assert found["file system [MB/s]"] == pytest.approx(5.0)
    assert found["tasks a second"] == pytest.approx(0.1)
    assert found["workers at which the scheduler is full"] == pytest.approx(200)
    assert found["workers at which the file system is full"] == pytest.approx(1000)
    assert found["money"] == pytest.approx(120)
