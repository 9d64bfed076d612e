# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in eager PyTorch."""

import torch
from torch import Tensor, nn

from lircdepth_core.inference.backends.backend import Engine, EngineBackend, InputSize
from lircdepth_core.inference.device import choose_device, keep_freed_memory
from lircdepth_core.inference.graph.precision import reduced


class PyTorchBackend(EngineBackend):
    """Runs a module in eager PyTorch.

    network: LiRCDepth, or a module that returns depth alone, as rewriting.rewritten gives it; in eval mode.
    precision: float32, bfloat16 or float16, in which everything but the last convolution is computed. Activations are
    laid out channels-last, in which convolutions are fastest, on CPU and GPU.
    """

    def __init__(self, network: nn.Module, device: str | torch.device = "auto", precision: str = "float32") -> None:
        super().__init__(choose_device(device))
        if self.device.type == "cpu":
            keep_freed_memory()
        else:
            torch.backends.cudnn.benchmark = True  # inputs have few sizes, and each comes often
        network = reduced(network.eval(), precision)
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self._network: nn.Module | None = network
        self._title = f"PyTorch {torch.__version__} eager {precision}"

    @property
    def network(self) -> nn.Module:
        """The module that runs. Raises RuntimeError when it was released."""
        if self._network is None:
            raise RuntimeError("this backend was released")
        return self._network

    def _build(self, size: InputSize) -> Engine:
        return self._run

    def _run(self, image: Tensor, radar: Tensor) -> Tensor:
        image, radar = (value.contiguous(memory_format=torch.channels_last) for value in (image, radar))
        output = self.network(image, radar)
        depth: Tensor = getattr(output, "depth", output)
        return depth

    def release(self) -> None:
        """Free the network and the memory that the device keeps for it."""
        self._network = None
        super().release()
