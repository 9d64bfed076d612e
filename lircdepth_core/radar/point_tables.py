# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tables of radar returns as people export them: CSV, TSV and text with a line of names, in many spellings.

Only what is unambiguous is read. A row that does not fit is an error with its number; a table of several scans is one,
too, unless one of them is chosen.
"""

import codecs
import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALL_SCANS = "all"  # in the place of a scan's time or number: rows of all scans are one scan

_COMMENTS = ("#", "%", "//")
_DELIMITERS = "\t;,|"  # the first one that the line of names has; without one, spaces
_UNKNOWN = {"", "-", "na", "n/a", "nan", "none", "null", "nil"}  # what stands for a number that is not known
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
_UNIT = re.compile(r"^(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]$")  # "x [m]", "vx (m/s)"
_SCAN_NAMES = re.compile(
    r"(time|t|stamp|timestamp|datetime|date|utime|sec|secs|seconds|epoch|header\.stamp|(ros|unix|gps|sensor)_?time"
    r"|time_?stamp|frame|frame_?id|frame_?(number|no|nr|idx|index)|scan|sweep|cycle|snapshot"
    r"|(scan|sweep|cycle|snapshot)_?(id|number|no|nr|idx|index|count|counter))(_?(s|ms|us|ns|sec|nsec))?"
)
_SPELLINGS = {  # of units
    "m": ("m", "metre", "metres", "meter", "meters"),
    "dBsm": ("dbsm", "db", "dbm2", "dbm^2", "dbm²"),
    "rad": ("rad", "radian", "radians"),
    "m/s": ("m/s", "mps", "m/sec", "ms-1", "m s-1", "m*s^-1"),
}
_SHOWN = 4  # values of several scans, in an error


@dataclass(frozen=True)
class PointTable:
    """A table of texts: names of columns with their units apart, rows of cells, and the number of each row's line."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    decimal_comma: bool

    def index(self, name: str) -> int | None:
        """Return which column has a name, with or without its unit, or None.

        Capitals count only where two names differ by nothing else. Raises ValueError where two columns have the name.
        """
        whole = [f"{n} [{u}]" if u else n for n, u in zip(self.names, self.units, strict=True)]
        for spellings in (self.names, whole):
            for fold in (str, str.lower):
                found = [i for i, text in enumerate(spellings) if fold(text) == fold(name)]
                if len(found) > 1:
                    raise ValueError(f"{len(found)} columns are called {name}, expected one")
                if found:
                    return found[0]
        return None

    def column(self, index: int) -> npt.NDArray[np.float64]:
        """Return a column as numbers, NaN where a cell is empty. Raises ValueError with the row's number."""
        return np.array([self._number(index, row, line) for row, line in zip(self.rows, self.numbers, strict=True)])

    def _number(self, index: int, row: Sequence[str], line: int) -> float:
        cell = row[index].strip()
        if cell.lower() in _UNKNOWN:
            return float("nan")
        try:
            if self.decimal_comma and _DECIMAL_COMMA.fullmatch(cell):
                return float(cell.replace(",", "."))
            if "_" in cell:  # which Python, but no table, allows between digits
                raise ValueError
            return float(cell)
        except ValueError:
            raise ValueError(
                f"row {line}, column {self.names[index]}: could not convert '{cell}' to a number"
            ) from None

    def one_scan(self, chosen: str | None) -> "PointTable":
        """Return the rows of one scan.

        chosen: the text in the column of times or scan numbers, ALL_SCANS, or None where there is one scan only.
        Raises ValueError for several scans of which none is chosen, and for one that is not there.
        """
        if chosen == ALL_SCANS:
            return self
        several = ""
        for index, name in enumerate(self.names):
            if not _SCAN_NAMES.fullmatch(name.strip().lower().replace(" ", "_")):
                continue
            values = list(dict.fromkeys(row[index].strip() for row in self.rows))
            if chosen is not None and chosen in values:
                kept = [i for i, row in enumerate(self.rows) if row[index].strip() == chosen]
                rows, numbers = tuple(self.rows[i] for i in kept), tuple(self.numbers[i] for i in kept)
                return PointTable(self.names, self.units, rows, numbers, self.decimal_comma)
            if len(values) > 1 and not several:
                shown = ", ".join(values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
                several = f"holds {len(values)} scans by its column {name} ({shown})"
        if chosen is not None:
            raise ValueError(f"has no scan '{chosen}'" + (f"; it {several}" if several else ""))
        if several:
            raise ValueError(f"{several}, expected one: choose it with --radar-scan, or 'all' for one scan of all rows")
        return self


def decode_table(data: bytes) -> PointTable:
    """Return the table of a file's bytes. Raises ValueError, with the number of the row where there is one."""
    lines = [(number, line.strip(" ")) for number, line in enumerate(_text(data).splitlines(), 1)]
    content = [(number, line) for number, line in lines if line.strip() and not line.startswith(_COMMENTS)]
    comments = [line.lstrip("#%/ ") for _, line in lines if line.startswith(_COMMENTS)]
    if not content and not comments:
        raise ValueError("empty, expected a line of column names")
    first = content[0][1] if content else ""
    delimiter = _delimiter_of(first)
    if not first or _all_numbers(_cells(first, delimiter)):
        # The line of names may be a comment, as NumPy's savetxt writes it: the last one that has as many names.
        count = len(_cells(first, delimiter))
        named = [
            c for c in comments if not first or (_delimiter_of(c) == delimiter and len(_cells(c, delimiter)) == count)
        ]
        if not named or _all_numbers(_cells(named[-1], _delimiter_of(named[-1]))):
            raise ValueError(f"row {content[0][0] if content else 1} holds numbers, expected a line of column names")
        header = named[-1]
    else:
        header, content = first, content[1:]
    header_delimiter = _delimiter_of(header)
    delimiter = delimiter if header is not first else header_delimiter
    heads = _cells(header, header_delimiter)
    rows = [_cells(line, delimiter) for _, line in content]
    while heads and not heads[-1].strip() and all(not row[-1].strip() for row in rows if len(row) == len(heads)):
        heads, rows = heads[:-1], [row[:-1] if len(row) == len(heads) else row for row in rows]  # trailing delimiters
    rows = [row[:-1] if len(row) == len(heads) + 1 and not row[-1].strip() else row for row in rows]
    for (number, _), row in zip(content, rows, strict=True):
        if len(row) != len(heads):
            raise ValueError(f"row {number} has {len(row)} values, expected {len(heads)}")
    pairs = [_name_and_unit(head) for head in heads]
    names, units = tuple(name for name, _ in pairs), tuple(unit for _, unit in pairs)
    return PointTable(names, units, tuple(map(tuple, rows)), tuple(number for number, _ in content), delimiter != ",")


def _text(data: bytes) -> str:
    """Return a file's text: UTF-8 or UTF-16 with or without a byte order mark, else Windows' western encoding."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        if len(data) % 2 == 0 and data[1::2].count(0) > len(data) / 4:
            return data.decode("utf-16-le")
        if len(data) % 2 == 0 and data[::2].count(0) > len(data) / 4:
            return data.decode("utf-16-be")
        raise ValueError("holds binary data, expected text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter_of(line: str) -> str | None:
    """Return what separates the cells of a line; None for spaces. What is in quotes or brackets does not count."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\([^)]*\)', "", line)
    return next((delimiter for delimiter in _DELIMITERS if delimiter in bare), None)


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        delimiter, line = " ", re.sub(r"[ \t]+(?=[\[(])", "", " ".join(line.split()))  # "x [m]" is one name
    (row,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    return row


def _all_numbers(cells: Collection[str]) -> bool:
    def is_number(cell: str) -> bool:
        try:
            float(cell.strip().replace(",", "."))
        except ValueError:
            return cell.strip().lower() in _UNKNOWN
        return True

    return all(map(is_number, cells))


def _name_and_unit(head: str) -> tuple[str, str]:
    match = _UNIT.match(head.strip())
    return (match.group(1), match.group(2)) if match and match.group(1) else (head.strip(), "")


def check_unit(column: str, unit: str, expected: str) -> None:
    """Raise ValueError where a column's unit is told and is another one. expected: m, rad, dBsm, m/s, or any."""
    if unit and expected and unit.lower() not in _SPELLINGS[expected]:
        raise ValueError(f"column {column} is in {unit}, expected {expected}")
