# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A key frame as the depth node matches it: an image, its radar scans, and poses at their stamps.

Stamps become integer nanoseconds; a sensor's frame is named as its channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lircdepth_core.data import nuscenes
from lircdepth_core.data.nuscenes.points import read_radar_scan
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.matching.assembler import Match, Scan
from lircdepth_core.matching.poses import CalibrationPoses

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes


def stamp_of(record: Record) -> int:
    """Return a record's time stamp in nanoseconds."""
    return int(record["timestamp"]) * 1000


def record_poses(nusc: NuScenes, records: Iterable[Record]) -> CalibrationPoses:
    """Return the mounting of the records' sensors and the ego poses at the records' stamps, as the tables have them."""
    ordered = sorted(records, key=stamp_of)
    calibrated = {r["channel"]: nusc.get("calibrated_sensor", r["calibrated_sensor_token"]) for r in ordered}
    poses = CalibrationPoses(
        Calibration({channel: nuscenes.base_from_sensor(record) for channel, record in calibrated.items()})
    )
    for record in ordered:
        poses.add_pose(stamp_of(record), nuscenes.global_from_base(nusc.get("ego_pose", record["ego_pose_token"])))
    return poses


def key_frame_match(
    nusc: NuScenes, sample: Record, camera: str, radar_channel: str, past_sweeps: int = 0
) -> tuple[Match, CalibrationPoses]:
    """Return a key frame's image record with its radar scan and ``past_sweeps`` earlier ones, newest first, and poses.

    Scans hold (RadarScan, channel), as ``matching.radar_inputs`` reads them. Raises LircDepthError for a missing file.
    """
    camera_record = nusc.get("sample_data", sample["data"][camera])
    newest = nusc.get("sample_data", sample["data"][radar_channel])
    records = nuscenes.neighbouring_records(nusc, newest, back=past_sweeps, forward=0)[::-1]
    scans = [Scan(stamp_of(record), (read_radar_scan(nusc, record), radar_channel)) for record in records]
    match = Match(stamp_of(camera_record), camera_record, {radar_channel: scans[0]}, {radar_channel: scans[1:]})
    return match, record_poses(nusc, [camera_record, *records])
