# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth radar-check`: the recording itself decides what a radar's fields mean, and how it is mounted."""

import json

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
from PIL import Image

import small_bags as small
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_ros import cli
from lircdepth_ros.messages import building
from small_bags import MS, RADAR, START

SCANS, RETURNS, SPEED = 12, 60, 11.0


def scene(turned=0.0):
    """Yield (stamp, points, radial speeds, rcs) as a sensor sees them that looks ``turned`` rad further to the left.

    A third of the returns move.
    """
    generator = np.random.default_rng(7)
    own = SPEED * np.array([np.cos(turned), -np.sin(turned), 0.0])
    for i in range(SCANS):
        azimuth, distance = generator.uniform(-0.8, 0.8, RETURNS), generator.uniform(5, 100, RETURNS)
        points = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth), np.full(RETURNS, 0.3)], axis=1)
        sight = points / np.linalg.norm(points, axis=1, keepdims=True)
        moving = np.where(np.arange(RETURNS) % 3, 0.0, generator.uniform(-15, 15, RETURNS))
        noise = generator.normal(0, 0.08, RETURNS)
        yield START + i * 100 * MS, points, moving - sight @ own + noise, sight, own, generator.uniform(-5, 20, RETURNS)


def bag_of(path, columns, turned=0.0, speed=SPEED, extra=()):
    """Write a bag of a radar whose fields are columns(points, radial speed, sight, own velocity, rcs)."""
    entries = [("/tf_static", START, small.static_tf()), *extra]
    for stamp, points, radial, sight, own, rcs in scene(turned):
        fields = columns(points, radial, sight, own, rcs)
        cloud = np.zeros(RETURNS, [(name, "<f4") for name in fields])
        for name, values in fields.items():
            cloud[name] = values
        entries.append((RADAR, stamp + 1, building.point_cloud(stamp, "RADAR_FRONT", cloud)))
    stamps = [START + i * 50 * MS for i in range(-4, 2 * SCANS + 4)]
    entries += [("/odom", stamp, small.odometry(stamp, (stamp - START) / 1e9 * speed)) for stamp in stamps]
    return small.write(path, entries)


def cartesian(points):
    return dict(zip("xyz", points.T, strict=True))


def smartmicro(points, radial, sight, own, rcs):
    return cartesian(points) | {"radial_speed": radial, "power": rcs + 30, "rcs": rcs, "range": 0 * rcs}


def nuscenes(points, radial, sight, own, rcs):
    velocity = (radial + sight @ own)[:, None] * sight - own
    compensated = (radial + sight @ own)[:, None] * sight
    names = ("vx", "vy", "vx_comp", "vy_comp")
    values = (*velocity.T[:2], *compensated.T[:2])
    return cartesian(points) | {"rcs": rcs} | dict(zip(names, values, strict=True))


def backwards(points, radial, sight, own, rcs):
    distance = np.linalg.norm(points, axis=1)
    polar = {"range": distance, "azimuth": np.arctan2(sight[:, 1], sight[:, 0]), "elevation": np.arcsin(sight[:, 2])}
    return polar | {"doppler": -radial, "snr": rcs + 10}


def check(bag, *options):
    return cli.main(["radar-check", str(bag), *map(str, options)])


@pytest.mark.parametrize(("columns", "driver"), [(smartmicro, "smartmicro"), (nuscenes, "nuscenes")])
def test_a_known_drivers_recording_names_the_driver(tmp_path, capsys, columns, driver):
    assert check(bag_of(tmp_path / "bag", columns), "-o", tmp_path / "check.png") == 0
    printed = capsys.readouterr().out
    assert f"{RADAR}: sensor_msgs/msg/PointCloud2, {SCANS} scans" in printed
    assert f"radar_driver: {driver}\n" in printed
    assert "mounting does not fit" not in printed
    with Image.open(tmp_path / "check.png") as picture:
        assert picture.size[0] > 800
    assert check(tmp_path / "bag", "--json") == 0
    found = json.loads(capsys.readouterr().out)[RADAR]
    assert (found["scans"], found["radar_driver"]) == (SCANS, driver)
    best, *others = found["readings"]
    assert f"{best['standing']:7.1%}  {best['read_as']} " in printed
    assert all(other["standing"] <= best["standing"] for other in others)


def test_a_drivers_that_is_not_known_gets_a_map_with_its_sign(tmp_path, capsys):
    assert check(bag_of(tmp_path / "bag", backwards)) == 0
    printed = capsys.readouterr().out
    text = printed.split("a file for radar_driver:\n")[1]
    (tmp_path / "own.yaml").write_text("\n".join(line[4:] for line in text.splitlines() if line.startswith("    ")))
    found = FieldMap.load(tmp_path / "own.yaml")
    assert (found.position, found.polar) == (("range", "azimuth", "elevation"), True)
    assert (found.kind.value, found.velocity, found.sign) == ("radial", ("doppler",), -1.0)
    assert found.rcs.field == "snr"
    assert not found.rcs.measured


@pytest.mark.parametrize("degrees", [9.0, -25.0])
def test_a_mounting_that_does_not_fit_is_told_with_the_angle(tmp_path, capsys, degrees):
    assert check(bag_of(tmp_path / "bag", smartmicro, turned=np.radians(degrees))) == 0
    printed = capsys.readouterr().out
    side = "left" if degrees > 0 else "right"
    (line,) = (line for line in printed.splitlines() if "mounting does not fit" in line)
    found = float(line.split(" looks ")[1].split()[0])
    assert abs(found - abs(degrees)) < 1.0
    assert line.endswith(f"to the {side}")


def test_a_damaged_message_is_named_and_the_others_decide(tmp_path, capsys):
    damaged = building.point_cloud(START + 50 * MS, "RADAR_FRONT", np.zeros(3, [(axis, "<f4") for axis in "xyz"]))
    bag = bag_of(tmp_path / "bag", smartmicro, extra=[(RADAR, START + 50 * MS, small.cut(damaged))])
    assert check(bag) == 0
    captured = capsys.readouterr()
    assert "radar_driver: smartmicro\n" in captured.out
    assert f"note: 1 messages of {RADAR} are damaged" in captured.err
    assert f"{RADAR} at {START + 50 * MS}: message is damaged" in captured.err


def test_what_cannot_be_decided_is_one_line(tmp_path, capsys):
    assert check(bag_of(tmp_path / "still", smartmicro, speed=0.0)) == 2
    captured = capsys.readouterr()
    assert "does not drive at 2 m/s or more" in captured.err.splitlines()[-1]
    bag = bag_of(tmp_path / "flat", lambda points, *_: cartesian(points))
    assert check(bag) == 2
    assert "no topic with a field that may be a velocity" in capsys.readouterr().err
    depth = [
        ("/CAM_FRONT/depth/image", START, building.image(START, "CAM_FRONT", np.ones((4, 4), np.float32), "32FC1"))
    ]
    assert check(small.write(tmp_path / "depth", depth)) == 2
    assert "no topic with a field that may be a velocity; it has /CAM_FRONT/depth/image" in capsys.readouterr().err
    assert check(bag, "--radar-topics", "/none") == 2
    assert "has no topic /none" in capsys.readouterr().err


def test_positions_in_the_vehicles_frame_are_seen_from_the_radar(tmp_path, capsys):
    base_from_radar = small.MOUNTING["RADAR_FRONT"]

    def in_base(points, radial, sight, own, rcs):
        moved = points @ base_from_radar[:3, :3].T + base_from_radar[:3, 3]
        return cartesian(moved) | {"radial_velocity": radial, "rcs": rcs}

    assert check(bag_of(tmp_path / "bag", in_base), "--radar-frame", "RADAR_FRONT") == 0
    assert "radar_driver: bosch_corner\n" in capsys.readouterr().out
