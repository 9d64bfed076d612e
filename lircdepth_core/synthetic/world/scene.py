# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The solids of one moment, as ray casting takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Scene:
    """K solids and a horizontal plane, seen from a point.

    kind [K]: see primitives. centre [K, 3] in metres; axes [K, 3, 3]: columns are the solid's own axes, as long as its
    half sizes; slopes [K, 3]. float64, one device. ground: height of the plane above the point [m], or -inf for none.
    """

    kind: torch.Tensor
    centre: torch.Tensor
    axes: torch.Tensor
    slopes: torch.Tensor
    ground: float

    @property
    def half(self):
        """Half sizes [K, 3]."""
        return self.axes.norm(dim=1)

    @property
    def inverse(self):
        """[K, 3, 3], from the sensor-centred frame to the unit shapes: the axes are orthogonal."""
        return (self.axes / self.axes.square().sum(1, keepdim=True)).transpose(1, 2)

    def seen_from(self, shift):
        """Return the scene without its ground, seen from a point that lies at ``shift`` [3] (float64)."""
        return replace(self, centre=self.centre - shift, ground=-torch.inf)
