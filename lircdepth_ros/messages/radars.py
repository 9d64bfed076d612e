# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Radar messages of any driver to returns: sensor_msgs/PointCloud2, radar_msgs/RadarScan and RadarTracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import MeasuredScan, RadarScan
from lircdepth_core.radar.field_maps import FieldMap
from lircdepth_ros.messages import protocols
from lircdepth_ros.messages.clouds import POINT_FIELD_DTYPES, cloud_columns
from lircdepth_ros.share import config_directory

RADAR_TYPES = ("sensor_msgs/msg/PointCloud2", "radar_msgs/msg/RadarScan", "radar_msgs/msg/RadarTracks")
_SCAN_FIELDS = ("range", "azimuth", "elevation", "doppler_velocity", "amplitude")
_TRACK_FIELDS = ("x", "y", "z", "vx", "vy", "vz")


@dataclass(frozen=True)
class RadarReader:
    """Reads one radar's messages. radar_frame: the radar's own frame, where its driver stamps another one."""

    field_map: FieldMap
    radar_frame: str = ""

    def __call__(self, message: Any) -> tuple[RadarScan | MeasuredScan, str]:
        """Return (returns, the frame that they are in).

        Returns that hold NaN or infinity, and those that the map leaves out, are counted in the scan. Raises
        LircDepthError when a field is missing or sizes do not fit.
        """
        with np.errstate(invalid="ignore"):
            scan = self.field_map.measured(radar_columns(message, self.field_map.names), self.radar_frame)
        stamped: str = message.header.frame_id
        frame = stamped if scan.radar_frame else self.radar_frame or stamped
        return (scan if scan.needs_motion or scan.radar_frame else scan.to_scan()), frame

    @property
    def caution(self) -> str:
        """What to know about this radar, or an empty text."""
        texts = [self.field_map.caution]
        if self.field_map.in_message_frame and not self.radar_frame:
            texts.append(
                f"drivers of {self.field_map.name} stamp base_link by default: name the radar's own frame "
                "(radar_frame), from which directions are taken"
            )
        return "; ".join(text for text in texts if text)


def radar_map(driver: str, option: str = "radar_driver") -> FieldMap:
    """Return the field map of a driver's name (config/radars) or of a YAML file. Raises LircDepthError."""
    if driver.endswith((".yaml", ".yml")):
        return FieldMap.load(driver)
    path = config_directory() / "radars" / f"{driver}.yaml"
    if "/" in driver or not path.is_file():
        known = ", ".join(radar_drivers())
        raise LircDepthError(f"{option} is '{driver}', expected one of {known}, or a file that ends in .yaml")
    return FieldMap.load(path)


def radar_readers(
    topics: Sequence[str], drivers: Sequence[str], frames: Sequence[str], fields: str, prefix: str = ""
) -> dict[str, RadarReader]:
    """Return {topic: reader}.

    drivers: one for all topics, or one a topic. frames: the radars' own, one a topic, "" for that of the message; none,
    or "" alone, for all of them. fields: names for x y z rcs vx vy, which go before the drivers; "" for none. prefix:
    of the option names in the LircDepthError that is raised where one does not fit, "--" on a command line.
    """

    def option(name: str) -> str:
        return prefix + name.replace("_", "-") if prefix else name

    if fields:
        maps = [FieldMap.of_names(fields, option("radar_fields"))]
    else:
        maps = [radar_map(driver, option("radar_driver")) for driver in drivers]
    if len(maps) not in (1, len(topics)):
        raise LircDepthError(
            f"{option('radar_driver')} has {len(maps)} entries, expected one, or one for each radar topic"
        )
    own = [""] * len(topics) if not any(frames) else list(frames)
    if len(own) != len(topics):
        raise LircDepthError(f"{option('radar_frame')} has {len(frames)} entries, expected one for each radar topic")
    maps = maps * len(topics) if len(maps) == 1 else maps
    readers = [RadarReader(field_map, frame) for field_map, frame in zip(maps, own, strict=True)]
    return dict(zip(topics, readers, strict=True))


def radar_drivers() -> list[str]:
    """Return the names of the drivers whose maps are shipped."""
    return sorted(path.stem for path in Path(config_directory(), "radars").glob("*.yaml"))


def message_fields(message: Any) -> list[str]:
    """Return the names of a radar message's fields that hold one number a return."""
    if hasattr(message, "returns"):
        return list(_SCAN_FIELDS)
    if hasattr(message, "tracks"):
        return list(_TRACK_FIELDS)
    return [entry.name for entry in message.fields if entry.count == 1 and entry.datatype in POINT_FIELD_DTYPES]


def radar_columns(message: Any, names: Sequence[str]) -> Mapping[str, npt.NDArray[np.float64]]:
    """Return the named fields of a message as {field: [N]}.

    The fields of radar_msgs/RadarScan are range, azimuth, elevation, doppler_velocity and amplitude, those of
    RadarTracks x, y, z, vx, vy and vz. Raises LircDepthError when a field is missing or sizes do not fit.
    """
    if hasattr(message, "returns"):
        rows = [[getattr(entry, name) for name in _SCAN_FIELDS] for entry in message.returns]
        return _columns("radar_msgs/RadarScan", rows, _SCAN_FIELDS, names)
    if hasattr(message, "tracks"):
        places = [(entry.position, entry.velocity) for entry in message.tracks]
        rows = [[p.x, p.y, p.z, v.x, v.y, v.z] for p, v in places]
        return _columns("radar_msgs/RadarTracks", rows, _TRACK_FIELDS, names)
    cloud: protocols.PointCloud2 = message
    read = cloud_columns(cloud, names)
    return {name: read[name] for name in names}


def _columns(
    kind: str, rows: Sequence[Sequence[float]], known: Sequence[str], names: Sequence[str]
) -> Mapping[str, npt.NDArray[np.float64]]:
    missing = [name for name in names if name not in known]
    if missing:
        raise LircDepthError(f"{kind} has no field {', '.join(missing)}; it has {', '.join(known)}")
    table = np.asarray(rows, np.float64).reshape(-1, len(known))
    return {name: table[:, known.index(name)] for name in names}
