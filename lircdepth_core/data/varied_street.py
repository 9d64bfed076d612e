# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of varied streets: a new camera in each frame, with rendered depth and the sky as truth.

They are made for weights that leave the street. Their distribution is not that of StreetFrames: figures on the two
cannot be compared. As there, a frame depends on the source's arguments and its index alone.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.data.frame import Frame, rendered_truth
from lircdepth_core.data.street_lidar import lidar_maps
from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import RadarScan, project_scans, rasterize
from lircdepth_core.synthetic.render.threads import one_thread
from lircdepth_core.synthetic.sensors.camera import camera_frame
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import RADAR_SPREAD_S, CameraModel, LidarModel
from lircdepth_core.synthetic.sensors.scan_images import camera_from_sensor
from lircdepth_core.synthetic.sensors.varied_camera import (
    FOCAL_LENGTH_PX,
    SIZE,
    draw_camera,
    is_usable,
    moved_aside,
    photograph,
    radars_seeing,
)
from lircdepth_core.synthetic.world.varied.builder import build_varied_world
from lircdepth_core.synthetic.world.varied.style import UNSEEN, VARIED, Style
from lircdepth_core.synthetic.world.world import World

Key: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class _Split:
    """seed: what the streets' keys begin with, before the source's own seed where ``endless``. style: theirs."""

    seed: int
    style: Style
    endless: bool = False


VARIED_SPLITS = {
    "varied": _Split(31_337, VARIED, endless=True),
    # Fixed before anything was trained on varied streets; see style.UNSEEN.
    "unseen-val": _Split(710_000_003, UNSEEN),
    "unseen-test": _Split(910_000_003, UNSEEN),
}
_FRAMES_OF_A_STREET = 6
_FIRST_S, _LAST_S = 0.5, 19.5  # of a scene
_ATTEMPTS = 8  # at a view that nothing hides
_INSIDE = 1.02  # half sizes from the middle of a solid: closer than that, a camera is inside


@dataclass(frozen=True)
class _View:
    """camera: of a vehicle that stands ``aside`` metres to the left of its lane. time: [s]."""

    camera: CameraModel
    aside: float
    time: float


class VariedFrames:
    """Frames of a split of the varied streets, a source of frames (see data.frame) with "rendered" depth.

    split: "varied" to train on, "unseen-val" and "unseen-test" to measure, of another style. scale: of the nominal
    camera, 400x225 pixels with a focal length of 316.6 px. seed: of "varied". lidar: also "dense" and "single", what
    the vehicle's lidar tells, which leaves everything else as it is. Raises LircDepthError for another split.
    """

    def __init__(
        self,
        split: str,
        count: int,
        scale: float = 1.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
        lidar: bool = False,
    ) -> None:
        if split not in VARIED_SPLITS:
            raise LircDepthError(f"varied street split {split!r}: expected {', '.join(VARIED_SPLITS)}")
        self._split, self._count, self._scale, self._device = VARIED_SPLITS[split], count, scale, device
        self._key: Key = (self._split.seed, seed) if self._split.endless else (self._split.seed,)
        self.size = round(SIZE[0] * scale), round(SIZE[1] * scale)
        self.focal_length = FOCAL_LENGTH_PX * scale
        self._lidar = lidar
        self.description = f"varied synthetic street, {split}"
        if self._split.endless:
            self.description += f", seed {seed}"
        if lidar:
            self.description += ", with lidar"
        self._world: tuple[Key, World] | None = None  # the last one

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_world": None}  # whoever gets the source builds streets for itself

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame; the same for the same arguments, whatever the count is."""
        generator = np.random.default_rng((*self._key, 7, index))
        with one_thread():
            world = self._street(index // _FRAMES_OF_A_STREET)
            for _ in range(_ATTEMPTS):
                view = self._drawn(world, generator)
                picture = camera_frame(world, view.camera, view.time, self._device)
                if is_usable(picture.depth):
                    break
            image = photograph(picture.image.cpu().numpy(), generator, world.weather.jpeg)
            radar = self._radar(world, view, generator)
            lidar = self._lidar_maps(world, view, generator) if self._lidar else {}
        return {
            "image": torch.from_numpy(image).permute(2, 0, 1).contiguous(),
            "radar": torch.from_numpy(radar),
            "rendered": rendered_truth(picture.depth),
        } | lidar

    def _street(self, number: int) -> World:
        key = (*self._key, 5, number)
        if self._world is None or self._world[0] != key:
            self._world = key, build_varied_world(key, self._split.style)
        return self._world[1]

    def _drawn(self, world: World, generator: np.random.Generator) -> _View:
        """Return a view that no solid encloses, if one is found in a few attempts."""
        for _ in range(_ATTEMPTS):
            # Anywhere between the kerbs, sometimes on the pavement: near to walls and to what is parked.
            reach = (world.street.kerb if generator.random() < 0.75 else world.street.edge) - 0.4
            aside = 0.0 if generator.random() < 0.4 else float(generator.uniform(-reach, reach)) - world.ego_offset
            camera = moved_aside(draw_camera(generator, self._scale, self._split.style.bearings), aside)
            view = _View(camera, aside, float(generator.uniform(_FIRST_S, _LAST_S)))
            if not _is_inside(world, camera, view.time):
                break
        return view

    def _radar(self, world: World, view: _View, generator: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return the radar channels of all radars that look where the camera does."""
        camera, time = view.camera, view.time
        scans = []
        for radar in radars_seeing(camera, view.aside):
            scan_time = time + generator.uniform(-RADAR_SPREAD_S, 2 * RADAR_SPREAD_S)
            scan = RadarScan.from_pcd(radar_scan(world, radar, scan_time, generator, self._device))
            scans.append((scan, camera_from_sensor(world, camera, time, radar, scan_time)))
        returns = project_scans(scans, camera.intrinsics, camera.width, camera.height)
        return rasterize(*returns, camera.width, camera.height)

    def _lidar_maps(self, world: World, view: _View, generator: np.random.Generator) -> Frame:
        lidar, scale = moved_aside(LidarModel(), view.aside), self.size[1] / CameraModel().width
        return lidar_maps(world, view.camera, view.time, generator, scale, lidar, self._device)


def _is_inside(world: World, camera: CameraModel, time: float) -> bool:
    """Return whether the camera is within a solid, which would not be rendered, or within a vehicle or a person."""
    eye = (world.ego_pose(time) @ np.array(camera.ego_from_sensor))[:3, 3]
    scene = world.snapshot(time, eye).scene
    unit = -(scene.inverse @ scene.centre[:, :, None])[:, :, 0]  # the eye in the coordinates of the unit solids
    if bool((unit.abs() < _INSIDE).all(1).any()):
        return True
    position, yaw, _ = world.actors.at(time)
    beside = torch.as_tensor(eye) - position
    along = torch.cos(yaw) * beside[:, 0] + torch.sin(yaw) * beside[:, 1]
    across = torch.cos(yaw) * beside[:, 1] - torch.sin(yaw) * beside[:, 0]
    length, width, height = (_INSIDE * world.actors.size).unbind(1)
    annotated = torch.tensor([bool(category) for category in world.actors.category])
    within = (along.abs() < length / 2) & (across.abs() < width / 2) & (beside[:, 2] < height)
    return bool((within & annotated).any())
