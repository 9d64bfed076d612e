# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The interface of every inference backend."""

import os
import resource
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from lircdepth_core.models.common.interface import check_input_size

_SIZES_KEPT = 2  # sizes of input whose engines stay in memory

InputSize: TypeAlias = tuple[int, int, int]  # (N, H, W)
Engine: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # image and radar of one size to depth, all on the device


class Backend(ABC):
    """Depth from image and radar on one device, as the pipeline asks for it.

    device: where ``infer`` takes and returns tensors; it moves tensors that lie elsewhere. The thread that calls
    ``infer`` must be the one that called ``warm_up``.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def infer(self, image: Tensor, radar: Tensor) -> Tensor:
        """Return depth float32 [N, 1, H, W] in metres, on the device; image and radar as LiRCDepth.forward takes them.

        No later call changes the result. Raises ValueError for sizes that the network cannot take.
        """

    def warm_up(self, height: int, width: int, batch: int = 1) -> None:
        """Run once at a size, so that the first real frame does not pay for compilation and lazy initialisation."""
        self.infer(torch.zeros(batch, 3, height, width), torch.zeros(batch, 4, height, width))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def keep_sizes(self, number: int) -> None:  # noqa: B027  a backend without engines keeps nothing
        """Say how many sizes of input come in turns, (N, H, W) each: what is made for them stays in memory."""

    def leaves_a_core(self) -> bool:
        """Return whether this process has a CPU core on which the network does not run."""
        return self.device.type != "cpu" or torch.get_num_threads() < len(os.sched_getaffinity(0))

    def memory(self) -> int:
        """Return the bytes in use: on a GPU by tensors, on a CPU by the process."""
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    @abstractmethod
    def release(self) -> None:
        """Free the network and the memory that the device keeps for it."""

    @abstractmethod
    def describe(self) -> str:
        """Return one line for logs and diagnostics."""


class EngineBackend(Backend):
    """A backend with an engine for each size of input.

    An engine is made when its size first comes; those of the sizes that were used last are kept, two of them unless
    ``keep_sizes`` asks for more. A subclass gives ``_build``, and
    in ``_title`` its library, version and precision.
    """

    _title: str

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._engines: OrderedDict[InputSize, Engine] = OrderedDict()
        self._sizes_kept = _SIZES_KEPT

    @abstractmethod
    def _build(self, size: InputSize) -> Engine:
        """Return the engine for tensors of a size on the device."""

    def keep_sizes(self, number: int) -> None:
        """Keep the engines of this many sizes, see Backend.keep_sizes; never fewer than two."""
        self._sizes_kept = max(number, _SIZES_KEPT)

    @torch.inference_mode()
    def infer(self, image: Tensor, radar: Tensor) -> Tensor:
        """Return depth, see Backend.infer."""
        check_input_size(image, radar)
        size = (image.shape[0], image.shape[2], image.shape[3])
        if size not in self._engines:
            while len(self._engines) >= self._sizes_kept:
                self._engines.popitem(last=False)
            self._engines[size] = self._build(size)
        self._engines.move_to_end(size)
        return self._engines[size](image.to(self.device), radar.to(self.device))

    def release(self) -> None:
        """Free the engines and the memory that the device keeps for them."""
        self._engines.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def describe(self) -> str:
        """Return one line for logs and diagnostics: the title, and the device."""
        where = f"CPU, {torch.get_num_threads()} threads" if self.device.type == "cpu" else str(self.device)
        return f"{self._title} on {where}"
