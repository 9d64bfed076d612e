# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar files and channels: every real scan decodes as the devkit decodes it; drawing follows REFERENCE's rules."""

import numpy as np
import pytest

from lircdepth_core import radar
from lircdepth_core.errors import LircDepthError
from paths import SHARED

INTRINSICS = np.array([[100.0, 0.0, 80.0], [0.0, 100.0, 48.0], [0.0, 0.0, 1.0]])
CAMERA_FROM_RADAR = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])  # same place, same heading


def returns(count):
    rng = np.random.default_rng(count)
    values = np.zeros(count, dtype=radar.PCD_DTYPE)
    for name in values.dtype.names:
        whole = values.dtype[name].kind == "i"
        values[name] = rng.integers(-128, 128, count) if whole else rng.normal(0, 50, count)
    return values


def test_every_real_scan_decodes_as_the_devkit_decodes_it(real_radar_scans):
    devkit = pytest.importorskip("nuscenes.utils.data_classes").RadarPointCloud
    points = 0
    everything = {"invalid_states": range(18), "dynprop_states": range(8), "ambig_states": range(5)}
    for path in real_radar_scans:
        decoded = radar.decode_pcd(path.read_bytes(), path)
        expected = devkit.from_file(str(path), **everything).points
        for i, name in enumerate(radar.PCD_DTYPE.names):
            np.testing.assert_array_equal(decoded[name].astype(expected.dtype), expected[i], err_msg=f"{path}: {name}")
        points += len(decoded)
    assert (len(real_radar_scans), points) == (404, 48_659)


def test_of_real_scans_the_velocity_comes_back_from_the_speed_along_the_line_of_sight(real_radar_scans):
    """The sensor's motion is that of the standing returns, whose compensated speed is below 0.5 m/s."""
    errors, standing = [], []
    for path in real_radar_scans:
        returns = radar.decode_pcd(path.read_bytes(), path)
        points, velocity = (
            np.stack([returns[name] for name in names], axis=1).astype(np.float64) for names in ("xyz", ("vx", "vy"))
        )
        still = np.hypot(returns["vx_comp"], returns["vy_comp"]) < 0.5
        own = np.array([*-np.median(velocity[still], axis=0), 0.0])
        sight = points / np.linalg.norm(points, axis=1, keepdims=True)
        along = (sight[:, :2] * velocity).sum(axis=1, keepdims=True)
        scan = radar.MeasuredScan(points, returns["rcs"], along, radar.VelocityKind.RADIAL).to_scan(own)
        back = (sight[:, :2] * scan.velocity).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(back, along, atol=1e-4, err_msg="what was measured stays")
        errors.append(np.linalg.norm(scan.velocity - velocity, axis=1))
        standing.append(still)
    error, still = np.concatenate(errors), np.concatenate(standing)
    for name, chosen in (("standing", still), ("moving", ~still)):
        share = np.percentile(error[chosen], [50, 90, 95])
        print(f"{name}: {chosen.sum():,} returns, error across the line of sight {share.round(2)} m/s (50, 90, 95 %)")
    assert np.median(error[still]) < 0.15


@pytest.mark.parametrize("count", [0, 1, 125])
def test_what_is_encoded_decodes_to_the_same(count):
    values = returns(count)
    decoded = radar.decode_pcd(radar.encode_pcd(values) + bytes(100))
    assert decoded.tobytes() == values.tobytes()


def test_a_file_that_is_no_nuscenes_radar_scan_is_refused_by_name():
    whole = radar.encode_pcd(returns(3))
    cases = {
        "not a binary PCD": b"hello",
        "truncated: 128 bytes of points, expected 129": whole[:-2],
        "FIELDS is 'x y z'": whole.replace(" ".join(radar.PCD_DTYPE.names).encode(), b"x y z"),
        "POINTS is '-3'": whole.replace(b"POINTS 3", b"POINTS -3"),
        "POINTS is '99999999999'": whole.replace(b"POINTS 3", b"POINTS 99999999999"),
        "SIZE is ''": whole.replace(b"SIZE", b"SIZES"),
    }
    for message, data in cases.items():
        with pytest.raises(LircDepthError, match=f"scan.pcd: {message}"):
            radar.decode_pcd(data, "scan.pcd")


def test_returns_that_are_not_finite_are_left_out_and_counted():
    x = [1.0, np.nan, 3.0, 4.0]
    scan = radar.RadarScan.from_fields(x, [0.0] * 4, [0.0] * 4, [5.0, 5.0, np.inf, 5.0], [0.0] * 4, [0.0] * 4)
    assert scan.points[:, 0].tolist() == [1.0, 4.0]
    assert scan.rejected == 2


def test_the_nearest_return_wins_a_pixel_whatever_the_order():
    depth = np.array([30.0, 10.0, 20.0])
    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        channels = radar.rasterize(
            np.full((3, 2), 5.2), depth[order], depth[order] + 1, np.stack([depth, -depth], 1)[order], 12, 8
        )
        assert channels[:, 5, 5].tolist() == [10.0, 11.0, 10.0, -10.0]
        assert np.count_nonzero(channels) == 4


def test_positions_are_rounded_half_to_even():
    pixels = np.array([[2.5, 3.5], [4.5, 5.49]])
    channels = radar.rasterize(pixels, np.array([1.0, 2.0]), np.ones(2), np.ones((2, 2)), 10, 10)
    assert np.argwhere(channels[0]).tolist() == [[4, 2], [5, 4]]


def test_a_scan_projects_to_hand_computed_pixels():
    scan = radar.RadarScan.from_fields(
        [10.0, 10.0, -5.0, 0.5],
        [2.0, 50.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [7.0, 8.0, 9.0, 9.0],
        [-3.0] * 4,
        [1.0] * 4,
    )
    pixels, depth, rcs, velocity = radar.project_scan(scan, CAMERA_FROM_RADAR, INTRINSICS, 160, 96)
    # Only the first is in view: the second is far to the left, the third behind, the fourth nearer than a metre.
    np.testing.assert_allclose(pixels, [[80 - 20, 48 - 10]])
    assert (depth.tolist(), rcs.tolist(), velocity.tolist()) == ([10.0], [7.0], [[-3.0, 1.0]])


def test_velocity_of_a_radar_that_looks_elsewhere_is_turned_into_the_cameras_heading():
    half = np.radians(90) / 2
    from lircdepth_core import geometry

    to_the_left = CAMERA_FROM_RADAR @ geometry.rigid_transform((0, 0, 0), (np.cos(half), 0, 0, np.sin(half)))
    velocity = np.array([[3.0, 0.5]], dtype=np.float32)
    # Forward of a radar that looks left is the camera's left; the radar's left is the camera's backward.
    np.testing.assert_allclose(radar.velocity_in_camera_heading(velocity, to_the_left), [[-0.5, 3.0]], atol=1e-6)
    assert radar.velocity_in_camera_heading(velocity, CAMERA_FROM_RADAR) is velocity


def test_a_past_scan_is_moved_to_now_standing_things_by_the_sensor_and_moving_ones_by_themselves():
    """The sensor drove 2 m on in 0.2 s. A wall stands; a car ahead keeps its distance; another comes at 20 m/s."""
    from lircdepth_core import geometry

    scan = radar.RadarScan.from_fields(
        [30.0, 30.0, 30.0], [4.0, 0.0, -2.0], [0.0] * 3, [1.0, 2.0, 3.0], [-10.0, 0.0, -20.0], [0.0] * 3
    )
    now_from_then = geometry.rigid_transform((-2.0, 0.0, 0.0), (1, 0, 0, 0))
    moved = radar.move_to(scan, now_from_then, 0.2)
    np.testing.assert_allclose(moved.points, [[28.0, 4.0, 0.0], [30.0, 0.0, 0.0], [26.0, -2.0, 0.0]], atol=1e-5)
    assert moved.rcs.tolist() == [1.0, 2.0, 3.0]


@pytest.fixture
def real_radar_scans():
    folder = SHARED / "nuscenes_real_radar"
    if not folder.is_dir():
        pytest.skip(f"the real radar scans are not at {folder}")
    return sorted(folder.glob("*.pcd"))
