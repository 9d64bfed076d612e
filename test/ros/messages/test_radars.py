# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One scene as each driver publishes it: the network's channels are the same wherever the driver measures enough."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the messages are those of rosbags")

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.matching.assembler import Match, Scan
from lircdepth_core.matching.poses import CalibrationPoses
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_ros.messages import building
from lircdepth_ros.messages.radars import RadarReader, radar_drivers, radar_map, radar_readers

STAMP = 1_700_000_000_000_000_000
PERIOD = 20_000_000
SPEED = 12.5  # m/s, straight ahead, of a vehicle that turns by YAW_RATE
YAW_RATE = 0.1
BASE_FROM_RADAR = rigid_transform((3.4, 0.6, 0.5), (np.cos(0.15), 0.0, 0.0, np.sin(0.15)))
CALIBRATION = Calibration(
    {"radar": BASE_FROM_RADAR, "camera": rigid_transform((1.7, 0.0, 1.5), (0.5, -0.5, 0.5, -0.5))}, {}
)
RNG = np.random.default_rng(4)
COUNT = 40
AZIMUTH, ELEVATION = RNG.uniform(-0.9, 0.9, COUNT), RNG.uniform(-0.05, 0.1, COUNT)
RANGE = RNG.uniform(4.0, 120.0, COUNT)
SIGHT = np.stack([np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH), np.sin(ELEVATION)], axis=1)
POINTS = RANGE[:, None] * SIGHT
RCS = np.rint(RNG.uniform(-20, 30, COUNT))  # whole numbers, since some drivers publish bytes
OWN_SPEED = np.where(np.arange(COUNT) % 3, 0.0, RNG.uniform(-15, 15, COUNT))  # along the line of sight, over ground


def poses(moving=True):
    source = CalibrationPoses(CALIBRATION)
    for i in range(-10, 6) if moving else ():
        seconds = i * PERIOD / 1e9
        half = YAW_RATE * seconds / 2
        x = SPEED / YAW_RATE * np.sin(YAW_RATE * seconds)
        y = SPEED / YAW_RATE * (1 - np.cos(YAW_RATE * seconds))
        source.add_pose(STAMP + i * PERIOD, rigid_transform((x, y, 0.0), (np.cos(half), 0.0, 0.0, np.sin(half))))
    return source


def own_velocity():
    """The radar's velocity over ground as the inputs compute it, from two poses 50 ms apart."""
    moved, _ = poses().camera_from_sensor("radar", STAMP, "radar", STAMP - 50_000_000)
    return -moved[:3, 3] / 0.05


OWN = own_velocity()
RADIAL = OWN_SPEED - SIGHT @ OWN
VELOCITY = (OWN_SPEED[:, None] * SIGHT - OWN)[:, :2]  # nuScenes' convention
XYZ = {"x": POINTS[:, 0], "y": POINTS[:, 1], "z": POINTS[:, 2]}
IN_BASE = POINTS @ BASE_FROM_RADAR[:3, :3].T + BASE_FROM_RADAR[:3, 3]
XYZ_BASE = {"x": IN_BASE[:, 0], "y": IN_BASE[:, 1], "z": IN_BASE[:, 2]}
VELOCITY_BASE = (np.column_stack([VELOCITY, np.zeros(COUNT)]) @ BASE_FROM_RADAR[:3, :3].T)[:, :2]
POLAR = {"range": RANGE, "azimuth": AZIMUTH, "elevation": ELEVATION}

# driver: (fields of its clouds, other types than float32, frame id, what differs from the nuScenes radar)
CLOUDS = {
    "nuscenes": (XYZ | {"rcs": RCS, "vx": VELOCITY[:, 0], "vy": VELOCITY[:, 1]}, {}, "radar", ""),
    "ars548": (XYZ | {"v": RADIAL, "r": RANGE, "RCS": RCS}, {"RCS": "i1"}, "radar", ""),
    "nebula_ars548": (XYZ | POLAR | {"range_rate": RADIAL, "rcs": RCS}, {"rcs": "i1"}, "radar", ""),
    "nebula_srr520": (XYZ | {"range_rate": RADIAL, "rcs": RCS % 256}, {"rcs": "u1"}, "radar", ""),
    "smartmicro": (XYZ | {"radial_speed": RADIAL, "power": RCS + 40, "rcs": RCS, "range": RANGE}, {}, "radar", ""),
    "bosch_corner": (XYZ_BASE | {"radial_velocity": RADIAL, "rcs": RCS}, {}, "base_link", ""),
    "bosch_premium": (XYZ_BASE | {"radial_velocity": RADIAL, "radar_cross_section": RCS}, {}, "base_link", ""),
    "bosch_off_highway": (
        XYZ_BASE | {"v_x": VELOCITY_BASE[:, 0], "v_y": VELOCITY_BASE[:, 1], "rcs": RCS}, {}, "base_link", "",
    ),
    "nebula_ars548_objects": (
        XYZ_BASE | {"dynamics_rel_vel_x": VELOCITY_BASE[:, 0], "dynamics_rel_vel_y": VELOCITY_BASE[:, 1]},
        {}, "base_link", "rcs",
    ),
    "truckscenes": (XYZ | {"vrel_x": VELOCITY[:, 0], "vrel_y": VELOCITY[:, 1], "rcs": RCS}, {}, "radar", ""),
    "view_of_delft": (XYZ | {"RCS": RCS, "v_r": RADIAL, "v_r_compensated": OWN_SPEED}, {}, "radar", ""),
    "bosch_general_purpose": (XYZ_BASE | {"radial_velocity": RADIAL, "reflected_power": RCS}, {}, "base_link", "stand"),
    "oculii": (XYZ | {"doppler": RADIAL, "power": RCS}, {}, "radar", "stand"),
    "ti_mmwave": (XYZ | {"velocity": RADIAL, "intensity": RCS}, {"intensity": "f8"}, "radar", "stand"),
    "provizio": (
        XYZ | {"radar_relative_radial_velocity": RADIAL, "signal_to_noise_ratio": RCS}, {}, "radar", "stand",
    ),
    "carla": (XYZ | {"Range": RANGE, "Velocity": RADIAL, "AzimuthAngle": AZIMUTH}, {}, "radar", "rcs"),
}  # fmt: skip


def cloud_of(driver):
    fields, kinds, frame, _ = CLOUDS[driver]
    points = np.zeros(COUNT, [(name, kinds.get(name, "<f4")) for name in fields])
    for name, values in fields.items():
        points[name] = values
    return building.point_cloud(STAMP, frame, points)


def radar_scan_message():
    entries = zip(RANGE, AZIMUTH, ELEVATION, RADIAL, RCS, strict=True)
    names = ("range", "azimuth", "elevation", "doppler_velocity", "amplitude")
    returns = [SimpleNamespace(**dict(zip(names, entry, strict=True))) for entry in entries]
    return SimpleNamespace(header=SimpleNamespace(frame_id="radar"), returns=returns)


def radar_tracks_message():
    tracks = [
        SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=z), velocity=SimpleNamespace(x=vx, y=vy, z=0.0))
        for (x, y, z), (vx, vy) in zip(POINTS, VELOCITY, strict=True)
    ]
    return SimpleNamespace(header=SimpleNamespace(frame_id="radar"), tracks=tracks)


def message_of(driver):
    if driver in ("ars408", "radar_scan"):
        return radar_scan_message()
    return radar_tracks_message() if driver == "ars408_objects" else cloud_of(driver)


def channels(driver, source=None):
    """Return (scan in the convention, whether the vehicle was taken to stand) as every tool computes it."""
    reader = RadarReader(radar_map(driver), "radar")
    match = Match(STAMP, None, {"r": Scan(STAMP, reader(message_of(driver)))})
    failures = []
    inputs = radar_inputs(match, "camera", source or poses(), False, lambda *entry: failures.append(entry))
    assert not failures
    ((scan, _),) = inputs.scans
    return scan, inputs.without_motion


@pytest.mark.parametrize("driver", radar_drivers())
def test_each_drivers_messages_give_the_channels_of_a_nuscenes_radar(driver):
    scan, standing = channels(driver)
    assert not standing
    assert scan.rejected == 0
    np.testing.assert_allclose(scan.points, POINTS, rtol=2e-6, atol=2e-5)
    np.testing.assert_allclose(scan.velocity, VELOCITY, rtol=2e-6, atol=2e-5)
    differs = CLOUDS[driver][3] if driver in CLOUDS else {"radar_scan": "stand"}.get(driver, "rcs")
    np.testing.assert_array_equal(scan.rcs, 0 if differs == "rcs" else RCS)
    caution = RadarReader(radar_map(driver), "radar").caution
    assert {"": caution == "", "rcs": "rcs of the radar" in caution, "stand": "stands in for rcs" in caution}[differs]


@pytest.mark.parametrize("driver", ["ars548", "ars408", "bosch_corner"])
def test_without_ego_motion_speeds_are_radial_and_that_is_told(driver):
    scan, standing = channels(driver, poses(moving=False))
    assert standing
    np.testing.assert_allclose(scan.velocity, (RADIAL[:, None] * SIGHT)[:, :2], rtol=2e-6, atol=2e-5)


def test_a_driver_that_stamps_the_vehicles_frame_asks_for_the_radars_own():
    assert "name the radar's own frame" in RadarReader(radar_map("bosch_corner")).caution
    assert RadarReader(radar_map("ars548"), "mine")(cloud_of("ars548"))[1] == "mine"
    assert RadarReader(radar_map("ars548"))(cloud_of("ars548"))[1] == "radar"


def test_radars_of_different_drivers_have_a_reader_each(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("position: {x: a, y: b}\n")
    readers = radar_readers(("/one", "/two"), ("ars548", str(own)), ("", "left"), "")
    assert readers["/one"].field_map == radar_map("ars548")
    assert readers["/two"] == RadarReader(FieldMap.load(own), "left")
    assert set(radar_readers(("/one", "/two"), ("oculii",), ("",), "")) == {"/one", "/two"}
    for drivers, frames, fields, words in [
        (("ars54",), (), "", "radar_driver is 'ars54', expected one of ars408"),
        (("../x",), (), "", "expected one of"),
        ((str(tmp_path / "no.yaml"),), (), "", "not a readable YAML file"),
        (("oculii",) * 3, (), "", "radar_driver has 3 entries, expected one, or one for each radar topic"),
        (("oculii",), ("a",), "", "radar_frame has 1 entries, expected one for each radar topic"),
        (("oculii",), (), "x y", "radar_fields is 'x y', expected six names"),
    ]:
        with pytest.raises(LircDepthError, match=words):
            radar_readers(("/one", "/two"), drivers, frames, fields)


def test_a_field_that_a_message_lacks_is_named():
    with pytest.raises(LircDepthError, match=r"radar cloud has no field RCS, v; it has .*radar_driver"):
        RadarReader(radar_map("ars548"))(cloud_of("nuscenes"))
    with pytest.raises(LircDepthError, match=r"radar_msgs/RadarScan has no field x, y, z, rcs, vx, vy; it has range"):
        RadarReader(radar_map("nuscenes"))(radar_scan_message())
