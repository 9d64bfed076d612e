# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One thread for all tests of the street: its small tensor operations lose more by being split than they gain."""

import pytest

from lircdepth_core.synthetic.render.threads import one_thread


@pytest.fixture(autouse=True)
def threads():
    """As many threads as PyTorch may use in a test."""
    with one_thread():
        yield
