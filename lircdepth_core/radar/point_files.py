# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Point files of a user's own radar: any PCD (ascii, binary, binary_compressed) or text table, as one array a field.

pypcd4 decodes PCD files. What it would read wrongly, or take from a damaged header without a check, is checked here
before. nuScenes' radar files have a strict reader of their own, ``nuscenes_pcd``.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_package
from lircdepth_core.radar.point_tables import PointTable, check_unit, decode_table

_MAX_BYTES = 256_000_000  # of points; a header that claims more is corrupt
_MAX_COUNT = 9999  # numbers in a field of a point
_ENCODINGS = ("ascii", "binary", "binary_compressed")
_SIZES = {"F": ("4", "8"), "I": ("1", "2", "4", "8"), "U": ("1", "2", "4", "8")}  # bytes, by the letter of TYPE
_TABLES = (".csv", ".tsv", ".txt")

Columns: TypeAlias = dict[str, npt.NDArray[np.float64]]


def read_points(
    path: str | Path, fields: Mapping[str, str] | None = None, scan: str | None = None, layout: Sequence[str] = ()
) -> Columns:
    """Read a point file; return {field: float64 [N]} in file order.

    fields: {name: unit} of those to return, where a unit is m, rad, dBsm, m/s, or "" for any; by default all, which
    must then all be numbers. A text file (.csv, .tsv, .txt) has a line of column names, see point_tables; scan: which
    scan of a table that holds several. Of a PCD field with several numbers a point (COUNT) the first is taken. layout:
    names of the float32 numbers of a point in a .bin file, which has no names. Raises LircDepthError, naming the file
    and in a table the row, when the content is damaged, of another form, or lacks a field; OSError when the file cannot
    be read.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        if path.suffix.lower() in _TABLES:
            return _table_columns(decode_table(data).one_scan(scan), fields)
        if path.suffix.lower() == ".bin" and layout:
            return _unnamed_columns(data, layout, fields)
        if path.suffix.lower() != ".pcd" and not data.startswith((b"# .PCD", b"VERSION")):
            raise ValueError(
                f"a file '{path.suffix}' is not read, expected .pcd, or a text file (.csv, .tsv, .txt) with a line of "
                "column names"
            )
        if scan is not None:
            raise ValueError(f"a PCD file holds one scan, '{scan}' cannot be chosen")
        columns = _decode_pcd(data)
        _check_names(columns if fields is None else fields, list(columns))
        return columns if fields is None else {name: columns[name] for name in fields}
    except (ValueError, csv.Error) as error:
        raise LircDepthError(f"{path}: {error}") from error


def _unnamed_columns(data: bytes, layout: Sequence[str], fields: Mapping[str, str] | None) -> Columns:
    if len(data) > _MAX_BYTES or len(data) % (4 * len(layout)):
        raise ValueError(f"{len(data)} bytes, expected {len(layout)} float32 a point and at most {_MAX_BYTES} bytes")
    points = np.frombuffer(data, "<f4").reshape(-1, len(layout)).astype(np.float64)
    _check_names(fields or layout, layout)
    return {name: points[:, layout.index(name)] for name in fields or layout}


def _table_columns(table: PointTable, fields: Mapping[str, str] | None) -> Columns:
    if fields is None:
        return {name: table.column(index) for index, name in enumerate(table.names)}
    places = {name: index for name in fields if (index := table.index(name)) is not None}
    _check_names(fields, [*table.names, *places])
    for name, index in places.items():
        check_unit(table.names[index], table.units[index], fields[name])
    return {name: table.column(index) for name, index in places.items()}


def _check_names(wanted: Iterable[str], known: Sequence[str]) -> None:
    """Raise ValueError where a name is not known, and say which there are."""
    missing = [name for name in wanted if name not in known]
    if not missing:
        return
    words = {word for name in known for word in re.split(r"[^a-z]+", name.lower())}
    hint = "--radar-driver or --radar-fields names a file's own"
    if words & {"range", "r", "dist", "distance", "rho"} and words & {"azimuth", "az", "azi", "angle", "theta", "phi"}:
        hint = "these are polar coordinates: name them in a .yaml file for --radar-driver"
    names = ", ".join(dict.fromkeys(known))
    raise ValueError(f"has no field {', '.join(missing)}; it has {names} ({hint})")


@dataclass(frozen=True)
class _Header:
    """The fields of a PCD file (FIELDS, TYPE, SIZE in bytes, COUNT), and the encoding of its points (DATA)."""

    names: list[str]
    types: list[str]
    sizes: list[int]
    counts: list[int]
    encoding: str

    @property
    def point_bytes(self) -> int:
        """Bytes of one point."""
        return sum(size * count for size, count in zip(self.sizes, self.counts, strict=True))


def _decode_pcd(data: bytes) -> Columns:
    header, points, body = _checked_header(data)
    types, sizes, body_bytes = header.types, header.sizes, points * header.point_bytes
    if header.encoding == "ascii":
        body = _checked_text(body, points, sum(header.counts))
        types, sizes = ["F"] * len(types), [8] * len(sizes)  # the text of a whole number is also one of a real number
    elif header.encoding == "binary":
        if len(body) >= body_bytes + max(header.point_bytes, 1) and body[body_bytes:].strip(b"\0\r\n"):
            raise ValueError(f"damaged: {len(body)} bytes of data, expected {body_bytes}")
        body = _exactly(body, body_bytes)
    else:
        packed, expanded = np.frombuffer(_exactly(body, 8), "<u4").tolist()
        if expanded != body_bytes:
            raise ValueError(f"compressed data expands to {expanded} bytes, expected {body_bytes}")
        body = body[:8] + _exactly(body[8:], packed)
    pypcd4 = import_package("pypcd4")
    # Fields are numbered, since names may repeat ("_" for padding) and hold any character.
    metadata = pypcd4.MetaData(
        fields=[f"field{i}" for i in range(len(header.names))],
        size=sizes,
        type=types,
        count=header.counts,
        points=points,
        width=points,
        data=header.encoding,
    )
    try:
        cloud = pypcd4.PointCloud.from_fileobj(io.BytesIO(metadata.compose_header().encode() + body))
    except (ValueError, TypeError, RuntimeError) as error:  # TypeError: data that expands to more bytes than it says
        if header.encoding != "binary_compressed":
            raise ValueError(str(error).partition("\n")[0]) from error
        raise ValueError(f"compressed data is damaged: {error}") from error
    found: Columns = {}
    for i, (name, count) in enumerate(zip(header.names, header.counts, strict=True)):
        parts = [f"field{i}"] if count == 1 else [f"field{i}__{j:04d}" for j in range(count)]
        numbers = np.column_stack([np.atleast_1d(cloud.pc_data[part]) for part in parts])
        if header.encoding == "binary_compressed":
            # The file holds all numbers of a field point by point; pypcd4 reads them as one column after another.
            numbers = numbers.T.reshape(-1, count)
        found[name] = numbers[:, 0].astype(np.float64)
    return found


def _checked_header(data: bytes) -> tuple[_Header, int, bytes]:
    """Return a PCD file's header, its number of points, and the bytes after the header.

    Raises ValueError, naming the entry that is wrong.
    """
    match = re.search(rb"^DATA[ \t]+(\w+)[ \t]*\r?\n", data, re.MULTILINE)
    if not match:
        raise ValueError("not a PCD file (no DATA line)")
    encoding = match.group(1).decode()
    if encoding not in _ENCODINGS:
        raise ValueError(f"DATA is '{encoding}', expected {', '.join(_ENCODINGS[:-1])} or {_ENCODINGS[-1]}")
    text = data[: match.start()].decode("ascii", "replace")
    entries = {key: value.split() for key, value in re.findall(r"^([A-Z]+)[ \t]+(.*?)\s*$", text, re.MULTILINE)}
    missing = [key for key in ("FIELDS", "SIZE", "TYPE") if key not in entries]
    if missing:
        raise ValueError(f"PCD header lacks {', '.join(missing)}")
    names, types, sizes = entries["FIELDS"], entries["TYPE"], entries["SIZE"]
    counts = entries.get("COUNT", ["1"] * len(names))
    if not len(names) == len(types) == len(sizes) == len(counts):
        raise ValueError("FIELDS, SIZE, TYPE and COUNT have different lengths")
    for kind, size in zip(types, sizes, strict=True):
        if size not in _SIZES.get(kind, ()):
            raise ValueError(f"TYPE {kind} of SIZE {size}, expected F of 4 or 8 bytes, or I or U of 1, 2, 4 or 8")
    if not all(count.isdecimal() and 0 < int(count) <= _MAX_COUNT for count in counts):
        raise ValueError(f"COUNT is '{' '.join(counts)}', expected numbers from 1 to {_MAX_COUNT}")
    points = _point_count(entries)
    header = _Header(names, types, [int(size) for size in sizes], [int(count) for count in counts], encoding)
    most_points = _MAX_BYTES // max(header.point_bytes, 1)
    if not points.isdecimal() or int(points) > most_points:
        raise ValueError(f"POINTS is {points}, expected 0 to {most_points}")
    return header, int(points), data[match.end() :]


def _point_count(entries: Mapping[str, Sequence[str]]) -> str:
    """Return the number of points, as text: POINTS, or WIDTH times HEIGHT of an organised cloud.

    Raises ValueError where they do not agree.
    """
    told = {key: values[0] for key in ("POINTS", "WIDTH", "HEIGHT") if (values := entries.get(key))}
    if not all(value.isdecimal() for value in told.values()) or "WIDTH" not in told:
        return told.get("POINTS") or told.get("WIDTH") or "missing"
    product = str(int(told["WIDTH"]) * int(told.get("HEIGHT", "1")))
    if told.setdefault("POINTS", product) != product and int(told["POINTS"]) != int(product):
        raise ValueError(f"POINTS is {told['POINTS']}, expected WIDTH times HEIGHT, {product}")
    return told["POINTS"]


def _checked_text(body: bytes, points: int, values: int) -> bytes:
    """Return an ascii file's points, one a line, with single spaces between their numbers. Raises ValueError."""
    rows = [row for row in map(bytes.split, body.splitlines()) if row]
    if len(rows) != points:
        word = "truncated" if len(rows) < points else "damaged"
        raise ValueError(f"{word}: {len(rows)} points, expected {points}")
    for number, row in enumerate(rows, 1):
        if len(row) != values:
            raise ValueError(f"truncated: point {number} has {len(row)} values, expected {values}")
    return b"".join(b" ".join(row) + b"\n" for row in rows)


def _exactly(body: bytes, size: int) -> bytes:
    if len(body) < size:
        raise ValueError(f"truncated: {len(body)} bytes of data, expected {size}")
    return body[:size]
