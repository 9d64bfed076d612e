# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""CameraInfo to intrinsics."""

from types import SimpleNamespace

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages.camera_info import camera_matrix, require_size

try:
    from sensor_msgs.msg import CameraInfo
except ImportError:
    CameraInfo = SimpleNamespace


def camera_info(
    k=(1266.0, 0, 816, 0, 1266.0, 491, 0, 0, 1), p=(1000.0, 0, 800, 0, 0, 1000.0, 450, 0, 0, 0, 1, 0), d=()
):
    return CameraInfo(width=1600, height=900, k=np.float64(k), p=np.float64(p), d=[float(x) for x in d])


def test_camera_info_gives_the_matrix_of_the_rectified_image():
    matrix, size = camera_matrix(camera_info(d=[0.0] * 5))
    assert matrix[0].tolist() == [1266.0, 0.0, 816.0]
    assert size == (1600, 900)
    matrix, _ = camera_matrix(camera_info(d=[0.1, 0, 0, 0, 0]))
    assert matrix[0].tolist() == [1000.0, 0.0, 800.0], "with distortion in D, the rectified image is described by P"


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (camera_info(k=[0.0] * 9), "not calibrated"),
        (camera_info(k=[np.nan] * 9), "not calibrated"),
        (camera_info(d=[0.1] * 5, p=[0.0] * 12), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[1.0] + [0.0] * 11), "no P matrix"),
        (camera_info(d=[0.1] * 5, p=[np.nan] * 12), "no P matrix"),
    ],
)
def test_an_uncalibrated_camera_is_refused(info, words):
    with pytest.raises(LircDepthError, match=words):
        camera_matrix(info)


def test_an_image_of_another_size_than_camera_infos_is_refused():
    require_size(np.zeros((900, 1600, 3)), (1600, 900))
    with pytest.raises(LircDepthError, match="camera_info is for 1600x900, depth is 160x96"):
        require_size(np.zeros((96, 160)), (1600, 900), "depth")
