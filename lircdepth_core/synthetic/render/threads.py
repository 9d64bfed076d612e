# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One thread a frame: small tensor operations lose more by sharing the cores than they gain."""

from contextlib import contextmanager

import torch


@contextmanager
def one_thread():
    """Let PyTorch work with one CPU thread inside; gives the number that it had, for use at a coarser level."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
