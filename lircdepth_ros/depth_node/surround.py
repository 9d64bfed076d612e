# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Points of depth as PointCloud2: those of one camera, and those of all around the vehicle in one cloud."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from lircdepth_core.geometry import transform_points
from lircdepth_core.geometry.calibration import BASE_FRAME
from lircdepth_core.matching.poses import PoseSource, Transform
from lircdepth_ros.messages.clouds import point_field_layout
from lircdepth_ros.messages.depth import byte_array
from lircdepth_ros.messages.stamps import stamp_to_ns

_AXES = ("x", "y", "z")


class SurroundCloud:
    """Gathers the cameras' points in base_link, and publishes them when each camera has given new ones.

    A camera that is silent is not waited for: what there is goes out when another one comes for the second time. The
    cloud has the stamp of its newest image; the vehicle's motion since the others is taken out, where it is known.
    Used in the worker's thread.
    """

    def __init__(self, publisher: Publisher[PointCloud2], poses: PoseSource, cameras: Collection[str]) -> None:
        self._publisher, self._poses, self._cameras = publisher, poses, frozenset(cameras)
        self._parts: dict[str, tuple[Header, npt.NDArray[np.void]]] = {}

    def is_wanted(self) -> bool:
        """Return whether anybody listens. If not, what was gathered is forgotten."""
        if not self._publisher.get_subscription_count():
            self.clear()
            return False
        return True

    def clear(self) -> None:
        """Forget what was gathered."""
        self._parts.clear()

    def add(self, camera: str, header: Header, points: npt.NDArray[np.void]) -> None:
        """Take the points (views.POINT_DTYPE) of an image with a header, in its frame; those that are NaN are left out.

        Raises LircDepthError where the camera's mounting is not known.
        """
        stamp = stamp_to_ns(header.stamp)
        base_from_camera, _ = self._poses.camera_from_sensor(BASE_FRAME, stamp, header.frame_id, stamp)
        if camera in self._parts:
            self._publish()
        self._parts[camera] = header, _moved(points[np.isfinite(points["z"])], base_from_camera)
        if self._parts.keys() == self._cameras:
            self._publish()

    def _publish(self) -> None:
        newest, _ = max(self._parts.values(), key=lambda part: stamp_to_ns(part[0].stamp))
        now = stamp_to_ns(newest.stamp)
        moved = []
        for header, points in self._parts.values():
            motion, _ = self._poses.camera_from_sensor(BASE_FRAME, now, BASE_FRAME, stamp_to_ns(header.stamp))
            moved.append(_moved(points, motion))
        self._parts.clear()
        cloud = np.concatenate(moved)[None]
        self._publisher.publish(cloud_message(Header(stamp=newest.stamp, frame_id=BASE_FRAME), cloud, dense=True))


def _moved(points: npt.NDArray[np.void], transform: Transform) -> npt.NDArray[np.void]:
    moved = points.copy()
    places = transform_points(transform, np.stack([points[axis] for axis in _AXES], axis=-1))
    for axis, values in zip(_AXES, places.T, strict=True):
        moved[axis] = values
    return moved


def cloud_message(header: Header, points: npt.NDArray[np.void], dense: bool = False) -> PointCloud2:
    """Return a structured array [H, W] as an organised PointCloud2. dense: no point is NaN."""
    fields = [
        PointField(name=name, offset=offset, datatype=datatype, count=1)
        for name, offset, datatype in point_field_layout(points.dtype)
    ]
    height, width = points.shape
    return PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=fields,
        point_step=points.itemsize,
        row_step=points.itemsize * width,
        data=byte_array(points),
        is_dense=dense,
    )
