# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an image's matched radar scans to what DepthPipeline takes: the one path for node, bags and data sets."""

from __future__ import annotations

from collections.abc import Callable

from lircdepth_core import geometry, radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.assembler import Match
from lircdepth_core.matching.poses import PoseSource, Transform
from lircdepth_core.radar import RadarScan


def radar_inputs(
    match: Match,
    camera_frame: str,
    poses: PoseSource,
    velocity_compensation: bool,
    leave_out: Callable[[str, LircDepthError], None],
) -> tuple[list[tuple[RadarScan, Transform]], bool]:
    """Return [(scan, camera_from_radar)] of all scans of a match, and whether one of them lacks ego motion.

    match: its scans and past sweeps hold (RadarScan, frame id). velocity_compensation: returns of moving things are
    moved on by their own velocity to the time of the image, too. A scan without a transform is left out, and told to
    ``leave_out(name of the radar, error)``.
    """
    inputs = []
    without_motion = False
    for name, newest in match.scans.items():
        for scan in (newest, *match.past.get(name, ())):
            returns, frame = scan.data
            try:
                transform, moved = poses.camera_from_sensor(camera_frame, match.stamp, frame, scan.stamp)
                if velocity_compensation:
                    mounting, _ = poses.camera_from_sensor(camera_frame, match.stamp, frame, match.stamp)
                    seconds = (match.stamp - scan.stamp) / 1e9
                    returns = radar.move_to(returns, geometry.invert(mounting) @ transform, seconds)
                    transform = mounting
            except LircDepthError as error:
                leave_out(name, error)
                continue
            without_motion |= not moved
            inputs.append((returns, transform))
    return inputs, without_motion
