# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""CameraInfo to intrinsics."""

from types import SimpleNamespace

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import RadarScan
from lircdepth_ros.messages.camera_info import camera_matrix, moved_to_projection, require_size

try:
    from sensor_msgs.msg import CameraInfo, RegionOfInterest
except ImportError:
    CameraInfo = RegionOfInterest = SimpleNamespace


def camera_info(
    k=(1266.0, 0, 816, 0, 1266.0, 491, 0, 0, 1),
    p=(1000.0, 0, 800, 0, 0, 1000.0, 450, 0, 0, 0, 1, 0),
    d=(),
    binning=(0, 0),
    roi=(0, 0, 0, 0),
):
    x_offset, y_offset, width, height = roi
    return CameraInfo(
        width=1600,
        height=900,
        k=np.float64(k),
        p=np.float64(p),
        d=[float(x) for x in d],
        binning_x=binning[0],
        binning_y=binning[1],
        roi=RegionOfInterest(x_offset=x_offset, y_offset=y_offset, width=width, height=height),
    )


@pytest.mark.parametrize("d", [(), [0.0] * 5, [0.1, 0, 0, 0, 0]])
def test_p_describes_the_rectified_image_wherever_it_is_given(d):
    """A rectified stereo pair has D = 0, and P differs from K there, too."""
    matrix, size = camera_matrix(camera_info(d=d))
    assert matrix.tolist() == [[1000.0, 0.0, 800.0], [0.0, 1000.0, 450.0], [0.0, 0.0, 1.0]]
    assert size == (1600, 900)


def test_without_p_and_without_distortion_k_does():
    matrix, _ = camera_matrix(camera_info(p=[0.0] * 12))
    assert matrix[0].tolist() == [1266.0, 0.0, 816.0]


def test_binning_and_a_region_of_interest_change_the_matrix_as_rep_104_says():
    """As image_geometry: the window's corner is subtracted at full resolution, then everything is divided."""
    matrix, size = camera_matrix(camera_info(binning=(2, 4)))
    assert matrix.tolist() == [[500.0, 0.0, 400.0], [0.0, 250.0, 112.5], [0.0, 0.0, 1.0]]
    assert size == (800, 225)
    matrix, size = camera_matrix(camera_info(roi=(100, 50, 1200, 800)))
    assert matrix.tolist() == [[1000.0, 0.0, 700.0], [0.0, 1000.0, 400.0], [0.0, 0.0, 1.0]]
    assert size == (1200, 800)
    matrix, size = camera_matrix(camera_info(roi=(100, 50, 1200, 800), binning=(2, 2)))
    assert matrix.tolist() == [[500.0, 0.0, 350.0], [0.0, 500.0, 200.0], [0.0, 0.0, 1.0]]
    assert size == (600, 400)
    assert camera_matrix(camera_info(roi=(0, 0, 1600, 900), binning=(1, 1)))[1] == (1600, 900)


def test_the_second_camera_of_a_stereo_pair_is_a_baseline_beside_the_frame():
    """P[3] = -fx * baseline: a point straight ahead of the first camera is 0.12 m to the left of the second."""
    info = camera_info(p=(1000.0, 0, 800, -120.0, 0, 1000.0, 450, 0, 0, 0, 1, 0))
    scan = RadarScan.from_fields([1], [0], [0], [0], [0], [0])
    ((_, transform),) = moved_to_projection([(scan, np.eye(4))], info)
    point = transform @ [0, 0, 10, 1]
    matrix, _ = camera_matrix(info)
    u = (matrix @ point[:3])[0] / point[2]
    assert u == pytest.approx((np.reshape(info.p, (3, 4)) @ [0, 0, 10, 1])[0] / 10) == pytest.approx(788.0)
    ((_, transform),) = moved_to_projection([(scan, np.eye(4))], camera_info())
    np.testing.assert_array_equal(transform, np.eye(4))


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (camera_info(k=[0.0] * 9), "not calibrated"),
        (camera_info(k=[np.nan] * 9), "not calibrated"),
        (camera_info(k=[5e-324] * 9), "not calibrated"),
        (camera_info(d=[0.1] * 5, p=[0.0] * 12), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[1.0] + [0.0] * 11), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[np.nan] * 12), "no P matrix"),
        (camera_info(p=[np.nan] * 12), "P matrix of no camera"),
        (camera_info(roi=(1000, 0, 800, 900)), "region of interest of 800x900 at .1000, 0., beyond .* 1600x900"),
    ],
)
def test_an_uncalibrated_camera_is_refused(info, words):
    with pytest.raises(LircDepthError, match=words):
        camera_matrix(info)


def test_an_image_of_another_size_than_camera_infos_is_refused():
    require_size(np.zeros((900, 1600, 3)), (1600, 900))
    with pytest.raises(LircDepthError, match="camera_info is for 1600x900, depth is 160x96"):
        require_size(np.zeros((96, 160)), (1600, 900), "depth")
