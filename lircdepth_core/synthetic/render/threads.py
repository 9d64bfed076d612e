# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One thread a frame: small tensor operations lose more by being split among threads than they gain."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[int]:
    """Let PyTorch use one CPU thread inside the block; give the number it had, for as many frames at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
