# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From what a radar measures to the network's convention, and the files that say where it stands."""

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.radar import MeasuredScan, VelocityKind, sensor_velocity
from lircdepth_core.radar.field_maps import FieldMap

POINTS = np.array([[20.0, 0.0, 0.0], [10.0, 10.0, 1.0], [30.0, -5.0, -0.5], [8.0, 20.0, 0.2]])
RCS = np.array([5.0, 12.0, -3.0, 0.5])
OWN = np.array([8.0, -0.4, 0.0])  # of the sensor over ground, in its own frame
SPEEDS = np.array([0.0, 0.0, 3.5, -7.0])  # of the returns over ground, along the line of sight
SIGHT = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
EXPECTED = (SPEEDS[:, None] * SIGHT - OWN)[:, :2]  # as the ARS 408 reports them


@pytest.mark.parametrize(
    ("kind", "velocity"),
    [
        (VelocityKind.RELATIVE, EXPECTED),
        (VelocityKind.OVER_GROUND, EXPECTED + OWN[:2]),
        (VelocityKind.RADIAL, SPEEDS[:, None] - SIGHT @ OWN[:, None]),
        (VelocityKind.COMPENSATED_RADIAL, SPEEDS[:, None]),
    ],
)
def test_every_kind_of_velocity_becomes_the_same_channels(kind, velocity):
    scan = MeasuredScan(POINTS, RCS, velocity, kind).to_scan(OWN)
    np.testing.assert_array_equal(scan.points, POINTS.astype(np.float32))
    np.testing.assert_array_equal(scan.rcs, RCS.astype(np.float32))
    np.testing.assert_allclose(scan.velocity, EXPECTED, rtol=1e-6, atol=1e-6)


def test_without_ego_motion_a_speed_stays_along_the_line_of_sight():
    measured = SPEEDS[:, None] - SIGHT @ OWN[:, None]
    scan = MeasuredScan(POINTS, RCS, measured, VelocityKind.RADIAL).to_scan()
    np.testing.assert_allclose(scan.velocity, (measured * SIGHT)[:, :2], rtol=1e-6)
    none = MeasuredScan(POINTS, RCS, np.zeros((4, 0)), VelocityKind.NONE)
    np.testing.assert_allclose(none.to_scan(OWN).velocity, np.tile(-OWN[:2], (4, 1)), rtol=1e-6)


def test_a_sensors_velocity_has_yaw_rate_and_lever_arm_in_it():
    seconds, speed, yaw_rate = 0.001, 9.0, 0.5
    lever = rigid_transform((3.0, 1.0, 0.5), (1.0, 0.0, 0.0, 0.0))
    half = yaw_rate * seconds / 2
    moved = rigid_transform((speed * seconds, 0.0, 0.0), (np.cos(half), 0.0, 0.0, np.sin(half)))
    now_from_before = np.linalg.inv(lever) @ np.linalg.inv(moved) @ lever
    found = sensor_velocity(now_from_before, seconds)
    np.testing.assert_allclose(found, [speed - yaw_rate * 1.0, yaw_rate * 3.0, 0.0], atol=5e-3)


def test_directions_are_taken_from_the_radars_own_place_where_points_are_in_the_vehicles_frame():
    base_from_radar = rigid_transform((3.4, 0.8, 0.5), (np.cos(0.4), 0.0, 0.0, np.sin(0.4)))
    in_base = POINTS @ base_from_radar[:3, :3].T + base_from_radar[:3, 3]
    radial = SPEEDS[:, None] - SIGHT @ OWN[:, None]
    scan = MeasuredScan(in_base, RCS, radial, VelocityKind.RADIAL, radar_frame="radar")
    moved = scan.moved(np.linalg.inv(base_from_radar)).to_scan(OWN)
    np.testing.assert_allclose(moved.points, POINTS, atol=1e-5)
    np.testing.assert_allclose(moved.velocity, EXPECTED, atol=1e-5)
    turned = np.column_stack([EXPECTED, np.zeros(4)]) @ base_from_radar[:3, :3].T
    objects = MeasuredScan(in_base, RCS, turned[:, :2], VelocityKind.RELATIVE, radar_frame="radar")
    np.testing.assert_allclose(objects.moved(np.linalg.inv(base_from_radar)).to_scan().velocity, EXPECTED, atol=1e-5)


def load(folder, text):
    path = folder / "own.yaml"
    path.write_text(text)
    return FieldMap.load(path)


def test_a_map_says_sign_stand_in_filters_and_signed_bytes(tmp_path):
    own = load(
        tmp_path,
        """
position: {range: r, azimuth: a}
velocity: {radial: v, sign: -1}
rcs: {stand_in: power, offset: -30, scale: 2, db_per_decade: 40}
keep: {state: [0, 2], snr: {min: 5}}
""",
    )
    assert own.names == ["r", "a", "power", "v", "state", "snr"]
    assert "power stands in for rcs" in own.caution
    columns = {
        "r": [10.0, 100.0, 10.0, 10.0, np.nan],
        "a": [0.0, np.pi / 2, 0.0, 0.0, 0.0],
        "v": [4.0, -2.0, 0.0, 0.0, 0.0],
        "power": [3.0, 4.0, 0.0, 0.0, 0.0],
        "state": [0, 2, 1, 0, 0],
        "snr": [5.0, 9.0, 9.0, 4.9, 9.0],
    }
    scan = own.measured(columns)
    np.testing.assert_allclose(scan.points, [[10, 0, 0], [0, 100, 0]], atol=1e-12)
    np.testing.assert_allclose(scan.rcs, [-30 + 6 + 40, -30 + 8 + 80])
    np.testing.assert_allclose(scan.velocity[:, 0], [-4.0, 2.0])
    assert scan.rejected == 3
    signed = load(tmp_path, "position: {x: x, y: y}\nrcs: {field: rcs, int8: true}\n")
    np.testing.assert_array_equal(
        signed.measured({"x": [1, 1, 1], "y": [0, 0, 0], "rcs": [12, 127, 250]}).rcs, [12, 127, -6]
    )
    assert "z of the radar is taken as 0" in signed.caution
    assert "measures no velocity" in signed.caution


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is None, expected a mapping"),
        ("velocity: {radial: v}", "has no position"),
        ("posision: {x: x, y: y}", "has 'posision', expected .*did you mean 'position'"),
        ("position: {x: x}", "position has x, expected x, y and z, or range"),
        ("position: {range: r, azimuth: a, z: z}", "position has range, azimuth, z, expected"),
        ("position: {x: 1, y: y}", "x is 1, expected a field's name"),
        ("position: {x: x, y: y}\nvelocity: {radial: [a, b]}", "expected 1 name"),
        ("position: {x: x, y: y}\nvelocity: {relative: vx}", "expected 2 names"),
        ("position: {x: x, y: y}\nvelocity: {radial: v, relative: [a, b]}", "has radial, relative, expected one of"),
        ("position: {x: x, y: y}\nvelocity: {radial: v, sign: 2}", "sign is 2, expected 1 or -1"),
        ("position: {x: x, y: y}\nrcs: {offset: 1}", "rcs needs one of field"),
        ("position: {x: x, y: y}\nrcs: {field: rcs, scale: much}", "could not convert"),
        ("position: {x: x, y: y}\ncoordinates: base_link", "coordinates is 'base_link', expected sensor or message"),
        ("position: {x: x, y: y}\nmessage: Radar", "message is 'Radar', expected sensor_msgs/PointCloud2, radar_msgs"),
        ("position: {x: x, y: y}\ncolumns: [x, z]", "columns has no y; it has x, z"),
        ("position: [", "not a readable YAML file"),
    ],
)
def test_a_map_that_cannot_be_is_refused_by_its_entry(tmp_path, text, words):
    with pytest.raises(LircDepthError, match=rf"(?s)own\.yaml: .*{words}"):
        load(tmp_path, text)
