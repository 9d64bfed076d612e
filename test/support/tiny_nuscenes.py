# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A tiny nuScenes v1.0 data root: two scenes of half a second, three sensors or all twelve, small files.

benchmarks/bench_bags.py makes it long and its files full-size.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

from lircdepth_core import radar

START = 1_600_000_000_000_000  # microseconds: the first key frame of scene-0001
SPEED, YAW = 10.0, math.radians(30)  # the vehicle drives straight on: m/s, rad
_KEY_PERIOD = 500_000
# Period in microseconds, file ending, calibration. All three fire in the same microsecond at every key frame.
_SENSORS = {
    "CAM_FRONT": (100_000, "jpg", [1.7, 0.02, 1.5], [0.5, -0.5, 0.5, -0.5]),
    "LIDAR_TOP": (50_000, "pcd.bin", [0.9, 0.0, 1.8], [math.sqrt(0.5), 0.0, 0.0, -math.sqrt(0.5)]),
    "RADAR_FRONT": (62_500, "pcd", [3.4, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0]),
}
_OTHERS = (
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT"),
    *("RADAR_BACK_LEFT", "RADAR_BACK_RIGHT", "RADAR_FRONT_LEFT", "RADAR_FRONT_RIGHT"),
)
_MODALITY = {"CAM": "camera", "LIDAR": "lidar", "RADAR": "radar"}
INTRINSICS = [[60.0, 0.0, 32.0], [0.0, 60.0, 24.0], [0.0, 0.0, 1.0]]


def write(root, all_sensors=False, seconds=0.5):
    """Write the data root, tables v1.0-mini. Each sensor also has a sweep before a scene's first key frame.

    seconds: from a scene's first key frame to its last, a multiple of 0.5; the second scene follows a second later.
    """
    root = Path(root)
    key_frames = range(0, round(seconds * 1e6) + 1, _KEY_PERIOD)
    sensors = dict(_SENSORS)
    for i, channel in enumerate(_OTHERS if all_sensors else ()):
        period, ending, _, rotation = _SENSORS[channel.split("_")[0] + "_FRONT"]
        sensors[channel] = (period, ending, [0.1 * i, 0.2, 0.3], rotation)
    random = np.random.default_rng(0)
    tables = {name: [] for name in ("category", "attribute", "visibility", "instance", "sample_annotation")}
    tables |= {name: [] for name in ("sensor", "calibrated_sensor", "scene", "sample", "sample_data", "ego_pose")}
    tables["log"] = [{"token": "log", "logfile": "log", "vehicle": "v", "date_captured": "2020", "location": "l"}]
    tables["map"] = [{"token": "map", "category": "semantic_prior", "filename": "maps/map.png", "log_tokens": ["log"]}]
    (root / "maps").mkdir(parents=True)
    Image.new("L", (4, 4)).save(root / "maps/map.png")
    for channel, (_, _, translation, rotation) in sensors.items():
        modality = _MODALITY[channel.split("_")[0]]
        tables["sensor"].append({"token": channel, "channel": channel, "modality": modality})
        tables["calibrated_sensor"].append(
            {
                "token": f"{channel}-calibration",
                "sensor_token": channel,
                "translation": translation,
                "rotation": rotation,
                "camera_intrinsic": INTRINSICS if modality == "camera" else [],
            }
        )
    # The records' chains run through both scenes.
    for scene, begin in (("scene-0001", START), ("scene-0002", START + key_frames[-1] + 1_000_000)):
        tokens = [f"{scene}-{i}" for i in range(len(key_frames))]
        tables["scene"].append(
            {
                "token": scene,
                "log_token": "log",
                "nbr_samples": len(tokens),
                "first_sample_token": tokens[0],
                "last_sample_token": tokens[-1],
                "name": scene,
                "description": "straight on",
            }
        )
        for i, token in enumerate(tokens):
            links = {"prev": ([""] + tokens)[i], "next": (tokens + [""])[i + 1]}
            sample = {"token": token, "timestamp": begin + key_frames[i], "scene_token": scene}
            tables["sample"].append(sample | links)
        for channel, (period, ending, _, _) in sensors.items():
            for offset in range(-period, key_frames[-1] + 1, period):
                key = offset in key_frames
                stamp = begin + offset
                folder = "samples" if key else "sweeps"
                filename = f"{folder}/{channel}/log__{channel}__{stamp}.{ending}"
                _write_file(root / filename, random)
                token = f"{channel}-{stamp}"
                tables["sample_data"].append(
                    {
                        "token": token,
                        "sample_token": tokens[max(0, math.ceil(offset / _KEY_PERIOD))],
                        "ego_pose_token": token,
                        "calibrated_sensor_token": f"{channel}-calibration",
                        "timestamp": stamp,
                        "fileformat": ending.split(".")[0],
                        "is_key_frame": key,
                        "height": 48 if ending == "jpg" else 0,
                        "width": 64 if ending == "jpg" else 0,
                        "filename": filename,
                        "prev": "",
                        "next": "",
                    }
                )
                distance = SPEED * (stamp - START) / 1e6
                tables["ego_pose"].append(
                    {
                        "token": token,
                        "timestamp": stamp,
                        "rotation": [math.cos(YAW / 2), 0.0, 0.0, math.sin(YAW / 2)],
                        "translation": [1000 + distance * math.cos(YAW), 500 + distance * math.sin(YAW), 0.0],
                    }
                )
    for channel in sensors:
        chain = [r for r in tables["sample_data"] if r["token"].startswith(f"{channel}-")]
        for earlier, later in itertools.pairwise(chain):
            earlier["next"], later["prev"] = later["token"], earlier["token"]
    (root / "v1.0-mini").mkdir()
    for name, rows in tables.items():
        (root / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    return root


def _write_file(path, random):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        Image.fromarray(random.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)
    elif path.suffix == ".pcd":
        returns = np.zeros(20, dtype=radar.PCD_DTYPE)
        for name in returns.dtype.names:
            real = returns.dtype[name].kind == "f"
            returns[name] = random.normal(scale=30, size=20) if real else random.integers(0, 5, 20)  # state codes
        path.write_bytes(radar.encode_pcd(returns))
    else:
        points = random.normal(scale=20, size=(300, 5)).astype("<f4")
        points[:, 4] = random.integers(0, 32, 300)
        points.tofile(path)
