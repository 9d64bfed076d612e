# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A street scene: what stands where at any time, as plain tensors.

Global coordinates: x east, y north, z up, metres; the carriageway is z = 0. Time is in seconds from the scene's start.
Everything is an *actor* (one rigid body: a car, a building, a pole) that owns one or more *parts*; all tensors are
float64 on the CPU. ``World.snapshot`` is what ray casting needs of one moment.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.world.road import Street
from lircdepth_core.synthetic.world.scene import Scene
from lircdepth_core.synthetic.world.weather import Weather

MAX_DURATION = 20.0  # seconds: the length of a nuScenes scene, and what the street is long enough for
START = 60.0  # the ego vehicle's first position along the road
_FAR = 320.0  # metres: what stands farther from the sensor is not rendered
_SMALL = 4e-4  # radians: nor is what would look smaller, half a pixel of the nominal camera


@dataclass(frozen=True)
class Actors:
    """A rigid bodies; each moves at constant speed and turn rate (0 for what stands).

    category, attribute: A strings, nuScenes names ("" for scenery, which is not annotated); size [A, 3] length,
    width, height [m]; position [A, 3] of the footprint's centre at time 0, yaw [A], speed [A] (along yaw, m/s) and
    yaw_rate [A] (rad/s); rcs [A] mean radar cross section [dBsm].
    """

    category: tuple
    attribute: tuple
    size: torch.Tensor
    position: torch.Tensor
    yaw: torch.Tensor
    speed: torch.Tensor
    yaw_rate: torch.Tensor
    rcs: torch.Tensor

    def at(self, time):
        """Return position [A, 3] (centre of the footprint), yaw [A] and velocity [A, 3] at a time [s]."""
        half_turn = 0.5 * self.yaw_rate * time
        chord = self.speed * time * torch.sinc(half_turn / torch.pi)
        middle = self.yaw + half_turn
        zero = torch.zeros_like(chord)
        moved = torch.stack([chord * torch.cos(middle), chord * torch.sin(middle), zero], dim=1)
        yaw = self.yaw + self.yaw_rate * time
        velocity = torch.stack([self.speed * torch.cos(yaw), self.speed * torch.sin(yaw), zero], dim=1)
        return self.position + moved, yaw, velocity


@dataclass(frozen=True)
class Parts:
    """The K solids that the actors are made of: see parts.Part, one row each.

    owner [K] index of the actor; kind [K]; offset [K, 3]; half [K, 3]; rotation [K, 3, 3] (columns are the part's
    axes in the actor's frame); slopes [K, 3]; colour [K, 3] in 0..1; material [K]; variant [K].
    """

    owner: torch.Tensor
    kind: torch.Tensor
    offset: torch.Tensor
    half: torch.Tensor
    rotation: torch.Tensor
    slopes: torch.Tensor
    colour: torch.Tensor
    material: torch.Tensor
    variant: torch.Tensor

    def to(self, device):
        return Parts(*(values.to(device) for values in vars(self).values()))


@dataclass(frozen=True)
class Snapshot:
    """What one sensor can meet at one moment. scene: its solids, sensor-centred. parts: their rows of the world's
    Parts.
    origin [3]: the sensor in global coordinates.
    """

    scene: Scene
    parts: Parts
    origin: np.ndarray

    def actor(self, primitive):
        """Return the actors [...] of primitives [...], -1 for ground and sky."""
        return torch.where(primitive >= 0, self.parts.owner[primitive.clamp(min=0)], -1)


@dataclass(frozen=True)
class World:
    """One scene. weather: see weather.Weather. ego_speed: mean speed of the ego vehicle [m/s]; ego_offset: its lane's
    offset from the centre line [m], negative on the right. lamps: period [m] of the street lamps along the road, 0 for
    none. number: distinguishes the noise of one scene from another's.
    """

    street: Street
    actors: Actors
    parts: Parts
    weather: Weather
    ego_speed: float
    ego_phase: float
    ego_offset: float
    lamps: float = 0.0
    number: int = 0
    difficulty: str = "medium"
    _cache: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def road(self):
        return self.street.road

    def ego_pose(self, time):
        """Return the ego vehicle's pose at a time [s] as the 4x4 transform global_from_ego, at ground level."""
        # Keeps its lane with a gentle weave and a gentle change of speed, both smooth.
        s = START + self.ego_speed * time + 1.2 * (np.sin(0.5 * time + self.ego_phase) - np.sin(self.ego_phase))
        s_rate = self.ego_speed + 0.6 * np.cos(0.5 * time + self.ego_phase)
        d = self.ego_offset + 0.2 * np.sin(0.7 * time + self.ego_phase)
        d_rate = 0.14 * np.cos(0.7 * time + self.ego_phase)
        x, y, yaw = self.road.pose(s, d)
        yaw = yaw + np.arctan2(d_rate, s_rate * (1 - self.road.curvature * d))
        return geometry.rigid_transform((x, y, 0.0), (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)))

    def ego_motion(self, time):
        """Return the ego vehicle's velocity [3] in global axes [m/s] and its yaw rate [rad/s] at a time [s]."""
        step = 1e-3  # central difference: its error is below 1e-6 m/s for this trajectory
        before, after = self.ego_pose(time - step), self.ego_pose(time + step)
        turned = before[:3, :3].T @ after[:3, :3]
        yaw_rate = np.arctan2(turned[1, 0], turned[0, 0]) / (2 * step)
        return (after[:3, 3] - before[:3, 3]) / (2 * step), yaw_rate

    def snapshot(self, time, origin, device="cpu", every=False):
        """Return what can be seen at a time [s] from ``origin`` [3] (global, metres) as a Snapshot.

        What is too far or too small to be seen is left out unless ``every`` is true.
        """
        parts = self._on(device)
        position, yaw, _ = self.actors.at(time)
        relative = (position - torch.as_tensor(np.asarray(origin, dtype=np.float64))).to(device)
        cos, sin = torch.cos(yaw).to(device)[parts.owner], torch.sin(yaw).to(device)[parts.owner]
        x, y, z = parts.offset.unbind(1)
        centre = relative[parts.owner] + torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=1)
        if not every:
            away, size = centre.norm(dim=1), parts.half.norm(dim=1)
            index = torch.nonzero((away < _FAR + size) & (size > _SMALL * away))[:, 0]
            parts, centre, cos, sin = (
                Parts(*(v[index] for v in vars(parts).values())),
                centre[index],
                cos[index],
                sin[index],
            )
        axes = parts.rotation * parts.half[:, None]
        axes = torch.stack(
            [
                cos[:, None] * axes[:, 0] - sin[:, None] * axes[:, 1],
                sin[:, None] * axes[:, 0] + cos[:, None] * axes[:, 1],
                axes[:, 2],
            ],
            dim=1,
        )
        scene = Scene(parts.kind, centre, axes, parts.slopes, -float(origin[2]))
        return Snapshot(scene, parts, np.asarray(origin, dtype=np.float64))

    def _on(self, device):
        key = str(device)
        if key not in self._cache:
            self._cache[key] = self.parts.to(device)
        return self._cache[key]
