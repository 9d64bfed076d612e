# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of the synthetic street: the one source for packed files, training, int8 calibration and benchmarks.

A frame depends on the source's arguments and its index alone. Any number of processes may therefore make frames in any
order, each of several GPUs may take its own indices, and a run that stopped goes on with any index.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.data.frame import Frame, rendered_truth
from lircdepth_core.data.street_lidar import lidar_maps
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.radar import RadarScan, project_scan, rasterize
from lircdepth_core.synthetic.render.threads import one_thread
from lircdepth_core.synthetic.sensors.camera import CameraFrame, camera_frame
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_core.synthetic.sensors.rig import RADAR_SPREAD_S, CameraModel, RadarModel
from lircdepth_core.synthetic.sensors.scan_images import camera_from_sensor
from lircdepth_core.synthetic.world.builder import build_world
from lircdepth_core.synthetic.world.splits import SPLITS
from lircdepth_core.synthetic.world.world import World

Key: TypeAlias = tuple[int, ...]

_TRAINING = "train"
USUAL_SPLITS = (_TRAINING, *SPLITS)
_FRAMES_OF_A_STREET = 4  # in training: building a street costs as much as several frames
_FIRST_S, _LAST_S = 1.0, 19.0  # of a scene
_SMALLEST_WINDOW_PIXELS = 32
_HORIZON_SHARE = 0.8  # of a window's height: the horizon is never lower, so that no window shows the sky alone


@dataclass(frozen=True)
class _Moment:
    """What a frame shows: a street, a camera and a time [s]; generator: of everything that is drawn for it."""

    world: World
    camera: CameraModel
    time: float
    generator: np.random.Generator


class StreetFrames:
    """Frames of a split of the street, a source of frames (see data.frame).

    split: "train" draws a new street for every four frames; "val" and "test" are the frozen scenes, the frames spread
    over each scene's duration. scale: of nuScenes' 1600x900 camera. seed: of "train". exact: also the rendered depth,
    "exact" float32 [1, H, W] metres, 0 for the sky, which evaluation wants and training must not see; by default for
    the frozen splits. window: (height, width) of a window of the picture, chosen anew for each frame; nothing else is
    drawn. None: the whole picture. rendered: the depth is "rendered", as of varied streets, and not what lidar tells.
    Raises LircDepthError for a split that does not exist and for a window that does not fit.
    """

    def __init__(
        self,
        split: str,
        count: int,
        scale: float = 0.5,
        seed: int = 0,
        exact: bool | None = None,
        device: torch.device | str = "cpu",
        window: tuple[int, int] | None = None,
        rendered: bool = False,
    ) -> None:
        if split not in USUAL_SPLITS:
            raise LircDepthError(f"street split {split!r}: expected {', '.join(USUAL_SPLITS)}")
        self.camera = CameraModel().scaled(scale)
        self.size, self.focal_length = self.camera.size, float(self.camera.fx)
        if window is not None:
            least, (height, width) = _SMALLEST_WINDOW_PIXELS, self.size
            if not (least <= window[0] <= height and least <= window[1] <= width):
                raise LircDepthError(f"window is {window}, expected (height, width) of {least} to {height}, {width}")
            self.size = window
        self._window = window
        self._split, self._specs, self._count, self._seed = split, SPLITS.get(split, ()), count, seed
        self._exact = split != _TRAINING if exact is None else exact
        self._scale, self._device, self._rendered = scale, device, rendered
        # The frozen frames depend on their count; those of training do not, so that a set of them may grow.
        which = f"seed {seed}" if split == _TRAINING else f"{count} frames"
        self.description = f"synthetic street, {split}, {which}"
        if rendered:
            self.description += ", rendered depth"
        self._world: tuple[Key, World] | None = None  # the last one

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_world": None}  # whoever gets the source builds streets for itself

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame; the same for the same arguments."""
        with one_thread():
            moment = self._moment(index)
            picture, frame = self._inputs(moment)
            if self._rendered:
                return frame | {"rendered": rendered_truth(picture.depth)}
            frame |= lidar_maps(
                moment.world, moment.camera, moment.time, moment.generator, self._scale, device=self._device
            )
        if self._exact:
            frame["exact"] = torch.where(torch.isfinite(picture.depth), picture.depth, 0.0).cpu()[None]
        return frame

    def inputs(self, index: int) -> Frame:
        """Return image and radar of frame ``index`` alone, which takes a fraction of the time."""
        with one_thread():
            return self._inputs(self._moment(index))[1]

    def pipeline_input(
        self, index: int
    ) -> tuple[npt.NDArray[np.uint8], Float64Array, list[tuple[RadarScan, Float64Array]]]:
        """Return frame ``index`` as a DepthPipeline takes it, see NuScenesFrames.pipeline_input."""
        with one_thread():
            moment = self._moment(index)
            picture, scan, transform = self._sensed(moment)
        return picture.image.cpu().numpy(), moment.camera.intrinsics, [(scan, transform)]

    def _sensed(self, moment: _Moment) -> tuple[CameraFrame, RadarScan, Float64Array]:
        """Return the picture, the radar scan that belongs to it, and camera_from_radar."""
        world, camera, time, generator = moment.world, moment.camera, moment.time, moment.generator
        picture = camera_frame(world, camera, time, self._device)
        radar = RadarModel()
        scan_time = time + generator.uniform(-RADAR_SPREAD_S, 2 * RADAR_SPREAD_S)
        scan = RadarScan.from_pcd(radar_scan(world, radar, scan_time, generator, self._device))
        return picture, scan, camera_from_sensor(world, camera, time, radar, scan_time)

    def _inputs(self, moment: _Moment) -> tuple[CameraFrame, Frame]:
        camera = moment.camera
        picture, scan, transform = self._sensed(moment)
        returns = project_scan(scan, transform, camera.intrinsics, camera.width, camera.height)
        channels = rasterize(*returns, camera.width, camera.height)
        return picture, {"image": picture.image.permute(2, 0, 1).cpu(), "radar": torch.from_numpy(channels)}

    def _moment(self, index: int) -> _Moment:
        if self._split == _TRAINING:
            key: Key = (self._seed, index // _FRAMES_OF_A_STREET)
            weather, difficulty = None, None
            time = float(np.random.default_rng((self._seed, index, 5)).uniform(_FIRST_S, _LAST_S))
        else:
            spec = self._specs[index % len(self._specs)]
            key, weather, difficulty = spec.seed, spec.weather, spec.difficulty
            rounds = -(-self._count // len(self._specs))
            time = _FIRST_S + (_LAST_S - _FIRST_S) * (index // len(self._specs) + 0.5) / rounds
        if self._world is None or self._world[0] != key:
            self._world = key, build_world(key, weather_name=weather, difficulty=difficulty)
        camera = self._windowed(np.random.default_rng((*key, 7, index)))
        return _Moment(self._world[1], camera, time, np.random.default_rng((*key, 6, index)))

    def _windowed(self, generator: np.random.Generator) -> CameraModel:
        """Return the camera, or the camera of a window of its picture that is drawn."""
        camera = self.camera
        if self._window is None:
            return camera
        height, width = self._window
        highest = int(np.clip(camera.cy - _HORIZON_SHARE * height, 0, camera.height - height))
        left = generator.integers(camera.width - width + 1)
        top = generator.integers(highest, camera.height - height + 1)
        return camera.cropped(int(left), int(top), width, height)
