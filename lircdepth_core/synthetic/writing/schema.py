# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The names and tokens of the nuScenes v1.0 schema, and the tables that all scenes share."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from lircdepth_core.synthetic.sensors.rig import SensorModel, modality

Row: TypeAlias = dict[str, Any]  # of a table, as it is written to JSON
Tables: TypeAlias = dict[str, list[Row]]

CATEGORIES = (
    "human.pedestrian.adult",
    "human.pedestrian.child",
    "human.pedestrian.wheelchair",
    "human.pedestrian.stroller",
    "human.pedestrian.personal_mobility",
    "human.pedestrian.police_officer",
    "human.pedestrian.construction_worker",
    "animal",
    "vehicle.car",
    "vehicle.motorcycle",
    "vehicle.bicycle",
    "vehicle.bus.bendy",
    "vehicle.bus.rigid",
    "vehicle.truck",
    "vehicle.construction",
    "vehicle.emergency.ambulance",
    "vehicle.emergency.police",
    "vehicle.trailer",
    "movable_object.barrier",
    "movable_object.trafficcone",
    "movable_object.pushable_pullable",
    "movable_object.debris",
    "static_object.bicycle_rack",
)
ATTRIBUTES = (
    "vehicle.moving",
    "vehicle.stopped",
    "vehicle.parked",
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.sitting_lying_down",
    "pedestrian.standing",
    "pedestrian.moving",
)
# token, level, lowest and highest visible share [%]
VISIBILITIES = (("1", "v0-40", 0, 40), ("2", "v40-60", 40, 60), ("3", "v60-80", 60, 80), ("4", "v80-100", 80, 100))
SCENE_TABLES = (
    "log",
    "map",
    "scene",
    "sample",
    "calibrated_sensor",
    "ego_pose",
    "sample_data",
    "instance",
    "sample_annotation",
)


def token(*key: object) -> str:
    """Return the token of what a key names: 32 hexadecimal digits, the same for the same key."""
    return hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()


def links(tokens: Sequence[str], index: int) -> Row:
    """Return the links from row ``index`` of a chain to the rows before and after it."""
    return {
        "prev": tokens[index - 1] if index else "",
        "next": tokens[index + 1] if index + 1 < len(tokens) else "",
    }


def common_tables(models: Sequence[SensorModel]) -> Tables:
    """Return the tables that all scenes share: category, attribute, visibility and sensor."""
    return {
        "category": [{"token": token("category", name), "name": name, "description": name} for name in CATEGORIES],
        "attribute": [{"token": token("attribute", name), "name": name, "description": name} for name in ATTRIBUTES],
        "visibility": [
            {"token": number, "level": level, "description": f"visibility of whole object is between {low} and {high}%"}
            for number, level, low, high in VISIBILITIES
        ],
        "sensor": [
            {"token": token("sensor", model.channel), "channel": model.channel, "modality": modality(model)}
            for model in models
        ],
    }
