# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Point files of a user's own radar: any PCD (ascii, binary, binary_compressed) or CSV, as one array a field.

pypcd4 decodes PCD files. What it would read wrongly, or take from a damaged header without a check, is checked here
before. nuScenes' radar files have a strict reader of their own, ``nuscenes_pcd``.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_package

_MAX_BYTES = 256_000_000  # of points; a header that claims more is corrupt
_MAX_COUNT = 9999  # numbers in a field of a point
_ENCODINGS = ("ascii", "binary", "binary_compressed")
_SIZES = {"F": ("4", "8"), "I": ("1", "2", "4", "8"), "U": ("1", "2", "4", "8")}  # bytes, by the letter of TYPE
_DELIMITERS = ",;\t "  # of CSV files

Columns: TypeAlias = dict[str, npt.NDArray[np.float64]]


def read_points(path: str | Path) -> Columns:
    """Read a .pcd or .csv file; return {field: float64 [N]} in file order.

    A CSV's first line names its columns, which commas, semicolons, tabs or spaces separate. Of a PCD field with several
    numbers a point (COUNT) the first is taken. Raises LircDepthError, naming the file and in a CSV the line, when the
    content is damaged or of another form; OSError when the file cannot be read.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        return _decode_csv(data) if path.suffix.lower() == ".csv" else _decode_pcd(data)
    except (ValueError, csv.Error) as error:
        raise LircDepthError(f"{path}: {error}") from error


def _decode_csv(data: bytes) -> Columns:
    lines = [line.strip(" ") for line in data.decode("utf-8-sig").splitlines()]
    head = next((line for line in lines if line), "")  # alone, so that damaged rows do not decide on the delimiter
    try:
        delimiter = csv.Sniffer().sniff(head, _DELIMITERS).delimiter
    except csv.Error:
        delimiter = ","  # of a file of one column, in which there is no delimiter
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    names: list[str] = []
    values: list[list[float]] = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = [name.strip() for name in row]
        elif len(row) != len(names):
            raise ValueError(f"row {rows.line_num} has {len(row)} values, expected {len(names)}")
        else:
            values.append([_number(cell, name, rows.line_num) for cell, name in zip(row, names, strict=True)])
    if not names:
        raise ValueError("empty, expected a line of column names")
    table = np.array(values, dtype=np.float64).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


def _number(cell: str, column: str, row: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"row {row}, column {column}: could not convert '{cell.strip()}' to a number") from None


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
    (points, *_) = entries.get("POINTS") or entries.get("WIDTH") or ["missing"]
    header = _Header(names, types, [int(size) for size in sizes], [int(count) for count in counts], encoding)
    most_points = _MAX_BYTES // max(header.point_bytes, 1)
    if not points.isdecimal() or int(points) > most_points:
        raise ValueError(f"POINTS is {points}, expected 0 to {most_points}")
    return header, int(points), data[match.end() :]


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
