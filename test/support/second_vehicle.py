# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Drives of another car than nuScenes': its sensors elsewhere, its radar with speeds along the line of sight alone."""

import json
import shutil
from contextlib import closing

import numpy as np

from lircdepth_ros import cli
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.clouds import cloud_columns
from lircdepth_ros.messages.stamps import stamp_to_ns

ARS548 = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("v", "<f4"), ("RCS", "i1")])


def make_drives(folder, vehicle, scenes, seed, seconds, size, jobs=1):
    """Render scenes of a vehicle below ``folder``; return their bags, whose radars are as ARS 548s publish.

    What is there already is kept. size: of the camera, such as 640x360.
    """
    root, bags = folder / "root", []
    if not root.is_dir():
        scene = ["--vehicle", vehicle, "--scenes", scenes, "--seed", seed, "--duration", seconds, "--image-size", size]
        lircdepth("synth", "-o", root, *scene, "--jobs", jobs)
    for scene in json.loads((root / "v1.0-mini/scene.json").read_text()):
        bag, recorded = folder / scene["name"], folder / f".{scene['name']}"
        if not bag.is_dir():
            shutil.rmtree(recorded, ignore_errors=True)
            lircdepth("nuscenes-to-bag", "--dataroot", root, "--scene", scene["name"], "-o", recorded)
            as_ars548(recorded, bag)
            shutil.rmtree(recorded)
        bags.append(bag)
    return bags


def lircdepth(*words):
    """Run a command; raise SystemExit where it fails."""
    if status := cli.main([str(word) for word in words]):
        raise SystemExit(status)


def as_ars548(bag, output):
    """Write a bag anew with radars in the layout of an ARS 548: speed along the line of sight, RCS in whole dBsm."""
    kinds, connections = definitions.typestore(), {}
    with closing(open_bag(bag)) as reader, new_bag(output) as writer:
        for connection, log_time, data in read_messages(reader):
            topic = connection.topic
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, connection.msgtype, typestore=kinds)
            if topic.startswith("/RADAR"):
                cloud = kinds.deserialize_cdr(data, connection.msgtype)
                stamp = stamp_to_ns(cloud.header.stamp)
                data = definitions.serialize(building.point_cloud(stamp, cloud.header.frame_id, _radial(cloud)))
            writer.write(connections[topic], log_time, data)
    shutil.copy(bag / "calibration.yaml", output / "calibration.yaml")
    return output


def _radial(cloud):
    columns = cloud_columns(cloud, ("x", "y", "z", "rcs", "vx", "vy"))
    places = np.stack([np.ravel(columns[axis]) for axis in "xyz"], axis=1).astype(float)
    sight = places / np.linalg.norm(places, axis=1, keepdims=True)
    returns = np.zeros(len(places), ARS548)
    for name in "xyz":
        returns[name] = np.ravel(columns[name])
    returns["v"] = sight[:, 0] * np.ravel(columns["vx"]) + sight[:, 1] * np.ravel(columns["vy"])
    returns["RCS"] = np.clip(np.rint(np.ravel(columns["rcs"])), -128, 127)
    return returns
