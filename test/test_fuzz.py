# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Hostile input never crashes, hangs or raises anything but our own error, with its reason."""

import contextlib
import importlib.util
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz_targets import FILES, MESSAGES
from lircdepth_core.errors import LircDepthError
from paths import REPOSITORY, SUPPORT

_HANG = 1.0  # seconds


def survives(target, data):
    """Run a target: a result and our own error are both fine. CPU time tells a hang, whatever else the machine does."""
    begin = time.process_time()
    with warnings.catch_warnings(), contextlib.suppress(LircDepthError):
        warnings.simplefilter("ignore")
        target(data)
    assert time.process_time() - begin < _HANG


@pytest.mark.parametrize("target", [*MESSAGES, *FILES], ids=lambda target: target.__name__)
def test_mutated_input_is_read_or_refused(target):
    for first in range(8):  # what is loaded once, for each kind of a target's inputs, is not a hang
        with contextlib.suppress(LircDepthError):
            target(bytes([first]))

    @settings(max_examples=2000 if target in MESSAGES else 300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=64))
    def run(data):
        survives(target, data)

    run()


@pytest.mark.full
@pytest.mark.parametrize("target", MESSAGES, ids=lambda target: target.__name__)
def test_50_000_mutated_messages_of_each_type(target):
    random = np.random.default_rng(0)
    for _ in range(50_000):
        survives(target, random.bytes(random.integers(0, 64)))


@pytest.mark.full
@pytest.mark.parametrize("target", [*MESSAGES, *FILES], ids=lambda target: target.__name__)
def test_a_coverage_guided_run_finds_nothing(target, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris, the coverage-guided fuzzer, is not installed")
    runs = 100_000 if target in MESSAGES else 5_000
    # Linux counts the peak of the process that starts it as its own, which may be gigabytes of other tests.
    most = 2048 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    options = [f"-runs={runs}", "-max_len=64", "-timeout=10", f"-rss_limit_mb={most}", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, str(SUPPORT / "fuzz_targets.py"), target.__name__, *options]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert f"Done {runs} runs" in result.stderr
