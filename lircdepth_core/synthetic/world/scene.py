# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One moment of a street as a sensor can meet it: solids around the sensor, in the form that ray casting takes."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.world.actors import Parts


@dataclass(frozen=True)
class Scene:
    """K solids and a horizontal plane, seen from a point.

    kind: [K], see primitives. centre: [K, 3] in metres. axes: [K, 3, 3], whose columns are the solid's own axes, as
    long as its half sizes. slopes: [K, 3]. float64, all on one device. ground: height of the plane above the point
    [m], -inf where there is none.
    """

    kind: torch.Tensor
    centre: torch.Tensor
    axes: torch.Tensor
    slopes: torch.Tensor
    ground: float

    @property
    def half(self) -> torch.Tensor:
        """Half sizes [K, 3]."""
        half: torch.Tensor = torch.linalg.vector_norm(self.axes, dim=1)
        return half

    @property
    def inverse(self) -> torch.Tensor:
        """The maps [K, 3, 3] from the sensor-centred frame to the unit shapes; the axes are orthogonal."""
        return (self.axes / self.axes.square().sum(1, keepdim=True)).transpose(1, 2)

    def seen_from(self, shift: torch.Tensor) -> "Scene":
        """Return the scene without its ground, seen from a point that lies at ``shift`` [3] (float64)."""
        return replace(self, centre=self.centre - shift, ground=-torch.inf)


@dataclass(frozen=True)
class Snapshot:
    """What one sensor can meet at one moment.

    scene: its solids, sensor-centred. parts: their rows of the world's Parts. origin: [3], the sensor in global
    coordinates [m].
    """

    scene: Scene
    parts: Parts
    origin: npt.NDArray[np.float64]

    def actor(self, primitive: torch.Tensor) -> torch.Tensor:
        """Return the actors [...] of primitives [...], -1 for ground and sky."""
        actor, met = torch.full_like(primitive, -1), primitive >= 0
        actor[met] = self.parts.owner[primitive[met]]
        return actor
