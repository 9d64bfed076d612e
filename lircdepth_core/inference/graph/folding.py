# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Linear layers put together: batch norms into convolutions, two 1x1 convolutions into one."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


def fold_batch_norms(module: _Module) -> _Module:
    """Fold each batch norm that directly follows a convolution in an nn.Sequential into it, in place; return module."""
    for child in module.children():
        fold_batch_norms(child)
    if isinstance(module, nn.Sequential):
        layers: list[nn.Module] = []
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
                layers[-1] = folded(layers[-1], layer)
            else:
                layers.append(layer)
        # The container stays, since torchvision's Conv2dNormActivation cannot be made from given layers.
        for name in list(module._modules):
            del module._modules[name]
        for index, layer in enumerate(layers):
            module.add_module(str(index), layer)
    return module


def folded(convolution: nn.Module, norm: nn.Module) -> nn.Conv2d | nn.ConvTranspose2d:
    """Return a copy of a convolution with the running statistics of the batch norm behind it.

    A transposed convolution must be depthwise. Raises TypeError for other layers.
    """
    if not isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d) or not isinstance(norm, nn.BatchNorm2d):
        raise TypeError(f"cannot fold {type(norm).__name__} into {type(convolution).__name__}")
    if norm.running_mean is None or norm.running_var is None:
        raise TypeError("cannot fold a batch norm without running statistics")
    factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    result = copy.deepcopy(convolution)
    dtype = convolution.weight.dtype
    weight = (
        convolution.weight.double() * factor[:, None, None, None]
    )  # a depthwise weight has one row for each channel
    bias = norm.bias.double() - norm.running_mean.double() * factor
    if convolution.bias is not None:
        bias = bias + convolution.bias.double() * factor
    result.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    result.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return result


def as_convolution(layer: nn.Module) -> nn.Module:
    """Return a transposed convolution of stride 1, dense or depthwise, as a convolution; any other layer as it is."""
    if not isinstance(layer, nn.ConvTranspose2d) or layer.stride != (1, 1) or isinstance(layer.padding, str):
        return layer
    weight = layer.weight.detach().flip(2, 3)
    if layer.groups == 1:
        weight = weight.transpose(0, 1)
    (height, width), (rows, columns) = layer.kernel_size, layer.padding
    padding = (height - 1 - rows, width - 1 - columns)
    return convolution_of(weight.contiguous(), layer.bias, weight.dtype, padding=padding, groups=layer.groups)


def product(second: nn.Conv2d, first: nn.Conv2d) -> nn.Conv2d:
    """Return the 1x1 convolution that does what ``second`` does after ``first``.

    The result of ``first`` is the leading channels that ``second`` reads.
    """
    if first.bias is None:
        raise ValueError("the first convolution has no bias, expected one with a batch norm in it")
    weight = second.weight.double()[:, :, 0, 0]
    read, rest = weight[:, : first.out_channels], weight[:, first.out_channels :]
    merged = torch.cat([read @ first.weight.double()[:, :, 0, 0], rest], dim=1)
    bias = read @ first.bias.double() + (0 if second.bias is None else second.bias.double())
    return convolution_of(merged[:, :, None, None], bias, second.weight.dtype)


def convolution_of(
    weight: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
) -> nn.Conv2d:
    """Return a convolution with a given weight [out, in / groups, h, w] and bias [out], which need no gradient."""
    kernel_size = (weight.shape[2], weight.shape[3])
    made = nn.Conv2d(weight.shape[1] * groups, weight.shape[0], kernel_size, stride, padding, groups=groups)
    made.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    made.bias = None if bias is None else nn.Parameter(bias.to(dtype), requires_grad=False)
    return made
