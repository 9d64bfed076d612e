# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""An image is described by the camera_info of its own stamp where there is one."""

from lircdepth_core.matching.camera_infos import CameraInfos


def test_the_own_stamps_message_goes_before_a_newer_one():
    """A camera that zooms: the info of the next image may be there before the image is released."""
    infos = CameraInfos()
    infos.add(100, "wide")
    infos.add(200, "tele")
    assert infos.take(100) == "wide"
    assert infos.take(200) == "tele"
    assert infos.take(300) == "tele", "without an own one the newest counts"


def test_a_calibration_that_is_sent_once_is_not_waited_for():
    infos = CameraInfos()
    assert not infos.ready(100)
    infos.add(100, "once")
    assert infos.take(100) == "once"
    assert infos.ready(200)
    assert infos.take(200) == "once"


def test_where_each_image_has_its_own_it_is_waited_for_until_one_is_lost():
    infos = CameraInfos()
    for stamp in (100, 200, 300):
        infos.add(stamp, stamp)
        infos.take(stamp)
    assert not infos.ready(400)
    assert infos.take(400) == 300
    assert infos.ready(500)


def test_memory_is_bounded():
    infos = CameraInfos()
    for stamp in range(1000):
        infos.add(stamp, stamp)
    assert infos.take(0) == 999
    assert infos.take(940) == 940
