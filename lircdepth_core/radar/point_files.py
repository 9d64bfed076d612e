# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Point files of one's own: any PCD (ascii, binary, binary_compressed) or CSV, as one array a field."""

import csv
import re
from pathlib import Path

import numpy as np

from lircdepth_core.errors import LircDepthError

_MAX_BYTES = 256_000_000  # of points; a header that claims more is corrupt


def read_points(path):
    """Read a .pcd or .csv file; return {field: float64 [N]} in file order. Raises LircDepthError.

    A CSV's first line names its columns. Of a PCD field with several numbers a point (COUNT) the first is taken.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        return _decode_csv(data) if path.suffix.lower() == ".csv" else _decode_pcd(data)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise LircDepthError(f"{path}: {error}") from error


def _decode_csv(data):
    rows = list(csv.reader(data.decode("utf-8-sig").splitlines()))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("empty, expected a line of column names")
    names = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise ValueError(f"row {number} has {len(row)} values, expected {len(names)}")
    values = np.array(rows[1:], dtype=np.float64).reshape(-1, len(names))
    return dict(zip(names, values.T, strict=True))


def _decode_pcd(data):
    match = re.search(rb"^DATA[ \t]+(\w+)[ \t]*\r?\n", data, re.MULTILINE)
    if not match:
        raise ValueError("not a PCD file (no DATA line)")
    header = data[: match.start()].decode("ascii", "replace")
    entries = {key: text.split() for key, text in re.findall(r"^([A-Z]+)[ \t]+(.*?)\s*$", header, re.MULTILINE)}
    missing = [key for key in ("FIELDS", "SIZE", "TYPE") if key not in entries]
    if missing:
        raise ValueError(f"PCD header lacks {', '.join(missing)}")
    names = entries["FIELDS"]
    counts = [int(count) for count in entries.get("COUNT", ["1"] * len(names))]
    points = int(entries["POINTS"][0] if "POINTS" in entries else entries["WIDTH"][0])
    columns = list(zip(names, entries["TYPE"], entries["SIZE"], counts, strict=True))
    # Unnamed padding may repeat a name ("_"): fields are numbered, so that all have a place.
    dtype = np.dtype([(str(i), f"<{kind.lower()}{size}", (n,)) for i, (_, kind, size, n) in enumerate(columns)])
    if points < 0 or points * dtype.itemsize > _MAX_BYTES:
        raise ValueError(f"POINTS is {points}, expected 0 to {_MAX_BYTES // max(dtype.itemsize, 1)}")
    body, encoding = data[match.end() :], match.group(1)
    if encoding == b"ascii":
        table = np.array(body.split(), dtype=np.float64).reshape(-1, sum(counts))
        if len(table) != points:
            raise ValueError(f"truncated: {len(table)} points, expected {points}")
        starts = np.cumsum([0, *counts])
        return {name: table[:, start] for name, start in zip(names, starts, strict=False)}
    if encoding == b"binary":
        body = _exactly(body, points * dtype.itemsize)
        values = np.frombuffer(body, dtype)
        return {name: values[str(i)][:, 0].astype(np.float64) for i, name in enumerate(names)}
    if encoding == b"binary_compressed":  # field after field instead of point after point
        size, expanded = np.frombuffer(_exactly(body, 8), "<u4").tolist()
        if expanded != points * dtype.itemsize:
            raise ValueError(f"compressed data expands to {expanded} bytes, expected {points * dtype.itemsize}")
        body, offset, found = _lzf_expand(_exactly(body[8:], size), expanded), 0, {}
        for i, name in enumerate(names):
            kind = dtype[str(i)]
            found[name] = np.frombuffer(body, kind, points, offset).reshape(points, -1)[:, 0].astype(np.float64)
            offset += points * kind.itemsize
        return found
    raise ValueError(f"DATA is '{encoding.decode()}', expected ascii, binary or binary_compressed")


def _exactly(body, size):
    if len(body) < size:
        raise ValueError(f"truncated: {len(body)} bytes of data, expected {size}")
    return body[:size]


def _lzf_expand(data, size):
    """Expand LZF (liblzf's format, which PCL writes): runs of literals, and copies of what was written before."""
    out, i = bytearray(), 0
    while i < len(data):
        control = data[i]
        i += 1
        if control < 32:  # control + 1 literals
            if i + control + 1 > len(data):
                raise ValueError("compressed data is damaged")
            out += data[i : i + control + 1]
            i += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[i]
            i += 1
        start = len(out) - ((control & 31) << 8) - data[i] - 1
        i += 1
        if start < 0 or len(out) + length + 2 > size:
            raise ValueError("compressed data is damaged")
        for k in range(start, start + length + 2):  # may overlap what it writes
            out.append(out[k])
    if len(out) != size:
        raise ValueError(f"compressed data expands to {len(out)} bytes, expected {size}")
    return bytes(out)
