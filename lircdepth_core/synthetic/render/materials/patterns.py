# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Procedural patterns, averaged over the width that a ray stands for, so that fine ones do not alias.

``width`` is that width in the pattern's own units, [N]. All functions take and return float32 [N].
"""

from typing import TypeAlias

import torch

Bound: TypeAlias = float | torch.Tensor


def band(x: torch.Tensor, low: Bound, high: Bound, width: torch.Tensor) -> torch.Tensor:
    """Return the part of [x - width/2, x + width/2] that lies between low and high: an interval, box-filtered."""
    width = width.clamp(min=1e-4)
    half = width / 2
    upper = torch.minimum(x + half, high) if isinstance(high, torch.Tensor) else (x + half).clamp(max=high)
    lower = torch.maximum(x - half, low) if isinstance(low, torch.Tensor) else (x - half).clamp(min=low)
    return (upper - lower).div_(width).clamp_(0, 1)


def stripes(x: torch.Tensor, period: float, duty: Bound, width: torch.Tensor) -> torch.Tensor:
    """Return the box-filtered pulse train that is 1 on [0, duty) of every period: its integral in closed form."""
    width = (width / period).clamp(min=1e-4)
    x = x / period

    def integral(phase: torch.Tensor) -> torch.Tensor:
        whole = torch.floor(phase)
        return whole * duty + (phase - whole).clamp_(max=duty)

    return (integral(x + width / 2) - integral(x - width / 2)) / width


def scramble(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return 16 pseudo-random bits for pairs of int32: the same on every device, which a sine's digits are not."""
    value = a * 374761393 + b * 668265263  # wraps around
    value = (value ^ (value >> 13)) * 1274126177
    return (value ^ (value >> 16)) & 0xFFFF


def chance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a pseudo-random number in 0..1 for each pair of whole numbers (float32 [N])."""
    return scramble(a.to(torch.int32), b.to(torch.int32)).to(torch.float32) / 65535


def noise(x: torch.Tensor, y: torch.Tensor, cell: float, width: torch.Tensor) -> torch.Tensor:
    """Return smooth noise in -1..1 with features of ``cell``, fading out where the footprint is as wide."""
    x, y = x / cell, y / cell
    column, row = torch.floor(x), torch.floor(y)
    a, b = x - column, y - row
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    column, row = column.to(torch.int32), row.to(torch.int32)
    lower = torch.lerp(scramble(column, row).float(), scramble(column + 1, row).float(), a)
    upper = torch.lerp(scramble(column, row + 1).float(), scramble(column + 1, row + 1).float(), a)
    value = torch.lerp(lower, upper, b).mul_(1 / 32767.5).sub_(1)
    return value * (1 - width / cell).clamp_(min=0)


def mix(colour: torch.Tensor, paint: tuple[float, float, float] | torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Return ``colour`` [N, 3] with a share [N] of it replaced by ``paint`` (RGB, or [N, 3])."""
    paint = paint if isinstance(paint, torch.Tensor) else colour.new_tensor(paint)
    return torch.lerp(colour, paint.expand_as(colour), share[:, None])
