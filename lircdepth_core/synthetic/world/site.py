# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A street under construction: what has been placed so far, and ways to place more of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.world.actors import Actors, Parts
from lircdepth_core.synthetic.world.parts import Drawing, Part, extent
from lircdepth_core.synthetic.world.road import KERB_HEIGHT_M, Street
from lircdepth_core.synthetic.world.world import MAX_DURATION_S, START_M

_EGO_RADIUS_M = 5.0  # the circle around the ego vehicle that movers stay clear of
_CHECK_PERIOD_S = 0.2


class Motion(NamedTuple):
    """Where a mover is at time 0 (global, metres, radians) and how it moves on.

    speed: along its yaw [m/s]. turn_rate: [rad/s]. radius: of a circle around its footprint [m].
    """

    x: float
    y: float
    yaw: float
    speed: float
    turn_rate: float
    radius: float

    def places(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return where it is at times [T]: [T, 2], metres."""
        half_turn = 0.5 * self.turn_rate * times
        chord = self.speed * times * np.sinc(half_turn / np.pi)
        return np.stack(
            [self.x + chord * np.cos(self.yaw + half_turn), self.y + chord * np.sin(self.yaw + half_turn)], axis=1
        )


class Placed(NamedTuple):
    """An actor of the street, see actors.Actors."""

    category: str
    attribute: str
    size: tuple[float, float, float]
    position: tuple[float, float, float]
    yaw: float
    speed: float
    turn_rate: float
    rcs: float


class Site:
    """Collects the actors of one street.

    setting: town, suburb or arterial. density: how much traffic and how many people, 1 is usual. random: every draw
    that fills the street comes from it, so that the order in which the street is filled is part of what a seed means.
    """

    def __init__(self, street: Street, setting: str, density: float, random: np.random.Generator) -> None:
        self.street, self.setting, self.density, self.random = street, setting, density, random
        self.road = street.road
        self.actors: list[Placed] = []
        self.parts: list[tuple[int, Part]] = []  # with the index of the actor
        self.movers: list[Motion] = []
        self.lamp_period = 0.0  # metres along the road, 0 without street lamps
        self.ego_speed = random.uniform(9.0, 14.5) if setting == "arterial" else random.uniform(5.5, 10.5)
        self.ego_lane = int(random.integers(street.lanes))

    @property
    def ego_offset(self) -> float:
        """The ego vehicle's lane: distance left of the centre line [m]."""
        return -self.street.lane_centre(self.ego_lane)

    def place(
        self,
        x: float,
        y: float,
        yaw: float,
        drawing: Drawing,
        attribute: str = "",
        speed: float = 0.0,
        turn_rate: float = 0.0,
        z: float = 0.0,
    ) -> None:
        """Add an actor; the origin of the drawing's frame comes to (x, y, z)."""
        low, high = extent(drawing.parts)
        middle = (low + high)[:2] / 2
        c, s = np.cos(yaw), np.sin(yaw)
        position = (x + c * middle[0] - s * middle[1], y + s * middle[0] + c * middle[1], z)
        shift = np.array((*middle, 0.0))
        self.parts += [
            (len(self.actors), part._replace(offset=tuple(np.subtract(part.offset, shift)))) for part in drawing.parts
        ]
        length, width = (high - low)[:2]
        size = (length, width, high[2])
        self.actors.append(Placed(drawing.category, attribute, size, position, yaw, speed, turn_rate, drawing.rcs))
        if speed:
            self.movers.append(Motion(*position[:2], yaw, speed, turn_rate, np.hypot(length, width) / 2))

    def along(
        self,
        s: float,
        d: float,
        drawing: Drawing,
        turn: float = 0.0,
        z: float | None = None,
        attribute: str = "",
        speed: float = 0.0,
        turn_rate: float = 0.0,
    ) -> None:
        """Add an actor at (s, d) of the road, turned by ``turn`` against it.

        z: its height; None means that of the pavement where there is one.
        """
        x, y, yaw = self.road.pose(s, d)
        if z is None:
            z = KERB_HEIGHT_M * (self.street.kerb <= abs(d) <= self.street.edge)
        self.place(float(x), float(y), float(yaw + turn), drawing, attribute, speed, turn_rate, z)

    def facing(self, s: float, d: float, drawing: Drawing, z: float | None = None) -> None:
        """Add something that faces the road."""
        self.along(s, d, drawing, 0.0 if d > 0 else np.pi, z)

    def drive(self, s: float, d: float, drawing: Drawing, attribute: str, speed: float, against: bool = False) -> None:
        """Add a vehicle that follows the road at a speed [m/s], or comes against it."""
        rate = speed * self.road.curvature / (1 - self.road.curvature * d) * (-1 if against else 1)
        self.along(s, d, drawing, np.pi if against else 0.0, 0.0, attribute, speed, rate)

    def blocks(self, margin: float) -> list[tuple[float, float]]:
        """Return the intervals of s between junctions, ``margin`` metres from the middle of each crossing street."""
        borders = [0.0, *(s + side * margin for s in self.street.junctions for side in (-1, 1)), self.road.length]
        return [(a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if b - a > 1]

    def is_free(self, candidate: Motion, clearance: float = 2.0) -> bool:
        """Return whether a mover stays ``clearance`` metres from all others and the ego vehicle during the scene."""
        times = np.arange(-1.0, MAX_DURATION_S + 2, _CHECK_PERIOD_S)
        own = candidate.places(times)
        ego = np.stack(self.road.pose(START_M + self.ego_speed * times, self.ego_offset)[:2], axis=1)
        if (np.linalg.norm(own - ego, axis=1) < candidate.radius + _EGO_RADIUS_M + clearance).any():
            return False
        return all(
            (np.linalg.norm(own - other.places(times), axis=1) > candidate.radius + other.radius + clearance).all()
            for other in self.movers
        )

    def parked_near(self, s: float, d: float) -> bool:
        """Return whether a parked vehicle stands where something at (s, d) would stand."""
        x, y, _ = self.road.pose(s, d)
        return any(
            actor.attribute == "vehicle.parked" and np.hypot(actor.position[0] - x, actor.position[1] - y) < 3.2
            for actor in self.actors
        )

    def columns(self) -> tuple[Actors, Parts]:
        """Return everything that was placed."""
        category, attribute, *numbers = zip(*self.actors, strict=True)
        owners, parts = zip(*self.parts, strict=True)
        kind, offset, half, rotation, slopes, colour, material, variant = zip(*parts, strict=True)
        return Actors(category, attribute, *map(_reals, numbers)), Parts(
            torch.tensor(owners),
            torch.tensor(kind),
            _reals(offset),
            _reals(half),
            _reals(rotation),
            _reals(slopes),
            _reals(colour).clamp(0, 1),
            torch.tensor([int(number) for number in material]),
            _reals(variant),
        )


def _reals(values: Sequence[object]) -> torch.Tensor:
    return torch.as_tensor(np.array(values, dtype=np.float64))
