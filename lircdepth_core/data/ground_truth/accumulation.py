# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Dense ground-truth depth of a nuScenes key frame: lidar sweeps before and after it, accumulated.

Moving objects are taken out of every sweep by their annotated boxes and accumulated in their own frames; what lies
behind nearer surfaces is removed; small holes are interpolated, large ones stay holes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

DEPTH_SCALE = 256  # PNG units a metre

_EGO = ((-1.2, 3.8), (-1.2, 1.2))  # metres, x and y in base_link: returns from the vehicle itself
_BOX_MARGIN = 0.1  # metres around an annotated box
_LARGEST_GAP = 0.01  # radians that are interpolated across: 12 pixels of a nuScenes image
_RING_SPACING = 0.025  # radians between two rings of the lidar: 1.33 degrees, and a little
_CARRIED_ON = 500_000  # microseconds: a period of key frames
_STATIC = 0.5  # metres: an object that is never farther than this from its first place belongs to the static world


@dataclass(frozen=True)
class Track:
    """An annotated object that moves: stamps [T] microseconds ascending, poses [T, 4, 4] global <- object,
    half [3] metres (along the object's x, y, z)."""

    stamps: np.ndarray
    poses: np.ndarray
    half: np.ndarray

    def pose(self, stamp):
        """Return global <- object, interpolated between annotations, or carried on for up to half a second before the
        first and after the last; None farther away, where the object may be anywhere."""
        if not self.stamps[0] - _CARRIED_ON <= stamp <= self.stamps[-1] + _CARRIED_ON:
            return None
        if len(self.stamps) == 1:
            return self.poses[0]
        after = int(np.clip(np.searchsorted(self.stamps, stamp), 1, len(self.stamps) - 1))
        fraction = (stamp - self.stamps[after - 1]) / (self.stamps[after] - self.stamps[after - 1])
        return geometry.interpolate(self.poses[after - 1], self.poses[after], fraction)


def moving_tracks(nusc, scene):
    """Return a Track for every annotated object of a scene that moves, or is annotated only once.

    Raises LircDepthError when the tables hold no annotations, as those of the test split.
    """
    if not nusc.sample_annotation:
        raise LircDepthError(
            f"{nusc.version} has no annotations (as nuScenes' test split): moving objects cannot be removed from "
            "accumulated sweeps, so that only single-scan depth is possible there"
        )
    by_instance = {}
    for sample in nuscenes.scene_samples(nusc, scene):
        for token in sample["anns"]:
            annotation = nusc.get("sample_annotation", token)
            by_instance.setdefault(annotation["instance_token"], []).append((sample["timestamp"], annotation))
    tracks = []
    for annotations in by_instance.values():
        places = np.array([annotation["translation"] for _, annotation in annotations])
        if len(places) > 1 and np.linalg.norm(places - places[0], axis=1).max() < _STATIC:
            continue
        width, length, height = annotations[0][1]["size"]
        tracks.append(
            Track(
                np.array([stamp for stamp, _ in annotations]),
                np.stack([geometry.rigid_transform(a["translation"], a["rotation"]) for _, a in annotations]),
                np.array([length, width, height]) / 2 + _BOX_MARGIN,
            )
        )
    return tracks


def accumulate(nusc, sample, tracks, camera="CAM_FRONT", lidar="LIDAR_TOP", back=80, forward=80):
    """Return the points of all sweeps around a key frame in its camera's frame at the image's time: those of the static
    world and those of moving objects, each float32 [N, 3].

    Static points stand still in the global frame; points in a track's box move with it, and are dropped where the
    track has no pose at the image's time. Points behind the camera are left out.
    Raises LircDepthError when a sweep's file is missing.
    """
    camera_record, key = (nusc.get("sample_data", sample["data"][name]) for name in (camera, lidar))
    camera_from_global = _camera_from_global(nusc, camera_record)
    at_image = [track.pose(camera_record["timestamp"]) for track in tracks]
    static_parts, object_parts = [], [np.zeros((0, 3), np.float32)]
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
            inside, in_object = _in_box(points, geometry.invert(now) @ global_from_lidar, track.half)
            inside, in_object = inside[static[inside]], in_object[static[inside]]
            static[inside] = False
            if then is not None and len(inside):
                object_parts.append(_moved(camera_from_global @ then, in_object))
        static_parts.append(_moved(camera_from_global @ global_from_lidar, points[static]))
    return np.concatenate(static_parts), np.concatenate(object_parts)


def _camera_from_global(nusc, record):
    base_from_camera = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", record["calibrated_sensor_token"]))
    return geometry.invert(nuscenes.global_from_base(nusc.get("ego_pose", record["ego_pose_token"])) @ base_from_camera)


def _moved(transform, points):
    """Points [N, 3] behind a transform that was multiplied out in float64: float32 is exact to 0.1 mm then."""
    rotation, translation = transform[:3, :3].astype(np.float32), transform[:3, 3].astype(np.float32)
    depth = points @ rotation[2] + translation[2]
    points = points[depth > 1.0].astype(np.float32, copy=False)
    return points @ rotation.T + translation


def _on_ego(points, base_from_lidar):
    x, y = (points @ base_from_lidar[axis, :3].astype(np.float32) + np.float32(base_from_lidar[axis, 3])
            for axis in (0, 1))  # fmt: skip
    return (x > _EGO[0][0]) & (x < _EGO[0][1]) & (y > _EGO[1][0]) & (y < _EGO[1][1])


def _in_box(points, object_from_lidar, half):
    """Return the indices of the points [N, 3] inside a box, and these points in the box's frame."""
    centre = geometry.invert(object_from_lidar)[:3, 3].astype(np.float32)
    radius = float(np.linalg.norm(half))
    near = np.flatnonzero((np.abs(points[:, 0] - centre[0]) < radius) & (np.abs(points[:, 1] - centre[1]) < radius))
    in_object = geometry.transform_points(object_from_lidar, points[near])
    inside = (np.abs(in_object) <= half).all(axis=1)
    return near[inside], in_object[inside]


def remove_hidden(depth, rows=2, columns=4, relative=0.1, absolute=0.5):
    """Return the depth map without pixels that lie behind a nearer surface: [H, W] metres, 0 = none.

    From other viewpoints the lidar saw what the camera cannot see, and those points fall between the nearer surface's
    own. A pixel goes when within +-rows, +-columns another is nearer by more than relative * depth + absolute metres;
    the window is flat, since the road's depth changes along rows' normal.
    """
    nearest = np.where(depth > 0, depth, np.inf).astype(np.float32)
    for axis, reach in ((0, rows), (1, columns)):
        padded = np.pad(nearest, [(reach, reach) if i == axis else (0, 0) for i in (0, 1)], constant_values=np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
        nearest = windows.min(axis=-1)
    return np.where(depth * (1 - relative) - absolute > nearest, 0, depth).astype(np.float32)


def interpolate_gaps(depth, largest, relative=0.1):
    """Return the depth map with gaps filled between measurements that belong together: [H, W] metres, 0 = none.

    Along columns, then along rows: where two measurements are at most ``largest`` pixels apart and differ by less than
    ``relative``, the pixels between are interpolated linearly in inverse depth, which is exact on planes.
    """
    return _fill_rows(_fill_rows(depth.T, largest, relative).T, largest, relative)


def _fill_rows(depth, largest, relative):
    index = np.arange(depth.shape[1])
    measured = depth > 0
    before = np.maximum.accumulate(np.where(measured, index, -1), axis=1)
    after = np.minimum.accumulate(np.where(measured, index, depth.shape[1])[:, ::-1], axis=1)[:, ::-1]
    rows, columns = np.nonzero(~measured & (before >= 0) & (after < depth.shape[1]) & (after - before <= largest))
    before, after = before[rows, columns], after[rows, columns]
    first, last = depth[rows, before], depth[rows, after]
    together = np.abs(first - last) < relative * np.minimum(first, last)
    rows, columns, before, after, first, last = (x[together] for x in (rows, columns, before, after, first, last))
    fraction = (columns - before) / (after - before)
    filled = np.ascontiguousarray(depth, dtype=np.float32).copy()
    filled[rows, columns] = 1 / ((1 - fraction) / first + fraction / last)
    return filled


def dense_depth(nusc, sample, tracks, camera="CAM_FRONT", lidar="LIDAR_TOP", back=80, forward=80):
    """Return the dense depth map of a key frame's image: float32 [H, W] metres, 0 = unknown. See the module."""
    record = nusc.get("sample_data", sample["data"][camera])
    intrinsics = np.array(nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"])
    size = record["width"], record["height"]
    static, objects = (
        geometry.splat_depth(*geometry.project(points, intrinsics), *size)
        for points in accumulate(nusc, sample, tracks, camera, lidar, back, forward)
    )
    # An object that keeps its distance shows the lidar's rings alone, and the world behind would shine through.
    objects = interpolate_gaps(objects, round(_RING_SPACING * intrinsics[0, 0]))
    depth = np.where((objects > 0) & ((objects < static) | (static == 0)), objects, static)
    return dense_from_drawn(depth, intrinsics[0, 0])


def dense_from_drawn(depth, focal_length):
    """Return a dense map from an accumulated one, [H, W] metres: hidden points removed, gaps interpolated."""
    return interpolate_gaps(remove_hidden(depth), max(round(_LARGEST_GAP * focal_length), 1))


def single_scan_depth(nusc, sample, camera="CAM_FRONT", lidar="LIDAR_TOP"):
    """Return the depth map of a key frame's own lidar scan: float32 [H, W] metres, 0 = unknown."""
    camera_record, record = (nusc.get("sample_data", sample["data"][name]) for name in (camera, lidar))
    intrinsics = nusc.get("calibrated_sensor", camera_record["calibrated_sensor_token"])["camera_intrinsic"]
    points = geometry.transform_points(
        nuscenes.camera_from_sensor(nusc, camera_record, record), nuscenes.read_points(nusc, record)
    )
    return geometry.splat_depth(*geometry.project(points, intrinsics), camera_record["width"], camera_record["height"])


def depth_path(folder, nusc, sample, camera="CAM_FRONT"):
    """Return where the dense depth of a key frame's image is kept: folder/CAMERA/<image's stem>.png."""
    record = nusc.get("sample_data", sample["data"][camera])
    return Path(folder, camera, Path(record["filename"]).stem + ".png")


def write_depth(path, depth):
    """Write a depth map [H, W] (metres, 0 = unknown) as 16-bit PNG, metres * 256; the file appears when complete.

    Depth from 256 m on does not fit and is written as unknown.
    """
    from PIL import Image

    path = Path(path)
    values = np.rint(depth * DEPTH_SCALE)
    values[~(values < 2**16)] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        Image.fromarray(values.astype(np.uint16)).save(partial, format="PNG", compress_level=3)


def read_depth(path):
    """Return a depth map that ``write_depth`` wrote: float32 [H, W] metres. Raises LircDepthError."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such depth map; `lircdepth ground-truth` makes them") from error
    except (OSError, SyntaxError) as error:
        raise LircDepthError(f"{path}: not a complete PNG: {error}") from error
    if values.ndim != 2 or values.dtype not in (np.uint16, np.int32):
        raise LircDepthError(f"{path}: {values.dtype} {values.shape}, expected a 16-bit depth map")
    return values.astype(np.float32) / DEPTH_SCALE
