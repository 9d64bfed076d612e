# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A street scene: what stands where at any time, as plain tensors.

Global coordinates: x east, y north, z up, metres; the carriageway is z = 0. Time is in seconds from the scene's start.
Everything is an *actor* (one rigid body: a car, a building, a pole) that owns one or more *parts*; all tensors are
float64 on the CPU. ``World.snapshot`` gives one moment in the form that ray casting takes.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.world.actors import Actors, Parts
from lircdepth_core.synthetic.world.road import Road, Street
from lircdepth_core.synthetic.world.scene import Scene, Snapshot
from lircdepth_core.synthetic.world.texture import Texture
from lircdepth_core.synthetic.world.weather import Weather

MAX_DURATION_S = 20.0  # the length of a nuScenes scene; every street is long enough for it
START_M = 60.0  # the ego vehicle's first position along the road
_RENDERED_RANGE_M = 320.0  # what stands farther from the sensor is not rendered
_SMALLEST_ANGLE_RAD = 4e-4  # what looks smaller is not rendered: half a pixel of the nominal camera


@dataclass(frozen=True)
class World:
    """One scene.

    weather: light and air. ego_speed: mean speed of the ego vehicle [m/s]. ego_phase: of its weaving [rad].
    ego_offset: its lane's offset from the centre line [m], negative on the right. lamps: period [m] of the street
    lamps along the road, 0 without lamps. number: makes the noise of one scene another than that of the next.
    texture: of all surfaces, None for what their materials show alone.
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
    texture: Texture | None = None
    _parts_by_device: dict[str, Parts] = field(default_factory=dict, repr=False, compare=False)

    @property
    def road(self) -> Road:
        """The main road."""
        return self.street.road

    def ego_pose(self, time: float) -> npt.NDArray[np.float64]:
        """Return the ego vehicle's pose at a time [s] as the 4x4 transform global_from_ego, at ground level."""
        # It keeps its lane with a gentle weave and a gentle change of speed, both smooth.
        s = START_M + self.ego_speed * time + 1.2 * (np.sin(0.5 * time + self.ego_phase) - np.sin(self.ego_phase))
        s_rate = self.ego_speed + 0.6 * np.cos(0.5 * time + self.ego_phase)
        d = self.ego_offset + 0.2 * np.sin(0.7 * time + self.ego_phase)
        d_rate = 0.14 * np.cos(0.7 * time + self.ego_phase)
        x, y, yaw = self.road.pose(s, d)
        yaw = yaw + np.arctan2(d_rate, s_rate * (1 - self.road.curvature * d))
        return geometry.rigid_transform((float(x), float(y), 0.0), (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)))

    def ego_motion(self, time: float) -> tuple[npt.NDArray[np.float64], float]:
        """Return the ego vehicle's velocity [3] in global axes [m/s] and its yaw rate [rad/s] at a time [s]."""
        step = 1e-3  # central difference: its error is below 1e-6 m/s for this trajectory
        before, after = self.ego_pose(time - step), self.ego_pose(time + step)
        turned = before[:3, :3].T @ after[:3, :3]
        yaw_rate = np.arctan2(turned[1, 0], turned[0, 0]) / (2 * step)
        return (after[:3, 3] - before[:3, 3]) / (2 * step), yaw_rate

    def snapshot(
        self, time: float, origin: npt.NDArray[np.float64], device: torch.device | str = "cpu", every: bool = False
    ) -> Snapshot:
        """Return what can be seen at a time [s] from ``origin`` [3] (global, metres).

        What is too far or too small to be seen is left out unless ``every`` is true.
        """
        parts = self._parts_on(device)
        position, yaw, _ = self.actors.at(time)
        relative = (position - torch.as_tensor(np.asarray(origin, dtype=np.float64))).to(device)
        cos, sin = torch.cos(yaw).to(device)[parts.owner], torch.sin(yaw).to(device)[parts.owner]
        x, y, z = parts.offset.unbind(1)
        centre = relative[parts.owner] + torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=1)
        if not every:
            away, size = centre.norm(dim=1), parts.half.norm(dim=1)
            seen = torch.nonzero((away < _RENDERED_RANGE_M + size) & (size > _SMALLEST_ANGLE_RAD * away))[:, 0]
            parts, centre, cos, sin = parts[seen], centre[seen], cos[seen], sin[seen]
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

    def _parts_on(self, device: torch.device | str) -> Parts:
        key = str(device)
        if key not in self._parts_by_device:
            self._parts_by_device[key] = self.parts.to(device)
        return self._parts_by_device[key]
