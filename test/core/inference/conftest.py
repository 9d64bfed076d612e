# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of inference."""

import logging

import pytest
import torch

from lircdepth_core.inference.backends import auto
from lircdepth_core.models import checkpoints


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small inputs gain nothing from more threads, and waiting for each other takes time from other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
