# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of a bag as a scene in a browser on one's own machine, by viser."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import DepthScale, Picture, colorize, colorize_error
from lircdepth_core.packages import import_package
from lircdepth_ros.viewing.frames import Moment, Transform, ViewFrame

CAMERA, DEPTH = "the camera's image", "depth"
PLAIN, ERROR = "plain", "error of the depth"
_FRUSTUM_M = 1.5
_POINT_M, _LIDAR_POINT_M, _RETURN_M = 0.05, 0.06, 0.5
_PICTURE_WIDTH = 800  # pixels: of the picture in the frustum
_LIDAR_RGB, _MOTION_RGB = (120, 120, 120), (214, 39, 40)
_ARROWS = {"shaft_radius": 0.05, "head_radius": 0.15, "head_length": 0.3}  # metres
# Grey of labels on white: viser's own has a contrast of 3.3, its theme cannot change it, and WCAG AA asks for 4.5.
_STYLE = "<style>:root[data-mantine-color-scheme] { --mantine-color-dimmed: #545b62; }</style>"
_BEHIND_M = 12.0  # of the eye behind the camera, and above it
_ABOVE_M = 6.0


class BrowserView:
    """A server whose page shows one frame at a time, with a slider over time.

    shown: in order. scale: of the depth's colours; what is beyond it is not shown. host, port: 127.0.0.1 keeps it on
    this machine. Raises LircDepthError where viser is missing.
    """

    def __init__(self, shown: Sequence[Moment], scale: DepthScale, host: str, port: int) -> None:
        viser = import_package("viser")
        try:
            self.server = viser.ViserServer(host=host, port=port, label="lircdepth", verbose=False)
        except OSError as error:
            raise LircDepthError(f"port {port} of {host} cannot be served: {error.strerror or error}") from error
        self._shown, self._scale = shown, scale
        self._start = shown[0].first.stamp
        self._handles: list[Any] = []
        self._add_controls()
        self.server.scene.set_up_direction("+z")
        self.server.initial_camera.position = (-_BEHIND_M, 0.0, _ABOVE_M)
        self.server.initial_camera.look_at = (15.0, 0.0, 0.0)
        self._picture = self.server.gui.add_image(np.zeros((9, 16, 3), np.uint8), label="camera")
        self.show()

    @property
    def address(self) -> str:
        """What a browser opens."""
        host = self.server.get_host()
        return f"http://{'localhost' if host in ('0.0.0.0', '127.0.0.1') else host}:{self.server.get_port()}"

    def _add_controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_share_button=False)  # it would ask a server of viser's for a tunnel
        gui.add_html(_STYLE)
        last = max(len(self._shown) - 1, 1)
        self._slider = gui.add_slider("image", min=0, max=last, step=1, initial_value=0)
        self._time = gui.add_text("time", initial_value="", disabled=True)
        self._play = gui.add_checkbox("play", initial_value=False)
        self._speed = gui.add_slider("speed", min=0.1, max=4.0, step=0.1, initial_value=1.0)
        self._colours = gui.add_dropdown("depth coloured by", (CAMERA, DEPTH), initial_value=CAMERA)
        self._lidar = gui.add_dropdown("lidar", ("hidden", PLAIN, ERROR), initial_value="hidden")
        self._radar = gui.add_checkbox("radar", initial_value=True)
        self._boxes = gui.add_checkbox("boxes", initial_value=True)
        for control in (self._slider, self._colours, self._lidar, self._radar, self._boxes):
            control.on_update(lambda _: self.show())

    @property
    def index(self) -> int:
        """The number of the frame that is shown."""
        return min(int(self._slider.value), len(self._shown) - 1)

    def run(self) -> None:
        """Play where that is asked for, until the process is interrupted."""
        while True:
            pause = 0.05
            if self._play.value and len(self._shown) > 1:
                here = self.index
                following = (here + 1) % len(self._shown)
                gap = (self._shown[following].first.stamp - self._shown[here].first.stamp) / 1e9
                pause = min(max(gap, 0.02), 2.0) / self._speed.value
                self._slider.value = following  # which shows it
            time.sleep(pause)

    def show(self) -> None:
        """Show the chosen moment as the controls have it."""
        moment = self._shown[self.index]
        frame = moment.first
        level = level_from_camera(frame.up)
        rotation = _quaternion(level)
        self._time.value = f"{(frame.stamp - self._start) / 1e9:.2f} s"
        made: list[Any] = []
        with self.server.atomic():
            for each, first_from_camera in ((frame, np.eye(4)), *moment.others):
                made += self._shown_camera(each, level @ first_from_camera[:3])
            made += self._shown_radar(frame, rotation)
            made += self._shown_lidar(frame, rotation)
            if self._boxes.value:
                made += self._shown_boxes(frame, level)
            names = {handle.name for handle in made}
            for handle in self._handles:
                if handle.name not in names:
                    handle.remove()
        self._handles = made

    def _shown_camera(self, frame: ViewFrame, pose: Transform) -> list[Any]:
        """Show a camera with its picture and its depth. pose: level frame <- camera, 3x4."""
        picture = frame.picture()
        small = None if picture is None else _shrunk(picture)
        if small is not None and not pose[:, 3].any():
            self._picture.image = small
        width, height = frame.size
        place = {"wxyz": _quaternion(pose[:, :3]), "position": pose[:, 3]}
        frustum = self.server.scene.add_camera_frustum(
            f"/cameras/{frame.camera}",
            fov=2 * float(np.arctan2(height / 2, frame.intrinsics[1, 1])),
            aspect=width / height,
            scale=_FRUSTUM_M,
            image=small,
            format="jpeg",
            **place,
        )
        points, colours = self._depth_points(frame, picture)
        if not len(points):
            return [frustum]
        name = f"/depth/{frame.camera}"
        cloud = self.server.scene.add_point_cloud(
            name, points, colours, point_size=_POINT_M, point_shading="flat", **place
        )
        return [frustum, cloud]

    def _shown_radar(self, frame: ViewFrame, rotation: npt.NDArray[np.float64]) -> list[Any]:
        if not self._radar.value or not len(frame.starts):
            return []
        scene, shades = self.server.scene, colorize(frame.starts[None, :, 2], self._scale)[0]
        returns = scene.add_point_cloud(
            "/radar", frame.starts, shades, point_size=_RETURN_M, point_shape="circle", wxyz=rotation
        )
        segments = np.stack([frame.starts, frame.ends], axis=1)
        arrows = scene.add_arrows("/motion", segments, _MOTION_RGB, **_ARROWS, wxyz=rotation)
        return [returns, arrows]

    def _shown_boxes(self, frame: ViewFrame, level: npt.NDArray[np.float64]) -> list[Any]:
        return [
            self.server.scene.add_box(
                f"/boxes/{number}",
                color=box.color,
                dimensions=box.size,
                wireframe=True,
                wxyz=_quaternion(level @ box.pose[:3, :3]),
                position=level @ box.pose[:3, 3],
            )
            for number, box in enumerate(frame.boxes)
        ]

    def _shown_lidar(self, frame: ViewFrame, rotation: npt.NDArray[np.float64]) -> list[Any]:
        if self._lidar.value == "hidden" or not len(frame.lidar):
            return []
        points, colours = frame.lidar, np.full((len(frame.lidar), 3), _LIDAR_RGB, np.uint8)
        if self._lidar.value == ERROR:
            seen = ~np.isnan(frame.errors)
            points, colours = frame.lidar[seen], colorize_error(frame.errors[seen][None])[0]
        if not len(points):
            return []
        cloud = self.server.scene.add_point_cloud(
            "/lidar", points, colours, point_size=_LIDAR_POINT_M, point_shading="flat", wxyz=rotation
        )
        return [cloud]

    def _depth_points(
        self, frame: ViewFrame, picture: Picture | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Return the points [N, 3] of the depth that lies on the scale, in the camera's frame, and their colours."""
        with np.errstate(invalid="ignore"):
            shown = frame.depth < self._scale.farthest
        rows, columns = np.nonzero(shown)
        depth = frame.depth[shown]
        right = (columns * frame.stride - frame.intrinsics[0, 2]) / frame.intrinsics[0, 0]
        down = (rows * frame.stride - frame.intrinsics[1, 2]) / frame.intrinsics[1, 1]
        points = np.column_stack([right * depth, down * depth, depth]).astype(np.float32)
        if picture is None or self._colours.value == DEPTH:
            return points, colorize(frame.depth, self._scale)[shown]
        return points, picture[:: frame.stride, :: frame.stride][shown]


def level_from_camera(up: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the rotation [3, 3] from the camera's optical frame to one with x ahead, y to the left and z up.

    up: the world's upward direction in the camera's frame.
    """
    left = np.cross(up, [0.0, 0.0, 1.0])
    left /= np.linalg.norm(left)
    return np.stack([np.cross(left, up), left, up])


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (w, x, y, z) of a rotation [3, 3]."""
    from lircdepth_core.geometry import quaternion_from_transform

    transform = np.eye(4)
    transform[:3, :3] = rotation
    return quaternion_from_transform(transform)


@functools.lru_cache(maxsize=2)
def _cv2() -> Any:
    return import_package("cv2")


def _shrunk(picture: Picture) -> Picture:
    factor = min(1.0, _PICTURE_WIDTH / picture.shape[1])
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    shrunk: Picture = _cv2().resize(picture, size, interpolation=_cv2().INTER_AREA)
    return shrunk
