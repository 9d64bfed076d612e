# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an image's matched radar scans to what DepthPipeline takes: the one path for node, bags and data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lircdepth_core import geometry, radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.matching.assembler import Match, Scan
from lircdepth_core.matching.poses import PoseSource, Transform, own_velocity
from lircdepth_core.radar import MeasuredScan, RadarScan

NO_EGO_MOTION = "no ego motion between radar and camera stamps: the vehicle is taken to stand"


@dataclass
class RadarInputs:
    """What DepthPipeline takes of a match.

    scans: [(scan, camera_from_radar)]. without_motion: whether a matched scan lacks the ego motion to the image's time.
    past_left_out: how many past sweeps are not used, because the ego motion since then is not known.
    """

    scans: list[tuple[RadarScan, Transform]] = field(default_factory=list)
    without_motion: bool = False
    past_left_out: int = 0


def radar_inputs(
    match: Match,
    camera_frame: str,
    poses: PoseSource,
    velocity_compensation: bool,
    leave_out: Callable[[str, LircDepthError], None],
) -> RadarInputs:
    """Return the scans of a match with their transforms, past sweeps included.

    match: its scans and past sweeps hold (RadarScan or MeasuredScan, frame id). velocity_compensation: returns of
    moving things are moved on by their own velocity to the time of the image, too. A scan without a transform is left
    out, and told to ``leave_out(name of the radar, error)``. A past sweep without ego motion is left out: it would be
    drawn in the wrong place, and the newest scan is there.
    """
    inputs = RadarInputs()
    for name, newest in match.scans.items():
        for scan in (newest, *match.past.get(name, ())):
            try:
                returns, frame, speed_known = _in_convention(scan, poses)
                transform, moved = poses.camera_from_sensor(camera_frame, match.stamp, frame, scan.stamp)
                if not moved and scan is not newest:
                    inputs.past_left_out += 1
                    continue
                if velocity_compensation:
                    mounting, _ = poses.camera_from_sensor(camera_frame, match.stamp, frame, match.stamp)
                    seconds = (match.stamp - scan.stamp) / 1e9
                    returns = radar.move_to(returns, geometry.invert(mounting) @ transform, seconds)
                    transform = mounting
            except LircDepthError as error:
                leave_out(name, error)
                continue
            inputs.without_motion |= not (moved and speed_known)
            inputs.scans.append((returns, transform))
    return inputs


def _in_convention(scan: Scan, poses: PoseSource) -> tuple[RadarScan, str, bool]:
    """Return (scan in the network's convention, its frame, whether the sensor's own motion is in its velocities)."""
    returns: RadarScan | MeasuredScan
    returns, frame = scan.data
    stamp = scan.stamp
    if isinstance(returns, RadarScan):
        return returns, frame, True
    if returns.radar_frame:
        radar_from_message, _ = poses.camera_from_sensor(returns.radar_frame, stamp, frame, stamp)
        returns, frame = returns.moved(radar_from_message), returns.radar_frame
    if not returns.needs_motion:
        return returns.to_scan(), frame, True
    velocity, known = own_velocity(poses, frame, stamp)
    return returns.to_scan(velocity), frame, known
