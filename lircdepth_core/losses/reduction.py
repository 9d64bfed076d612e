# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Means over valid pixels, which are right also when a batch is spread over several processes."""

import torch
from torch import Tensor, distributed


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``mask`` is true, or 0 when it is nowhere; other values may be anything.

    In a distributed run the divisor |Omega| is the mean of all ranks' counts: DDP averages the ranks' gradients, and
    with it the result is the gradient of one process over the whole batch.
    """
    count = mask.sum(dtype=torch.float64 if values.dtype == torch.float64 else torch.float32)
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        count = count / distributed.get_world_size()
    # A mean count below one is possible (one pixel on one of two ranks), so that only a count of zero is replaced.
    total = torch.where(mask, values, torch.zeros_like(values)).sum()
    return total / torch.where(count > 0, count, torch.ones_like(count))
