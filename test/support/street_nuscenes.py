# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""tiny_nuscenes with a world in it that anyone can ray-cast: flat ground, a wall across the road, one moving box.

Everything is computed here from planes, independently of the package; the vehicle drives along YAW towards the wall.
"""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

import tiny_nuscenes
from lircdepth_core import radar

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
WALL = 45.0  # metres along the road from the start of scene-0001
SIZE = (4.0, 2.0, 1.6)  # length, width, height of the moving box [m]
BOX_START, BOX_SPEED, BOX_SIDE = 14.0, 16.0, 0.5  # metres along the road, m/s, metres to the left
INTRINSICS = np.array([[FOCAL, 0, 160.0], [0, FOCAL, 120.0], [0, 0, 1]])
_ROAD = tiny_nuscenes.YAW


def box_at(stamp):
    """Centre of the box in road coordinates (along, left, up) at a time in microseconds."""
    return np.array([BOX_START + BOX_SPEED * (stamp - tiny_nuscenes.START) / 1e6, BOX_SIDE, SIZE[2] / 2])


def cast(origin, directions, stamp):
    """Distance, in units of each direction, to the nearest surface: road coordinates, [3], [N, 3] -> [N]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.where(directions[:, 2] < 0, -origin[2] / directions[:, 2], np.inf)
        wall = np.where(directions[:, 0] > 0, (WALL - origin[0]) / directions[:, 0], np.inf)
        up = origin[2] + wall * directions[:, 2]
        wall = np.where(up < 12.0, wall, np.inf)
        low, high = (((box_at(stamp) + sign * np.array(SIZE) / 2) - origin) / directions for sign in (-1, 1))
    enter, leave = np.minimum(low, high).max(1), np.maximum(low, high).min(1)
    box = np.where((enter <= leave) & (enter > 0), enter, np.inf)
    return np.minimum(np.minimum(ground, wall), box)


def _rotation(quaternion):
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _mounting(channel):
    _, _, translation, rotation = tiny_nuscenes._SENSORS[channel]
    return np.array(translation), _rotation(rotation)


def exact_depth(stamp):
    """Depth along the optical axis at every pixel of CAM_FRONT, inf where there is nothing: [HEIGHT, WIDTH] m."""
    translation, road_from_camera = _mounting("CAM_FRONT")
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - 160.0) / FOCAL, (v - 120.0) / FOCAL, np.ones_like(u, float)], axis=-1).reshape(-1, 3)
    origin = translation + [tiny_nuscenes.SPEED * (stamp - tiny_nuscenes.START) / 1e6, 0, 0]
    return cast(origin, rays @ road_from_camera.T, stamp).reshape(HEIGHT, WIDTH)


def _lidar_points(stamp):
    """A scan of 32 rings from -30 to +10 degrees, in the lidar's frame, float32 [N, 5]; the roof is in it."""
    translation, road_from_lidar = _mounting("LIDAR_TOP")
    elevation, azimuth = np.meshgrid(
        np.radians(np.linspace(-30, 10, 32)), np.radians(np.arange(-60, 60, 0.33) + stamp % 7 * 0.04)
    )
    rays = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], -1)
    rays = rays.reshape(-1, 3)
    origin = translation + [tiny_nuscenes.SPEED * (stamp - tiny_nuscenes.START) / 1e6, 0, 0]
    distance = cast(origin, rays, stamp)
    seen = distance < 100
    points = (rays[seen] * distance[seen, None]) @ road_from_lidar  # rows times R is R^T times columns
    roof = np.array([[1.9, 0.0, 1.7]]) - translation
    points = np.concatenate([points, roof @ road_from_lidar])
    return np.column_stack([points, np.zeros((len(points), 2))]).astype("<f4")


def _radar_returns(stamp):
    """Twelve returns that the camera sees: eleven from the wall, one from the box's back."""
    forward = tiny_nuscenes._SENSORS["RADAR_FRONT"][2][0] + tiny_nuscenes.SPEED * (stamp - tiny_nuscenes.START) / 1e6
    returns = np.zeros(12, dtype=radar.PCD_DTYPE)
    returns["x"], returns["y"] = WALL - forward, np.linspace(-9, 9, 12)
    returns["x"][6], returns["y"][6] = box_at(stamp)[0] - SIZE[0] / 2 - forward, BOX_SIDE
    returns["rcs"], returns["vx"] = np.linspace(-5, 20, 12), -tiny_nuscenes.SPEED
    returns["vx"][6], returns["vy"] = BOX_SPEED - tiny_nuscenes.SPEED, np.linspace(-1, 1, 12)
    return returns


def write(root, annotated=True, names=("scene-0001", "scene-0002")):
    """Write the data root, tables v1.0-mini; return its path. names: of its two scenes, which decide on the split."""
    root = tiny_nuscenes.write(Path(root))
    tables = root / "v1.0-mini"
    calibrations = json.loads((tables / "calibrated_sensor.json").read_text())
    for row in calibrations:
        if row["camera_intrinsic"]:
            row["camera_intrinsic"] = INTRINSICS.tolist()
    records = json.loads((tables / "sample_data.json").read_text())
    for row in records:
        if row["fileformat"] == "jpg":
            row["width"], row["height"] = WIDTH, HEIGHT
            Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(root / row["filename"])
        elif row["filename"].endswith("pcd.bin"):
            _lidar_points(row["timestamp"]).tofile(root / row["filename"])
        elif row["filename"].endswith(".pcd"):
            (root / row["filename"]).write_bytes(radar.encode_pcd(_radar_returns(row["timestamp"])))
    scenes = json.loads((tables / "scene.json").read_text())
    for row, name in zip(scenes, names, strict=True):
        row["name"] = name
    rewritten = {"calibrated_sensor": calibrations, "sample_data": records, "scene": scenes}
    if annotated:
        rewritten |= _annotations(json.loads((tables / "sample.json").read_text()))
    for name, rows in rewritten.items():
        (tables / f"{name}.json").write_text(json.dumps(rows))
    return root


def _annotations(samples):
    width_first = [SIZE[1], SIZE[0], SIZE[2]]
    heading = [math.cos(_ROAD / 2), 0.0, 0.0, math.sin(_ROAD / 2)]
    rows = []
    for sample in samples:
        along, left, up = box_at(sample["timestamp"])
        rows.append(
            {
                "token": f"box-{sample['token']}",
                "sample_token": sample["token"],
                "instance_token": f"box-{sample['scene_token']}",
                "visibility_token": "4",
                "attribute_tokens": [],
                "translation": [
                    1000 + along * math.cos(_ROAD) - left * math.sin(_ROAD),
                    500 + along * math.sin(_ROAD) + left * math.cos(_ROAD),
                    up,
                ],
                "size": width_first,
                "rotation": heading,
                "prev": "",
                "next": "",
                "num_lidar_pts": 9,
                "num_radar_pts": 1,
            }
        )
    scenes = sorted({sample["scene_token"] for sample in samples})
    return {
        "category": [{"token": "car", "name": "vehicle.car", "description": "", "index": 0}],
        "visibility": [{"token": "4", "level": "v80-100", "description": ""}],
        "instance": [
            {
                "token": f"box-{scene}",
                "category_token": "car",
                "nbr_annotations": 2,
                "first_annotation_token": f"box-{scene}-0",
                "last_annotation_token": f"box-{scene}-1",
            }
            for scene in scenes
        ],
        "sample_annotation": rows,
    }
