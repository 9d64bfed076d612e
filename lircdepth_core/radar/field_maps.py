# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How a radar's driver names and means its fields: a map, read from YAML, that makes returns of columns.

A map says where a return's position, velocity and cross section stand, and what they mean:

    position: {x: x, y: y, z: z}            # metres; z may be absent
    position: {range: r, azimuth: a}        # metres and radians, counter-clockwise from ahead; elevation may be absent
    velocity: {radial: v}                   # or compensated_radial: v, relative: [vx, vy], over_ground: [vx, vy]; m/s
    velocity: {radial: v, sign: -1}         # where approaching is positive
    rcs: {field: rcs}                       # dBsm; int8: true where a driver declares signed bytes as unsigned
    rcs: {stand_in: power, offset: -30.0, scale: 1.0, db_per_decade: 40.0}  # what is measured instead, see below
    keep: {state: [0, 1], snr: {min: 5}}    # returns to keep: the values, or the range, of a field
    coordinates: message                    # where positions are in the message's frame, not in the radar's own
    columns: [x, y, z, RCS]                 # of files without names: float32, point by point
    message: radar_msgs/RadarScan           # or radar_msgs/RadarTracks, where the driver has no PointCloud2

What is absent is not measured, except the position. A stand-in is offset + scale * field + db_per_decade *
log10(distance / 1 m).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.packages import import_package
from lircdepth_core.radar.measured import MeasuredScan, VelocityKind

NETWORK_FIELDS = ("x", "y", "z", "rcs", "vx", "vy")
_NOT_MEASURED = "0"
_KEYS = ("position", "velocity", "rcs", "keep", "coordinates", "columns", "message")
MESSAGES = ("sensor_msgs/PointCloud2", "radar_msgs/RadarScan", "radar_msgs/RadarTracks")
CARTESIAN, POLAR = ("x", "y", "z"), ("range", "azimuth", "elevation")
_CARTESIAN_KINDS = (VelocityKind.RELATIVE, VelocityKind.OVER_GROUND)


@dataclass(frozen=True)
class CrossSection:
    """Where the radar cross section comes from: offset + scale * field + db_per_decade * log10(distance / 1 m)."""

    field: str
    measured: bool = True
    offset: float = 0.0
    scale: float = 1.0
    db_per_decade: float = 0.0
    int8: bool = False


@dataclass(frozen=True)
class Filter:
    """Which returns are kept, by one field: those of these values, or those between two limits."""

    field: str
    values: tuple[float, ...] = ()
    least: float = -np.inf
    greatest: float = np.inf

    def keeps(self, column: Float64Array) -> npt.NDArray[np.bool_]:
        """Return which of the values [N] are kept."""
        return np.isin(column, self.values) if self.values else (column >= self.least) & (column <= self.greatest)


@dataclass(frozen=True)
class FieldMap:
    """The fields of a radar driver. Names are those of the driver; "" is a field that it does not have.

    position: x, y, z [m], or range [m], azimuth and elevation [rad] where ``polar``. velocity: the fields of ``kind``,
    which are multiplied by ``sign``. filters: all of them must keep a return. in_message_frame: positions are in the
    message's frame, not in the radar's own. columns: of files without names.
    message: the type of the driver's messages, one of MESSAGES.
    """

    name: str
    position: tuple[str, str, str]
    polar: bool = False
    kind: VelocityKind = VelocityKind.NONE
    velocity: tuple[str, ...] = ()
    sign: float = 1.0
    rcs: CrossSection | None = None
    filters: tuple[Filter, ...] = ()
    in_message_frame: bool = False
    columns: tuple[str, ...] = ()
    message: str = MESSAGES[0]

    @classmethod
    def of_names(cls, fields: str, option: str) -> FieldMap:
        """Return the map of a radar in the network's convention with other names for x y z rcs vx vy.

        Any but x and y may be "0": not measured. option: what the user calls the names, for the text of the
        LircDepthError that is raised where they are not six.
        """
        names = fields.split()
        if len(names) != len(NETWORK_FIELDS) or _NOT_MEASURED in names[:2]:
            raise LircDepthError(
                f"{option} is '{fields}', expected six names, for {' '.join(NETWORK_FIELDS)} in this order; 0 for one "
                "that the radar does not measure, except x and y"
            )
        x, y, z, rcs, vx, vy = ("" if name == _NOT_MEASURED else name for name in names)
        section = CrossSection(rcs) if rcs else None
        return cls(fields, (x, y, z), kind=VelocityKind.RELATIVE, velocity=(vx, vy), rcs=section)

    @classmethod
    def load(cls, path: str | Path) -> FieldMap:
        """Read a map from a YAML file. Raises LircDepthError, naming the entry that is wrong."""
        yaml = import_package("yaml")
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise LircDepthError(f"{path}: not a readable YAML file: {reason}") from error
        try:
            return _parse(Path(path).stem, content)
        except (ValueError, TypeError) as error:
            raise LircDepthError(f"{path}: {error}") from error

    @property
    def names(self) -> list[str]:
        """The fields that are read, without repetition."""
        section = [self.rcs.field] if self.rcs else []
        filtered = [entry.field for entry in self.filters]
        return list(dict.fromkeys(name for name in (*self.position, *section, *self.velocity, *filtered) if name))

    @property
    def units(self) -> dict[str, str]:
        """The unit of each field that has one, as tables may state it."""
        position = ("m", "rad", "rad") if self.polar else ("m", "m", "m")
        units = {
            **dict.fromkeys(self.names, ""),
            **dict(zip(self.position, position, strict=True)),
            **dict.fromkeys(self.velocity, "m/s"),
        }
        if self.rcs is not None and self.rcs.measured:
            units[self.rcs.field] = "dBsm"
        units.pop("", None)
        return units

    @property
    def caution(self) -> str:
        """What to know about fields that are not measured, or an empty text where all are."""
        missing = [] if self.position[2] or self.polar else ["z"]
        if self.rcs is None:
            missing.append("rcs")
        if self.kind in _CARTESIAN_KINDS:
            missing += [axis for axis, name in zip(("vx", "vy"), self.velocity, strict=True) if not name]
        texts = []
        if missing:
            texts.append(
                f"{', '.join(missing)} of the radar is taken as 0: the network never learnt from a radar without it"
            )
        if self.kind is VelocityKind.NONE:
            texts.append("the radar measures no velocity: every return is taken to stand")
        if self.rcs is not None and not self.rcs.measured:
            texts.append(f"{self.rcs.field} stands in for rcs: the network never learnt from it")
        return "; ".join(texts)

    def measured(self, columns: Mapping[str, Any], radar_frame: str = "") -> MeasuredScan:
        """Return the returns of {field: numbers [N]}.

        Those that hold NaN or infinity, and those that the map does not keep, are left out and counted. radar_frame:
        the radar's own frame, for a map whose positions are in the message's.
        """
        count = len(columns[self.position[0]])
        nothing = np.zeros(count)

        def column(name: str) -> Float64Array:
            return np.asarray(columns[name], np.float64).reshape(-1) if name else nothing

        points = np.stack([column(name) for name in self.position], axis=1)
        if self.polar:
            distance, azimuth, elevation = points.T
            flat = distance * np.cos(elevation)
            points = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation)], axis=1)
        velocity = np.zeros((count, len(self.velocity)))
        for i, name in enumerate(self.velocity):
            velocity[:, i] = self.sign * column(name)
        rcs = self._cross_section(column, points)
        good = np.isfinite(np.column_stack([points, velocity, rcs])).all(axis=1)
        for entry in self.filters:
            good &= entry.keeps(column(entry.field))
        frame = radar_frame if self.in_message_frame else ""
        return MeasuredScan(points[good], rcs[good], velocity[good], self.kind, int(count - good.sum()), frame)

    def _cross_section(self, column: Any, points: Float64Array) -> Float64Array:
        if self.rcs is None:
            return np.zeros(len(points))
        value = column(self.rcs.field)
        if self.rcs.int8:
            value = np.where(value > np.iinfo(np.int8).max, value - 256.0, value)
        result: Float64Array = self.rcs.offset + self.rcs.scale * value
        if self.rcs.db_per_decade:
            distance = np.linalg.norm(points, axis=1)
            with np.errstate(divide="ignore"):  # a return at the sensor is not finite, and left out as such
                result = result + self.rcs.db_per_decade * np.log10(distance)
        return result


def _parse(name: str, content: Any) -> FieldMap:
    """Return the map of a YAML file's content. Raises ValueError."""
    entries = _mapping("the file", content, _KEYS)
    if "position" not in entries:
        raise ValueError("has no position: expected position: {x: ..., y: ..., z: ...}")
    position = _mapping("position", entries["position"], (*CARTESIAN, *POLAR))
    polar = "range" in position
    axes = POLAR if polar else CARTESIAN
    wrong = [key for key in position if key not in axes]
    if wrong or not {*axes[:2]} <= {*position}:
        raise ValueError(f"position has {', '.join(position)}, expected x, y and z, or range, azimuth and elevation")
    kind, velocity, sign = _velocity(entries.get("velocity"))
    coordinates = entries.get("coordinates", "sensor")
    if coordinates not in ("sensor", "message"):
        raise ValueError(f"coordinates is {coordinates!r}, expected sensor or message")
    message = entries.get("message", MESSAGES[0])
    if message not in MESSAGES:
        raise ValueError(f"message is {message!r}, expected {', '.join(MESSAGES)}")
    columns = tuple(_text("columns", column) for column in entries.get("columns") or ())
    found = FieldMap(
        name=name,
        position=tuple(_text(axis, position.get(axis, "")) for axis in axes),  # type: ignore[arg-type]
        polar=polar,
        kind=kind,
        velocity=velocity,
        sign=sign,
        rcs=_cross_section(entries.get("rcs")),
        filters=_filters(entries.get("keep")),
        in_message_frame=coordinates == "message",
        columns=columns,
        message=message,
    )
    unknown = [field for field in found.names if columns and field not in columns]
    if unknown:
        raise ValueError(f"columns has no {', '.join(unknown)}; it has {', '.join(columns)}")
    return found


def _velocity(content: Any) -> tuple[VelocityKind, tuple[str, ...], float]:
    if content is None:
        return VelocityKind.NONE, (), 1.0
    kinds = [kind.value for kind in VelocityKind if kind is not VelocityKind.NONE]
    entries = _mapping("velocity", content, (*kinds, "sign"))
    given = [key for key in entries if key != "sign"]
    if len(given) != 1:
        raise ValueError(f"velocity has {', '.join(given) or 'no kind'}, expected one of {', '.join(kinds)}")
    kind = VelocityKind(given[0])
    names = entries[kind.value]
    expected = 2 if kind in _CARTESIAN_KINDS else 1
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or len(names) != expected:
        raise ValueError(
            f"velocity.{kind.value} is {names!r}, expected {expected} {'name' if expected == 1 else 'names'}"
        )
    sign = entries.get("sign", 1)
    if sign not in (1, -1):
        raise ValueError(f"velocity.sign is {sign!r}, expected 1 or -1")
    return kind, tuple(_text(f"velocity.{kind.value}", name) for name in names), float(sign)


def _cross_section(content: Any) -> CrossSection | None:
    if content is None:
        return None
    entries = _mapping("rcs", content, ("field", "stand_in", "offset", "scale", "db_per_decade", "int8"))
    if ("field" in entries) == ("stand_in" in entries):
        raise ValueError("rcs needs one of field (dBsm) and stand_in (what is measured instead)")
    numbers = {key: float(entries[key]) for key in ("offset", "scale", "db_per_decade") if key in entries}
    name = _text("rcs", entries.get("field", entries.get("stand_in")))
    return CrossSection(name, measured="field" in entries, int8=bool(entries.get("int8", False)), **numbers)


def _filters(content: Any) -> tuple[Filter, ...]:
    found = []
    for name, values in _mapping("keep", content or {}, None).items():
        if isinstance(values, dict):
            limits = _mapping(f"keep.{name}", values, ("min", "max"))
            found.append(Filter(name, (), float(limits.get("min", -np.inf)), float(limits.get("max", np.inf))))
        else:
            found.append(
                Filter(name, tuple(float(value) for value in (values if isinstance(values, list) else [values])))
            )
    return tuple(found)


def _mapping(what: str, content: Any, keys: Sequence[str] | None) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{what} is {content!r}, expected a mapping")
    for key in content:
        if keys is not None and key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            raise ValueError(
                f"{what} has {key!r}, expected {', '.join(keys)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return {str(key): value for key, value in content.items()}


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {value!r}, expected a field's name")
    return value
