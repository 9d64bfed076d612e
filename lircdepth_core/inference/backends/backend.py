# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What every inference backend is."""

import importlib
import os
import resource
from collections import OrderedDict
from pathlib import Path

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.lircdepth import check_input_size

_ENGINES = 2  # sizes that are kept ready


def library(name):
    """Return an optional package. Raises LircDepthError when it is not installed or does not load."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LircDepthError(f"the package {name} is needed: {error}") from error


class Backend:
    """Depth from image and radar on one device.

    device: torch.device where ``infer`` takes and returns tensors (it moves what lies elsewhere). Engines are made for
    one (N, H, W) when it is first asked for; the two used last are kept. ``infer`` is to be called by the thread that
    called ``warm_up``. A subclass gives ``_build`` and ``_title``.
    """

    def __init__(self, device):
        self.device = device
        self._engines = OrderedDict()

    def _build(self, size):
        """Return a function (image, radar) -> depth for tensors of size (N, H, W) on the device."""
        raise NotImplementedError

    @torch.inference_mode()
    def infer(self, image, radar):
        """Return depth float32 [N, 1, H, W] in metres, on the device; image and radar as LiRCDepth.forward takes them.

        The result is the caller's. Raises ValueError for sizes that the network cannot take.
        """
        check_input_size(image, radar)
        size = (image.shape[0], *image.shape[2:])
        if size not in self._engines:
            while len(self._engines) >= _ENGINES:
                self._engines.popitem(last=False)
            self._engines[size] = self._build(size)
        self._engines.move_to_end(size)
        return self._engines[size](image.to(self.device), radar.to(self.device))

    def warm_up(self, height, width, batch=1):
        """Run once at a size, so that the first real frame does not pay for compilation and lazy initialisation."""
        self.infer(torch.zeros(batch, 3, height, width), torch.zeros(batch, 4, height, width))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def leaves_a_core(self):
        """Return whether this process has a CPU core on which the network does not run."""
        return self.device.type != "cpu" or torch.get_num_threads() < len(os.sched_getaffinity(0))

    def memory(self):
        """Return the bytes in use: on a GPU by tensors, on a CPU by the process."""
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def release(self):
        """Free the network and what the device keeps for it."""
        self._engines.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def describe(self):
        """Return one line for logs and diagnostics."""
        where = f"CPU, {torch.get_num_threads()} threads" if self.device.type == "cpu" else str(self.device)
        return f"{self._title} on {where}"
