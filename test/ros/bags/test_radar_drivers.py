# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radars of other drivers in bags: the depth is that of a nuScenes radar that saw the same."""

from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

import small_bags as small
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.depth import depth_of
from small_bags import DEPTH, MS, RADAR, START

# As https://github.com/ros-perception/radar_msgs defines them; a recorder writes them into the bag.
RADAR_RETURN = "float32 range\nfloat32 azimuth\nfloat32 elevation\nfloat32 doppler_velocity\nfloat32 amplitude\n"
RADAR_SCAN = (
    f"std_msgs/Header header\nradar_msgs/RadarReturn[] returns\n{'=' * 80}\nMSG: radar_msgs/RadarReturn\n{RADAR_RETURN}"
)
SPEED = 9.0
POINTS = np.array([[20.0, 0.2, 1.0], [35.0, -0.5, 0.8], [26.0, 0.6, 0.4]])
OWN_SPEED = np.array([0.0, 0.0, 4.0])  # of the returns over ground, along the line of sight
SIGHT = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
RADIAL = OWN_SPEED - SIGHT[:, 0] * SPEED
VELOCITY = OWN_SPEED[:, None] * SIGHT - [SPEED, 0.0, 0.0]
RCS = np.array([9.0, 3.0, 12.0])


def nuscenes_cloud(stamp):
    return small.cloud(stamp, np.column_stack([POINTS, RCS, VELOCITY[:, :2]]))


def ars548_cloud(stamp):
    points = np.zeros(3, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("v", "<f4"), ("RCS", "i1")])
    for name, values in zip(points.dtype.names, (*POINTS.T, RADIAL, RCS), strict=True):
        points[name] = values
    return building.point_cloud(stamp, "RADAR_FRONT", points)


def radar_scan(stamp):
    """A radar_msgs/RadarScan, made with definitions that the tools do not have; its amplitude is in dBsm here."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(RADAR_SCAN, "radar_msgs/msg/RadarScan"))
    kinds = store.types
    distance, azimuth = np.linalg.norm(POINTS, axis=1), np.arctan2(POINTS[:, 1], POINTS[:, 0])
    elevation = np.arcsin(POINTS[:, 2] / distance)
    rows = zip(distance, azimuth, elevation, RADIAL, RCS, strict=True)
    returns = [kinds["radar_msgs/msg/RadarReturn"](*map(float, row)) for row in rows]
    header = building.image(stamp, "RADAR_FRONT", np.zeros((1, 1), np.float32), "32FC1").header
    message = kinds["radar_msgs/msg/RadarScan"](header=header, returns=returns)
    return message.__msgtype__, bytes(store.serialize_cdr(message, message.__msgtype__)), store


def bag_of(path, radar):
    entries = small.frames(3, radar=radar, radar_delay=-20 * MS)
    entries += [
        ("/odom", START + i * 25 * MS, small.odometry(START + i * 25 * MS, i * 0.025 * SPEED)) for i in range(-8, 12)
    ]
    return small.write(path, [*entries, ("/tf_static", START - 200 * MS, small.static_tf())])


def depths(bag, tmp_path, *options):
    output = tmp_path / f"{bag.name}_depth"
    assert small.infer_bag(bag, output, *options) == 0
    with closing(open_bag(output)) as reader:
        found = [
            depth_of(definitions.typestore().deserialize_cdr(data, connection.msgtype))
            for connection, _, data in read_messages(reader)
            if connection.topic == DEPTH
        ]
    assert len(found) == 3
    return np.stack(found)


@pytest.mark.parametrize(("radar", "driver"), [(ars548_cloud, "ars548"), (radar_scan, "radar_scan")])
def test_a_radar_of_line_of_sight_speeds_gives_the_depth_of_one_in_the_networks_convention(
    tmp_path, capsys, radar, driver
):
    expected = depths(bag_of(tmp_path / "nuscenes", nuscenes_cloud), tmp_path)
    bag = bag_of(tmp_path / driver, radar)
    found = depths(bag, tmp_path, "--radar-driver", driver)
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-5)
    assert ("stands in for rcs" in capsys.readouterr().err) == (driver == "radar_scan")
    stopped = depths(bag.rename(tmp_path / "stopped"), tmp_path, "--radar-driver", driver, "--odometry-topic", "/none")
    assert np.abs(stopped - expected).max() > 1e-4, "the vehicle's own speed is missing in it"


def test_a_driver_that_is_not_known_or_does_not_fit_is_one_line(tmp_path, capsys):
    bag = bag_of(tmp_path / "bag", nuscenes_cloud)
    assert small.infer_bag(bag, tmp_path / "depth", "--radar-driver", "ars54x") == 2
    assert "--radar-driver is 'ars54x', expected one of" in capsys.readouterr().err
    assert small.infer_bag(bag, tmp_path / "depth", "--radar-driver", "ars548") == 0
    printed = capsys.readouterr().err
    assert f"3 scans of {RADAR} are left out" in printed
    assert "radar cloud has no field RCS, v; it has x, y, z, rcs, vx, vy" in printed
