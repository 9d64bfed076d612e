# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of several folders: one thread, the weights that ship, and frames of streets that they never saw."""

import pytest
import torch

from lircdepth_core.data.frame import prepare
from lircdepth_core.data.packed import PackedFrames, pack
from lircdepth_core.models import checkpoints


@pytest.fixture(scope="module")
def one_thread():
    """Small tensors gain nothing from more threads, and waiting for each other takes time from other processes.

    In float64 PyTorch computes a depthwise convolution channel by channel, and waits for its threads after each.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def network():
    return checkpoints.load("street")[0]


@pytest.fixture(scope="session")
def street_inputs(street_file):
    """Image [N, 3, H, W] and radar [N, 4, H, W] of streets that the weights never saw, as the network takes them."""
    street = PackedFrames(street_file)
    samples = [prepare(street.frame(index)) for index in range(0, len(street), 2)]
    return tuple(torch.stack([sample[name] for sample in samples]) for name in ("image", "radar"))


@pytest.fixture(scope="session")
def calibration_file(street_file, tmp_path_factory):
    """Frames to calibrate on, others than ``street_inputs``, as `lircdepth pack` writes them."""
    street = PackedFrames(street_file)

    class Others:
        focal_length, size, description = street.focal_length, street.size, "the others"

        def __len__(self):
            return len(street) // 2

        def frame(self, index):
            return street.frame(2 * index + 1)

    path = tmp_path_factory.mktemp("frames") / "others.safetensors"
    pack(Others(), path)
    return path
