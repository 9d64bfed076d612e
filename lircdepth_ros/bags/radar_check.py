# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the radars of a recording measure, decided by the recording itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME
from lircdepth_core.geometry.trajectory import MIN_BASELINE
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.matching.account import Account
from lircdepth_core.matching.poses import own_velocity
from lircdepth_core.radar import VelocityKind
from lircdepth_core.radar.field_maps import CARTESIAN, POLAR, FieldMap
from lircdepth_core.radar.hypotheses import Hypothesis, Returns, Verdict, judge, speed_fields
from lircdepth_ros.bags.depth_options import calibration_of
from lircdepth_ros.bags.poses import BagPoses, add_pose
from lircdepth_ros.bags.reading import BagAccount, open_bag, read_messages
from lircdepth_ros.messages.radars import RADAR_TYPES, message_fields, radar_columns, radar_drivers, radar_map
from lircdepth_ros.messages.stamps import stamp_to_ns

LEAST_SPEED_M_S = 2.0  # below it a standing return tells too little
_NOT_DRIVEN = f"the vehicle does not drive at {LEAST_SPEED_M_S:g} m/s or more, or its motion is not known"
_CROSS_SECTIONS = ("rcs", "radar_cross_section", "cross_section")
_STAND_INS = (
    "power", "reflected_power", "amplitude", "intensity", "snr", "signal_noise_ratio", "signal_to_noise_ratio", "rssi",
)  # fmt: skip


@dataclass
class RadarTopic:
    """One radar of a recording: its fields, and its returns while the vehicle drove."""

    topic: str
    msgtype: str
    fields: list[str] = field(default_factory=list)
    frame: str = ""
    scans: int = 0
    unusable: str = ""  # why there is no verdict
    verdicts: list[Verdict] = field(default_factory=list)
    returns: Returns | None = None

    @property
    def in_message_frame(self) -> bool:
        """Whether positions were taken to be in another frame than the radar's own."""
        return bool(self.frame)


def check(
    bag: str | Path,
    topics: Sequence[str],
    radar_frame: str = "",
    calibration: str | None = None,
    odometry_topic: str = "/odom",
    fixed_frame: str = "",
    base_frame: str = BASE_FRAME,
) -> tuple[list[RadarTopic], list[str]]:
    """Return (what each radar topic of a bag measures, what of the bag is damaged, in words).

    topics: by default every one whose messages have a field that may be a velocity. radar_frame: the radar's own frame,
    where its messages are stamped with another one. The others: see BagPoses. Raises LircDepthError where there is no
    such topic.
    """
    with closing(open_bag(bag)) as reader:
        types = {connection.topic: connection.msgtype for connection in reader.connections}
        for topic in topics:
            if topic not in types:
                raise LircDepthError(f"{bag} has no topic {topic}; it has {', '.join(sorted(types))}")
        poses = BagPoses(types, calibration_of(bag, calibration), odometry_topic, fixed_frame, base_frame)
        poses.read_static(reader)
        found = {
            topic: RadarTopic(topic, kind, frame=radar_frame)
            for topic, kind in sorted(types.items())
            if (topic in topics if topics else kind in RADAR_TYPES)
        }
        collectors = {topic: _Collector(radar, poses) for topic, radar in found.items()}
        account, notes = BagAccount(), Account()
        wanted = [c for c in reader.connections if c.topic in found or c.topic in poses.topics]
        for connection, log_time, data in read_messages(reader, wanted, account=account):
            message = account.decode(connection, log_time, data)
            if message is None:
                continue
            if connection.topic in poses.topics:
                add_pose(poses, connection.topic, message, log_time, notes, account)
                for collector in collectors.values():
                    collector.take_ready()
            else:
                collectors[connection.topic].add(message)
    for collector in collectors.values():
        collector.finish()
    radars = [radar for radar in found.values() if topics or speed_fields(radar.fields)]
    if not radars:
        raise LircDepthError(
            f"{bag} has no topic with a field that may be a velocity; it has {', '.join(sorted(types))}"
        )
    damaged = [f"{number} messages of {topic} are damaged" for topic, number in account.damaged.items()]
    return radars, [*damaged, *notes.reasons, *account.reasons]


class _Collector:
    """Gathers the returns of one radar, with the radar's own velocity at each scan."""

    def __init__(self, radar: RadarTopic, poses: BagPoses) -> None:
        self._radar, self._poses = radar, poses
        self._waiting: deque[Any] = deque()
        self._columns: list[Mapping[str, Float64Array]] = []
        self._sight: list[Float64Array] = []
        self._own: list[Float64Array] = []
        self._why = ""

    def add(self, message: Any) -> None:
        """Take a message; its returns are used when the vehicle's motion at its time is known."""
        radar = self._radar
        radar.scans += 1
        if not radar.fields:
            radar.fields = message_fields(message)
        if speed_fields(radar.fields):
            self._waiting.append(message)

    def take_ready(self, *, at_end: bool = False) -> None:
        """Use the messages at whose time the motion is known."""
        while self._waiting:
            message = self._waiting[0]
            stamp, frame = stamp_to_ns(message.header.stamp), self._radar.frame or message.header.frame_id
            if not at_end and not self._poses.ready(frame, stamp, frame, stamp - MIN_BASELINE):
                return
            self._waiting.popleft()
            try:
                self._use(message, stamp, frame)
            except LircDepthError as error:
                self._why = str(error)

    def _use(self, message: Any, stamp: int, frame: str) -> None:
        own, known = own_velocity(self._poses, frame, stamp)
        if not known or np.linalg.norm(own) < LEAST_SPEED_M_S:
            self._why = self._why or _NOT_DRIVEN
            return
        names = position_of(self._radar.fields)
        if names is None:
            self._why = f"no position among the fields {', '.join(self._radar.fields)}"
            return
        columns = {
            name: np.asarray(values, np.float64) for name, values in radar_columns(message, self._radar.fields).items()
        }
        read = [name for name in (*names, *speed_fields(self._radar.fields)) if name]
        finite = np.isfinite(np.column_stack([columns[name] for name in read])).all(axis=1)
        columns = {name: values[finite] for name, values in columns.items()}
        scan = FieldMap("", names, polar=names[0] == "range", in_message_frame=self._radar.in_message_frame).measured(
            columns, self._radar.frame
        )
        if scan.radar_frame:
            transform, _ = self._poses.camera_from_sensor(frame, stamp, message.header.frame_id, stamp)
            scan = scan.moved(transform)
        distance = np.linalg.norm(scan.points, axis=1, keepdims=True)
        near = distance[:, 0] > 0.1
        self._columns.append({name: values[near] for name, values in columns.items()})
        self._sight.append((scan.points / np.maximum(distance, 1e-9))[near])
        self._own.append(np.broadcast_to(own, (int(near.sum()), 3)))

    def finish(self) -> None:
        """Judge what was gathered."""
        self.take_ready(at_end=True)
        radar = self._radar
        if not self._sight or not sum(map(len, self._sight)):
            radar.unusable = self._why or "it holds no returns"
            return
        columns = {name: np.concatenate([part[name] for part in self._columns]) for name in radar.fields}
        radar.returns = Returns(columns, np.concatenate(self._sight), np.concatenate(self._own))
        radar.verdicts = judge(radar.returns)


def position_of(fields: Sequence[str]) -> tuple[str, str, str] | None:
    """Return the names of a position among a message's fields, or None; "" for a third one that is not there."""
    for first, second, third in (CARTESIAN, POLAR):
        if first in fields and second in fields:
            return first, second, third if third in fields else ""
    return None


def shipped_map(radar: RadarTopic) -> str | None:
    """Return the driver whose map reads the radar as its likeliest verdict does, and most of its fields, or None."""
    way = radar.verdicts[0].hypothesis
    fitting = [
        field_map
        for field_map in map(radar_map, radar_drivers())
        if (field_map.kind, field_map.velocity, field_map.sign) == (way.kind, way.fields, way.sign)
        and set(field_map.names) <= set(radar.fields)
        and field_map.in_message_frame == radar.in_message_frame
    ]
    return max(fitting, key=lambda field_map: len(field_map.names)).name if fitting else None


def proposed_map(radar: RadarTopic) -> str:
    """Return the YAML of a map that reads the radar as its likeliest verdict does."""
    position = position_of(radar.fields) or ("x", "y", "")
    axes = POLAR if position[0] == "range" else CARTESIAN
    lines = [
        "position: {" + ", ".join(f"{axis}: {name}" for axis, name in zip(axes, position, strict=True) if name) + "}"
    ]
    way = radar.verdicts[0].hypothesis
    names = way.fields[0] if len(way.fields) == 1 else f"[{', '.join(way.fields)}]"
    lines.append(f"velocity: {{{way.kind.value}: {names}{', sign: -1' if way.sign < 0 else ''}}}")
    lower = {name.lower(): name for name in radar.fields}
    section = next((lower[name] for name in _CROSS_SECTIONS if name in lower), None)
    stand_in = next((lower[name] for name in _STAND_INS if name in lower), None)
    if section or stand_in:
        lines.append(f"rcs: {{field: {section}}}" if section else f"rcs: {{stand_in: {stand_in}}}")
    if radar.in_message_frame:
        lines.append("coordinates: message")
    return "\n".join(lines)


def way_text(way: Hypothesis) -> str:
    """Return a hypothesis in words."""
    kind = {
        VelocityKind.RELATIVE: "relative to the sensor",
        VelocityKind.OVER_GROUND: "over ground",
        VelocityKind.RADIAL: "along the line of sight",
        VelocityKind.COMPENSATED_RADIAL: "along the line of sight, over ground",
        VelocityKind.NONE: "none",
    }[way.kind]
    return f"{', '.join(way.fields)}: {kind}{', approaching is positive' if way.sign < 0 else ''}"
