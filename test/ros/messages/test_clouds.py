# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Point clouds to radar scans and points: any layout, any field type; declared sizes are not trusted.

Where the ROS installation has sensor_msgs_py it does the reading, and the same tests hold for it.
"""

import array
from types import SimpleNamespace

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_ros.messages.clouds import cloud_to_points, point_field_layout
from lircdepth_ros.messages.radars import RadarReader
from messages import changed

try:  # real messages where there are any: cv_bridge and sensor_msgs_py want them
    from sensor_msgs.msg import PointCloud2, PointField
    from std_msgs.msg import Header
except ImportError:
    PointCloud2 = PointField = Header = SimpleNamespace

NAMES = ("x", "y", "z", "rcs", "vx", "vy")
POINTS = np.arange(24, dtype=np.float32).reshape(4, 6)
KINDS = {"f4": 7, "f8": 8, "i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6}


def cloud(points=POINTS, names=NAMES, kinds=None, big_endian=False, padding=0, height=1, extra=3):
    """A PointCloud2 [N, 6] with ``extra`` unused bytes after each point and ``padding`` after each row."""
    order = ">" if big_endian else "<"
    kinds = kinds or ["f4"] * len(names)
    dtype = np.dtype([(name, order + kind) for name, kind in zip(names, kinds, strict=True)] + [("unused", "V", extra)])
    records = np.zeros(len(points), dtype)
    for name, column in zip(names, points.T, strict=True):
        records[name] = column
    rows = records.reshape(height, -1).view(np.uint8).reshape(height, -1)
    rows = np.concatenate([rows, np.full((height, padding), 0xCD, np.uint8)], axis=1)
    return PointCloud2(
        header=Header(frame_id="radar"),
        height=height,
        width=len(points) // height,
        fields=[
            PointField(name=name, offset=dtype.fields[name][1], datatype=KINDS[kind], count=1)
            for name, kind in zip(names, kinds, strict=True)
        ],
        is_bigendian=big_endian,
        point_step=dtype.itemsize,
        row_step=rows.shape[1],
        data=array.array("B", rows.tobytes()),
    )


def radar_scan(message, names=NAMES):
    return RadarReader(FieldMap.of_names(" ".join(names), "names"))(message)[0]


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("height", [1, 2])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("kinds", [["f4"] * 6, ["f8"] * 6, ["f4", "f8", "i2", "i1", "u4", "u1"]])
def test_a_cloud_is_read_by_field_name_in_any_layout(kinds, big_endian, height, padding):
    scan = radar_scan(cloud(POINTS, NAMES, kinds, big_endian, padding, height))
    np.testing.assert_array_equal(scan.points, POINTS[:, :3])
    np.testing.assert_array_equal(scan.rcs, POINTS[:, 3])
    np.testing.assert_array_equal(scan.velocity, POINTS[:, 4:])
    assert scan.points.dtype == scan.rcs.dtype == scan.velocity.dtype == np.float32


def test_another_drivers_field_names_are_mapped():
    names = ("range_x", "range_y", "range_z", "RCS", "vel_x", "vel_y")
    scan = radar_scan(cloud(names=names), names)
    np.testing.assert_array_equal(scan.velocity, POINTS[:, 4:])
    flat = radar_scan(cloud(), ("x", "y", "z", "rcs", "vx", "vx"))
    np.testing.assert_array_equal(flat.velocity, POINTS[:, [4, 4]])


def test_returns_that_are_not_finite_are_left_out_and_counted():
    points = POINTS.copy()
    points[0, 0], points[2, 5] = np.nan, np.inf
    scan = radar_scan(cloud(points))
    np.testing.assert_array_equal(scan.points, POINTS[[1, 3], :3])
    assert scan.rejected == 2
    huge = radar_scan(cloud(POINTS.astype(np.float64) * 1e300, kinds=["f8"] * 6))
    assert (len(huge), huge.rejected) == (0, 4)


def test_an_empty_cloud_is_an_empty_scan():
    assert len(radar_scan(cloud(POINTS[:0]))) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"point_step": 20, "row_step": 80}, "ends at byte 24, beyond point_step 20"),
        ({"point_step": 0, "row_step": 0}, "beyond point_step 0"),
        ({"width": 0, "point_step": 2**31, "data": array.array("B")}, "declares 0x1 points of 2147483648 bytes"),
        ({"width": 5}, "rows of 108|holds"),
        ({"width": 2**30, "row_step": 2**30}, "declares 1073741824x1"),
        ({"data": array.array("B", bytes(100))}, "holds 100 bytes, expected row_step"),
        ({"fields": []}, "has no field x, y, z, rcs, vx, vy; it has none"),
    ],
)
def test_a_cloud_whose_sizes_do_not_fit_is_refused(changes, words):
    with pytest.raises(LircDepthError, match=words):
        radar_scan(changed(cloud(), **changes))


def test_a_cloud_without_rcs_names_what_is_missing_and_what_is_there():
    with pytest.raises(LircDepthError, match=r"has no field rcs; it has x, y, z, vx, vy .*radar_fields"):
        radar_scan(cloud(POINTS[:, :5], ("x", "y", "z", "vx", "vy")))


@pytest.mark.parametrize(("attribute", "value"), [("datatype", 0), ("datatype", 9), ("count", 3), ("count", 0)])
def test_a_field_that_is_not_one_number_is_refused(attribute, value):
    message = cloud()
    setattr(message.fields[3], attribute, value)
    with pytest.raises(LircDepthError, match="field 'rcs' has datatype"):
        radar_scan(message)


def test_points_are_the_positions_that_are_finite():
    points = POINTS[:, :3].copy()
    points[1, 2] = np.nan
    read = cloud_to_points(cloud(points, ("x", "y", "z")))
    np.testing.assert_array_equal(read, POINTS[[0, 2, 3], :3])
    assert read.dtype == np.float32
    with pytest.raises(LircDepthError, match=r"point cloud has no field z; it has x, y$"):
        cloud_to_points(cloud(points[:, :2], ("x", "y")))


def test_the_layout_of_a_structured_array_has_the_types_of_point_field():
    """The constants of sensor_msgs/PointField: INT8 is 1, UINT16 is 4, FLOAT32 is 7, FLOAT64 is 8."""
    dtype = np.dtype([("a", "<f4"), ("b", "i1"), ("c", "<u2"), ("d", "<f8")])
    assert point_field_layout(dtype) == [("a", 0, 7), ("b", 4, 1), ("c", 5, 4), ("d", 7, 8)]
