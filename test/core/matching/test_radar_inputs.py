# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Past sweeps are used only where the way since then is known."""

import numpy as np

from lircdepth_core.geometry import rigid_transform
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.matching.assembler import Match, Scan
from lircdepth_core.matching.poses import CalibrationPoses
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_core.radar import RadarScan

MS = 1_000_000
IDENTITY = (1.0, 0.0, 0.0, 0.0)


def match():
    scans = [Scan(stamp * MS, (RadarScan.from_fields([float(stamp)], [0], [0], [0], [0], [0]), "radar"))
             for stamp in (950, 850, 750)]  # fmt: skip
    return Match(1000 * MS, "image", {"front": scans[0]}, {"front": scans[1:]})


def poses(*stamps):
    source = CalibrationPoses(Calibration({"camera": np.eye(4), "radar": np.eye(4)}))
    for stamp in stamps:
        source.add_pose(stamp * MS, rigid_transform((stamp / 100, 0, 0), IDENTITY))
    return source


def inputs_with(source):
    def refuse(name, error):
        raise error

    return radar_inputs(match(), "camera", source, False, refuse)


def test_without_ego_motion_no_past_sweep_is_drawn_and_that_is_counted():
    found = inputs_with(poses())
    assert [scan.points[0, 0] for scan, _ in found.scans] == [950]
    assert (found.without_motion, found.past_left_out) == (True, 2)


def test_a_past_sweep_from_before_the_first_pose_is_left_out_alone():
    found = inputs_with(poses(800, 900, 1000))
    assert [scan.points[0, 0] for scan, _ in found.scans] == [950, 850]
    assert [transform[0, 3] for _, transform in found.scans] == [-0.5, -1.5]  # at 10 m/s
    assert (found.without_motion, found.past_left_out) == (False, 1)
