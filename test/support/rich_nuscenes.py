# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The tiny data root with what it leaves out: all twelve sensors, a map with an origin, annotations, the CAN bus."""

import json

import tiny_nuscenes

LOCATION = "boston-seaport"
CAN_TIMES = [tiny_nuscenes.START + offset for offset in (-900_000, 3, 10_003, 400_000)]  # the first is before the scene


def write(root):
    """Write the data root; return it."""
    root = tiny_nuscenes.write(root, all_sensors=True)

    def edit(name, change):
        path = root / "v1.0-mini" / f"{name}.json"
        rows = json.loads(path.read_text())
        change(rows)
        path.write_text(json.dumps(rows))

    edit("log", lambda rows: rows[0].update(location=LOCATION))
    edit(
        "category", lambda rows: rows.extend({"token": t, "name": n, "description": ""} for t, n in CATEGORIES.items())
    )
    edit("visibility", lambda rows: rows.append({"token": "4", "level": "v80-100", "description": ""}))
    edit("instance", lambda rows: rows.extend(instances()))
    edit("sample_annotation", lambda rows: rows.extend(annotations()))
    (root / "can_bus").mkdir()
    for kind, message in (("ms_imu", imu), ("pose", pose)):
        messages = [message(time) for time in CAN_TIMES]
        (root / "can_bus" / f"scene-0001_{kind}.json").write_text(json.dumps(messages))
    return root


CATEGORIES = {"car": "vehicle.car", "man": "human.pedestrian.adult"}
BOXES = {  # instance: category, [annotation: sample, centre, size (w, l, h), yaw quaternion]
    "first": ("car", [("scene-0001-0", [1010.0, 505.0, 1.0], [2.0, 4.5, 1.5], [0.8, 0.0, 0.0, 0.6]),
                      ("scene-0001-1", [1015.0, 507.5, 1.0], [2.0, 4.5, 1.5], [0.8, 0.0, 0.0, 0.6])]),
    "second": ("man", [("scene-0001-1", [1003.0, 501.0, 0.9], [0.6, 0.7, 1.8], [1.0, 0.0, 0.0, 0.0])]),
}  # fmt: skip


def instances():
    for token, (category, rows) in BOXES.items():
        ends = {"first_annotation_token": f"{token}-0", "last_annotation_token": f"{token}-{len(rows) - 1}"}
        yield {"token": token, "category_token": category, "nbr_annotations": len(rows), **ends}


def annotations():
    for token, (_, rows) in BOXES.items():
        for i, (sample, translation, size, rotation) in enumerate(rows):
            yield {
                "token": f"{token}-{i}",
                "sample_token": sample,
                "instance_token": token,
                "visibility_token": "4",
                "attribute_tokens": [],
                "translation": translation,
                "size": size,
                "rotation": rotation,
                "prev": f"{token}-{i - 1}" if i else "",
                "next": f"{token}-{i + 1}" if i + 1 < len(rows) else "",
                "num_lidar_pts": 5,
                "num_radar_pts": 1,
            }


def imu(time):
    return {
        "utime": time,
        "linear_accel": [0.1, -0.2, 9.8],
        "q": [0.5, -0.5, 0.5, -0.5],
        "rotation_rate": [0.01, 0.02, 0.03],
    }


def pose(time):
    return {
        "utime": time,
        "accel": [0.0, 0.0, 9.8],
        "orientation": [1.0, 0.0, 0.0, 0.0],
        "pos": [1.0, 2.0, 0.0],
        "rotation_rate": [0.0, 0.0, 0.25],
        "vel": [10.5, 0.0, 0.0],
    }
