# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of inference."""

import logging

import pytest

from lircdepth_core.inference.backends import auto
from lircdepth_core.models import checkpoints


@pytest.fixture(scope="module", autouse=True)
def always_one_thread(one_thread):
    """Every test of this folder, and what its modules load once, runs on one thread."""


@pytest.fixture(autouse=True)
def warnings_alone(caplog):
    caplog.set_level(logging.WARNING)


@pytest.fixture(autouse=True)
def idle_machine(monkeypatch):
    """Other processes may use the cores of a test run: a measurement counts all the same."""
    monkeypatch.setattr(auto, "_BUSY_SHARE", 2.0)


@pytest.fixture(scope="module")
def tiny():
    return checkpoints.random_weights("tiny")[0]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
