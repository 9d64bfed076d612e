# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Dense ground-truth depth of a nuScenes key frame: lidar sweeps before and after it, accumulated.

Moving objects are taken out of every sweep by their annotated boxes and accumulated in their own frames.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.data import nuscenes
from lircdepth_core.data.ground_truth.gaps import dense_from_accumulated, interpolate_gaps
from lircdepth_core.data.ground_truth.tracks import Track
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.geometry.transforms import Float64Array

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

# Returns in this part of base_link come from the vehicle itself.
_EGO_X_M, _EGO_Y_M = (-1.2, 3.8), (-1.2, 1.2)
_MIN_DEPTH_M = 1.0  # nearer points, and points behind the camera, are left out
_RING_SPACING_RAD = 0.025  # between two rings of the lidar: 1.33 degrees, and a little


def dense_depth(
    nusc: "NuScenes",
    sample: Record,
    tracks: Sequence[Track],
    camera: str = "CAM_FRONT",
    lidar: str = "LIDAR_TOP",
    back: int = 80,
    forward: int = 80,
) -> npt.NDArray[np.float32]:
    """Return the dense depth map of a key frame's image: float32 [H, W] metres, 0 = unknown.

    tracks: of the scene's moving objects. back, forward: sweeps before and after the key frame.
    Raises LircDepthError when a sweep's file is missing.
    """
    record = nusc.get("sample_data", sample["data"][camera])
    intrinsics = np.array(nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"])
    size = record["width"], record["height"]
    static, objects = (
        geometry.splat_depth(*geometry.project(points, intrinsics), *size)
        for points in accumulate(nusc, sample, tracks, camera, lidar, back, forward)
    )
    # On an object that keeps its distance all sweeps hit the same rings: without interpolation the world behind would
    # show between them.
    objects = interpolate_gaps(objects, round(_RING_SPACING_RAD * intrinsics[0, 0]))
    depth = np.where((objects > 0) & ((objects < static) | (static == 0)), objects, static)
    return dense_from_accumulated(depth, intrinsics[0, 0])


def single_scan_depth(
    nusc: "NuScenes",
    sample: Record,
    camera: str = "CAM_FRONT",
    lidar: str = "LIDAR_TOP",
    size: tuple[int, int] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the depth map of a key frame's own lidar scan: float32 [H, W] metres, 0 = unknown.

    size: (height, width) of the map, None: that of the image. Points that the image sees are drawn into a map of that
    size, so that a small map loses only those that a nearer one hides.
    """
    camera_record, record = (nusc.get("sample_data", sample["data"][name]) for name in (camera, lidar))
    intrinsics = nusc.get("calibrated_sensor", camera_record["calibrated_sensor_token"])["camera_intrinsic"]
    points = geometry.transform_points(
        nuscenes.camera_from_sensor(nusc, camera_record, record), nuscenes.read_points(nusc, record)
    )
    whole = camera_record["height"], camera_record["width"]
    height, width = size or whole
    pixels, depth = geometry.project(points, intrinsics)
    seen = geometry.visible(pixels, depth, whole[1], whole[0])
    pixels = (pixels[seen] + 0.5) * (width / whole[1], height / whole[0]) - 0.5
    places, nearest = geometry.nearest_points(pixels, depth[seen], width)
    drawn = np.zeros(height * width, np.float32)
    drawn[places] = depth[seen][nearest]
    return drawn.reshape(height, width)


def accumulate(
    nusc: "NuScenes",
    sample: Record,
    tracks: Sequence[Track],
    camera: str = "CAM_FRONT",
    lidar: str = "LIDAR_TOP",
    back: int = 80,
    forward: int = 80,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the points of all sweeps around a key frame in its camera's frame at the image's time.

    They are those of the static world and those of moving objects, each float32 [N, 3] metres.

    Static points stand still in the global frame; points in a track's box move with it, and are dropped where the
    track has no pose at the image's time. Points behind the camera are left out.
    Raises LircDepthError when a sweep's file is missing.
    """
    camera_record, key = (nusc.get("sample_data", sample["data"][name]) for name in (camera, lidar))
    camera_from_global = _camera_from_global(nusc, camera_record)
    at_image = [track.pose(camera_record["timestamp"]) for track in tracks]
    static_parts: list[npt.NDArray[np.float32]] = []
    object_parts = [np.zeros((0, 3), np.float32)]
    for record in nuscenes.neighbouring_records(nusc, key, back, forward):
        base_from_lidar = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", record["calibrated_sensor_token"]))
        global_from_lidar = nuscenes.global_from_base(nusc.get("ego_pose", record["ego_pose_token"])) @ base_from_lidar
        points = nuscenes.read_points(nusc, record)
        points = points[~_on_ego(points, base_from_lidar)]
        static = np.ones(len(points), bool)
        for track, then in zip(tracks, at_image, strict=True):
            now = track.pose(record["timestamp"])
            if now is None:
                continue
            inside, in_object = _in_box(points, geometry.invert(now) @ global_from_lidar, track.half_size)
            inside, in_object = inside[static[inside]], in_object[static[inside]]
            static[inside] = False
            if then is not None and len(inside):
                object_parts.append(_moved(camera_from_global @ then, in_object))
        static_parts.append(_moved(camera_from_global @ global_from_lidar, points[static]))
    return np.concatenate(static_parts), np.concatenate(object_parts)


def _camera_from_global(nusc: "NuScenes", record: Record) -> Float64Array:
    base_from_camera = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", record["calibrated_sensor_token"]))
    return geometry.invert(nuscenes.global_from_base(nusc.get("ego_pose", record["ego_pose_token"])) @ base_from_camera)


def _moved(transform: Float64Array, points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Return the points [N, 3] in front of the camera, moved by a transform into its frame.

    The transform was multiplied out in float64, so that float32 is exact to 0.1 mm here.
    """
    rotation, translation = transform[:3, :3].astype(np.float32), transform[:3, 3].astype(np.float32)
    depth = points @ rotation[2] + translation[2]
    points = points[depth > _MIN_DEPTH_M].astype(np.float32, copy=False)
    return points @ rotation.T + translation


def _on_ego(points: npt.NDArray[np.float32], base_from_lidar: Float64Array) -> npt.NDArray[np.bool_]:
    """Return which points [N, 3] lie on the vehicle itself: bool [N]."""
    x, y = (
        points @ base_from_lidar[axis, :3].astype(np.float32) + np.float32(base_from_lidar[axis, 3]) for axis in (0, 1)
    )
    return (x > _EGO_X_M[0]) & (x < _EGO_X_M[1]) & (y > _EGO_Y_M[0]) & (y < _EGO_Y_M[1])


def _in_box(
    points: npt.NDArray[np.float32], object_from_lidar: Float64Array, half_size: Float64Array
) -> tuple[npt.NDArray[np.intp], Float64Array]:
    """Return the indices of the points [N, 3] inside a box, and these points in the box's frame."""
    centre = geometry.invert(object_from_lidar)[:3, 3].astype(np.float32)
    radius = float(np.linalg.norm(half_size))
    near = np.flatnonzero((np.abs(points[:, 0] - centre[0]) < radius) & (np.abs(points[:, 1] - centre[1]) < radius))
    in_object = geometry.transform_points(object_from_lidar, points[near])
    inside = (np.abs(in_object) <= half_size).all(axis=1)
    return near[inside], in_object[inside]
