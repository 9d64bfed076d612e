# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in bfloat16 or float16, with float32 where few bits do not suffice."""

import copy

import torch
from torch import Tensor, nn

from lircdepth_core.inference.graph import rewriting


def reduced(network: nn.Module, precision: str) -> nn.Module:
    """Return a module that computes ``network`` in a precision, with float32 inputs and outputs.

    network: returns depth alone, see rewriting. precision: float32 (the network itself), bfloat16 or float16.
    The last convolution stays in float32, since its result times 100 is depth in metres. With bfloat16 the modules that
    rewriting.SENSITIVE names stay in float32, too.
    """
    if precision == "float32":
        return network
    return _Reduced(network, getattr(torch, precision))


class _Reduced(nn.Module):
    """A copy of a network in another dtype, some modules of which stay in float32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.network = copy.deepcopy(network).to(dtype)
        modules = dict(network.named_modules())  # of the original, whose weights were never rounded
        sensitive = rewriting.SENSITIVE if dtype == torch.bfloat16 else ()
        output_dtypes = {name: dtype for name in sensitive if name in modules}
        *_, last = (name for name, layer in modules.items() if isinstance(layer, nn.Conv2d))
        for name, output_dtype in (output_dtypes | {last: torch.float32}).items():
            self.network.set_submodule(name, _InFloat32(copy.deepcopy(modules[name]), output_dtype))

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        depth: Tensor = self.network(image.to(self.dtype), radar.to(self.dtype))
        return depth.float()


class _InFloat32(nn.Module):
    """A layer that is computed in float32; its result has another dtype."""

    def __init__(self, layer: nn.Module, output_dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.output_dtype = layer, output_dtype

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x.float())
        return result.to(self.output_dtype)
