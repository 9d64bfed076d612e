# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Point files of other radars: every form of a file is read alike, and damage is named in one line."""

import itertools
import sys

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import decode_pcd
from lircdepth_core.radar.point_files import read_points

ENCODINGS = ("ascii", "binary", "binary_compressed")


def pcd(encoding, fields, points, counts=None, drop=()):
    """A PCD file by hand. fields: (name, TYPE, SIZE). points: one list of values for each point, field after field."""
    counts = counts or [1] * len(fields)
    header = {
        "VERSION": "0.7",
        "FIELDS": " ".join(name for name, _, _ in fields),
        "SIZE": " ".join(str(size) for _, _, size in fields),
        "TYPE": " ".join(kind for _, kind, _ in fields),
        "COUNT": " ".join(map(str, counts)),
        "WIDTH": len(points),
        "HEIGHT": 1,
        "VIEWPOINT": "0 0 0 1 0 0 0",
        "POINTS": len(points),
        "DATA": encoding,
    }
    text = "# .PCD v0.7\n" + "".join(f"{key} {value}\n" for key, value in header.items() if key not in drop)
    if encoding == "ascii":
        return (text + "".join(" ".join(map(str, point)) + "\n" for point in points)).encode()
    ends = list(itertools.accumulate(counts, initial=0))
    cells = [  # of each point, of each field
        [
            np.array(point[ends[i] : ends[i + 1]], f"<{kind.lower()}{size}").tobytes()
            for i, (_, kind, size) in enumerate(fields)
        ]
        for point in points
    ]
    if encoding == "binary":
        return text.encode() + b"".join(b"".join(point) for point in cells)
    data = b"".join(b"".join(field) for field in zip(*cells, strict=True))  # field after field
    packed = b"".join(bytes([len(data[i : i + 32]) - 1]) + data[i : i + 32] for i in range(0, len(data), 32))
    return text.encode() + np.array([len(packed), len(data)], "<u4").tobytes() + packed


def read(folder, content, name="a.pcd"):
    (folder / name).write_bytes(content)
    return {name: values.tolist() for name, values in read_points(folder / name).items()}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_type_is_read_in_every_encoding(tmp_path, encoding):
    kinds = [("F", 4), ("F", 8), *itertools.product("IU", (1, 2, 4, 8))]
    fields = [(f"{kind}{size}", kind, size) for kind, size in kinds]
    points = [[0.5 if kind == "F" else 3 * i + 1 for kind, _ in kinds] for i in range(5)]
    assert read(tmp_path, pcd(encoding, fields, points)) == {
        name: [point[i] for point in points] for i, (name, _, _) in enumerate(fields)
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_of_a_field_of_several_numbers_the_first_is_taken_and_padding_may_repeat_its_name(tmp_path, encoding):
    """pypcd4 alone reads such a compressed field in another order than PCL writes it."""
    fields = [("_", "U", 1), ("x[m]", "F", 4), ("history", "F", 8), ("_", "U", 1)]
    points = [[9, i + 0.5, 10.0 + i, 20.0 + i, 30.0 + i, 8] for i in range(4)]
    found = read(tmp_path, pcd(encoding, fields, points, counts=[1, 1, 3, 1]))
    assert found["x[m]"] == [0.5, 1.5, 2.5, 3.5]
    assert found["history"] == [10.0, 11.0, 12.0, 13.0]
    assert list(found) == ["_", "x[m]", "history"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("drop", [("COUNT",), ("POINTS",), ("VERSION", "HEIGHT", "VIEWPOINT")])
def test_lines_that_many_writers_leave_out_are_not_needed(tmp_path, encoding, drop):
    content = pcd(encoding, [("x", "F", 4), ("id", "U", 2)], [[1.5, 7], [2.5, 8]], drop=drop)
    assert read(tmp_path, content) == {"x": [1.5, 2.5], "id": [7, 8]}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("count", [0, 1])
def test_a_scan_of_one_return_and_of_none_are_scans(tmp_path, encoding, count):
    found = read(tmp_path, pcd(encoding, [("x", "F", 4), ("y", "F", 4)], [[1.5, 2.5]] * count))
    assert found == {"x": [1.5] * count, "y": [2.5] * count}


def test_ascii_points_may_be_aligned_in_columns(tmp_path):
    content = pcd("ascii", [("x", "F", 4), ("n", "U", 1)], [[1.5, 7], [-2.5, 8]])
    assert read(tmp_path, content.replace(b"1.5 7\n", b"   1.5\t7  \r\n\n")) == {"x": [1.5, -2.5], "n": [7, 8]}


def test_the_reader_of_all_forms_reads_nuscenes_radar_files_as_the_strict_one(nuscenes_real):
    (path,) = (nuscenes_real / "samples/RADAR_FRONT").iterdir()
    expected = decode_pcd(path.read_bytes())
    found = read_points(path)
    assert list(found) == list(expected.dtype.names)
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name].astype(float))


def test_lzf_copies_may_overlap_what_they_write(tmp_path):
    """Packed by hand: 24 zero bytes as two literals, a copy of 21 bytes from one back, and a literal."""
    packed = bytes([1, 0, 0, 7 << 5, 21 - 2 - 7, 0, 0, 0])
    header = "FIELDS a b\nSIZE 4 4\nTYPE U F\nCOUNT 1 1\nWIDTH 3\nPOINTS 3\nDATA binary_compressed\n"
    path = tmp_path / "zeros.pcd"
    path.write_bytes(header.encode() + np.array([len(packed), 24], "<u4").tobytes() + packed)
    assert {name: values.tolist() for name, values in read_points(path).items()} == {"a": [0] * 3, "b": [0] * 3}
    # 1 2 3 4, then a copy of 4 bytes from 4 back, twice: three points of one uint32.
    packed = bytes([3, 1, 2, 3, 4, 2 << 5, 3, 2 << 5, 3])
    header = "FIELDS a\nSIZE 4\nTYPE U\nWIDTH 3\nPOINTS 3\nDATA binary_compressed\n"
    path.write_bytes(header.encode() + np.array([len(packed), 12], "<u4").tobytes() + packed)
    assert read_points(path)["a"].tolist() == [0x04030201] * 3


XY = [("x", "F", 4), ("y", "F", 4)]
TWO = [[1.5, 2.5], [3.5, 4.5]]


def claims(encoding, points):
    """A file of two points that says that it has another number of them."""
    claim = str(points).encode()
    return pcd(encoding, XY, TWO).replace(b"WIDTH 2", b"WIDTH " + claim).replace(b"POINTS 2", b"POINTS " + claim)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x y z\n1 2 3\n", "not a PCD file"),
        (pcd("binary", XY, TWO)[:-1], "truncated: 15 bytes of data, expected 16"),
        (pcd("binary_compressed", XY, TWO)[:-1], "truncated: 16 bytes of data, expected 17"),
        (pcd("ascii", XY, TWO)[:-8], "truncated: 1 points, expected 2"),
        (pcd("ascii", XY, TWO)[:-4], "truncated: point 2 has 1 values, expected 2"),
        (pcd("ascii", XY, TWO) + b"5 6\n", "damaged: 3 points, expected 2"),
        (pcd("ascii", XY, TWO).replace(b"4.5", b"4.5m"), "could not convert string '4.5m' to float64"),
        (pcd("binary", XY, TWO).replace(b"DATA binary", b"DATA binary_lz4"), "DATA is 'binary_lz4', expected ascii, "),
        (claims("binary", 999999999999), "POINTS is 999999999999, expected 0 to"),
        (claims("ascii", 999999999999), "POINTS is 999999999999, expected 0 to"),
        (pcd("binary", XY, TWO).replace(b"POINTS 2", b"POINTS -2"), "POINTS is -2, expected 0 to"),
        (pcd("binary", XY, TWO, drop=("POINTS", "WIDTH")), "POINTS is missing"),
        (pcd("binary", XY, TWO, drop=("TYPE",)), "PCD header lacks TYPE"),
        (pcd("binary", XY, TWO).replace(b"COUNT 1", b"COUNT 0"), "COUNT is '0 1', expected numbers from 1"),
        (pcd("binary", XY, TWO).replace(b"COUNT 1", b"COUNT 99999999"), "COUNT is '99999999 1', expected"),
        (pcd("binary", XY, TWO).replace(b"COUNT 1 1", b"COUNT 1"), "FIELDS, SIZE, TYPE and COUNT have different"),
        (pcd("binary", XY, TWO).replace(b"TYPE F", b"TYPE Q"), "TYPE Q of SIZE 4, expected F of 4 or 8 bytes"),
        (pcd("binary", XY, TWO).replace(b"SIZE 4", b"SIZE 3"), "TYPE F of SIZE 3, expected F of 4 or 8 bytes"),
        (pcd("binary_compressed", XY, TWO).replace(b"\x0f", b"\xff"), "compressed data is damaged"),
        (pcd("binary_compressed", XY, TWO).replace(b"\x0f", b"\x0e"), "compressed data is damaged"),
        (
            claims("binary_compressed", 3),
            "compressed data expands to 16 bytes, expected 24",
        ),
    ],
)
def test_a_damaged_pcd_file_is_named_with_what_is_wrong_in_it(tmp_path, content, message):
    (tmp_path / "a.pcd").write_bytes(content)
    with pytest.raises(LircDepthError) as info:
        read_points(tmp_path / "a.pcd")
    assert str(info.value).startswith(f"{tmp_path / 'a.pcd'}: ")
    assert message in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("delimiter", [",", ", ", ";", "\t", " ", "   "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_columns_of_a_csv_may_be_apart_by_commas_semicolons_tabs_or_spaces(tmp_path, delimiter, line_end):
    rows = [("x", "y", "rcs_dbsm"), ("1.5", "-2", "nan"), ("3e1", "4", "5")]
    text = "".join(delimiter.join(row) + line_end for row in [*rows[:2], ("",) if delimiter != " " else (), rows[2]])
    found = read_points_of(tmp_path, ("\ufeff" + text).encode())
    assert found.keys() == {"x", "y", "rcs_dbsm"}
    assert found["x"].tolist() == [1.5, 30.0]
    assert found["y"].tolist() == [-2.0, 4.0]
    assert np.isnan(found["rcs_dbsm"][0])


def read_points_of(folder, content):
    (folder / "a.csv").write_bytes(content)
    return read_points(folder / "a.csv")


def test_a_csv_of_one_column_or_without_a_row_is_read(tmp_path):
    assert read_points_of(tmp_path, b"x\n1\n2\n")["x"].tolist() == [1.0, 2.0]
    assert {name: len(values) for name, values in read_points_of(tmp_path, b"x;y\n").items()} == {"x": 0, "y": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, expected a line of column names"),
        (b"\n  \n", "empty, expected a line of column names"),
        (b"x,y\n\n1,2,3\n", "row 3 has 3 values, expected 2"),
        (b"x;y\n1;2\n3\n", "row 3 has 1 values, expected 2"),
        (b"x y\n1 2\n3 two\n", "row 3, column y: could not convert 'two' to a number"),
        (b"x;y\n1.000,5;2,5\n", "row 2, column x: could not convert '1.000,5' to a number"),
        (b"x,y\n\xff\xfe,1\n", "row 2, column x: could not convert"),
        (b"x,y\n1\x00,1\n", "holds binary data, expected text"),
        (b"# made today\n1,2\n3,4\n", "row 2 holds numbers, expected a line of column names"),
        (b"1,2\n3,4\n", "row 1 holds numbers, expected a line of column names"),
        (b"# a\nx,y\n\n# b\n1,2\n3\n", "row 6 has 1 values, expected 2"),
        (b"x,y\n1_000,1\n", "row 2, column x: could not convert '1_000'"),
        (b'x,y\n"1,2\n', "row 2 has 1 values, expected 2"),
    ],
)
def test_a_damaged_csv_file_is_named_with_its_row(tmp_path, content, message):
    with pytest.raises(LircDepthError) as info:
        read_points_of(tmp_path, content)
    assert str(info.value).startswith(f"{tmp_path / 'a.csv'}: ")
    assert message in str(info.value)
    assert "\n" not in str(info.value)


XYR = [("x", "F", 4), ("y", "F", 4), ("rcs", "F", 4)]
EXPECTED = {"x": [20.5, -35.0], "y": [0.2, 3.0], "rcs": [9.0, 4.0]}
UNITS = {"x": "m", "y": "m", "rcs": "dBsm"}


@pytest.mark.parametrize(
    "content",
    [
        "x;y;rcs\n20,5;0,2;9\n-35;3,0;4,0\n",
        "x\ty\trcs\n20,5\t0,2\t9\n-35\t3\t4\n",
        "x y rcs\n20,5 0,2 9\n-35 3 4\n",
        "# x,y,rcs\n20.5,0.2,9\n-35,3,4\n",
        "% made by us\n%x y rcs\n20.5 0.2 9\n-35 3 4\n",
        "# radar export 2024-05-01\nx,y,rcs\n20.5,0.2,9\n# between\n-35,3,4\n// end\n",
        "x [m],y [m],rcs [dBsm]\n20.5,0.2,9\n-35,3,4\n",
        "x [m] y (m) rcs[dBsm]\n20.5 0.2 9\n-35 3 4\n",
        "X,Y,RCS\n20.5,0.2,9\n-35,3,4\n",
        "x,y,rcs,\n20.5,0.2,9,\n-35,3,4,\n",
        "x;y;rcs\n20.5;0.2;9;\n-35;3;4;\n",
        "x,y,rcs,\n20.5,0.2,9\n-35,3,4\n",
        "x|y|rcs\n20.5|0.2|9\n-35|3|4\n",
        ",x,y,rcs\n0,20.5,0.2,9\n1,-35,3,4\n",
        'x,y,class,rcs\n20.5,0.2,car,9\n-35,3,"a, b",4\n',
        "time,x,y,rcs\n10:00:01,20.5,0.2,9\n10:00:01,-35,3,4\n",
        "x,y,rcs,azimuth_\u00b0\n20.5,0.2,9,1\n-35,3,4,1\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_table_is_read_as_people_write_it(tmp_path, content, encoding):
    (tmp_path / "a.csv").write_bytes(content.replace("\n", "\r\n").encode(encoding))
    found = read_points(tmp_path / "a.csv", UNITS)
    assert {name: values.tolist() for name, values in found.items()} == EXPECTED


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.TSV", "a.CSV"])
def test_tables_go_by_other_names_too(tmp_path, name):
    (tmp_path / name).write_bytes(b"x\ty\trcs\n20.5\t0.2\t9\n-35\t3\t4\n")
    assert read_points(tmp_path / name, UNITS)["x"].tolist() == EXPECTED["x"]


def test_an_empty_cell_is_a_number_that_is_not_known(tmp_path):
    found = read_points_of(tmp_path, b"x,y,z\n1,,3\n4,NA,\n,n/a,null\n")
    np.testing.assert_array_equal(
        np.array(list(found.values())), [[1, 4, np.nan], [np.nan] * 3, [3, np.nan, np.nan]]
    )  # fmt: skip


def refusal(folder, content, fields=None, scan=None, name="a.csv"):
    (folder / name).write_bytes(content)
    with pytest.raises(LircDepthError) as info:
        read_points(folder / name, fields, scan)
    assert str(info.value).startswith(f"{folder / name}: ")
    assert "\n" not in str(info.value)
    return str(info.value)


def test_columns_that_do_not_fit_what_is_asked_are_refused_by_name(tmp_path):
    assert "3 columns are called x" in refusal(tmp_path, b"x,y,rcs,x,x\n1,2,3,4,5\n", UNITS)
    assert "column x is in km, expected m" in refusal(tmp_path, b"x [km],y [m],rcs\n1,2,3\n", UNITS)
    assert "column vx is in km/h, expected m/s" in refusal(tmp_path, b"vx [km/h]\n1\n", {"vx": "m/s"})
    assert "column rcs is in m^2, expected dBsm" in refusal(tmp_path, b"rcs [m^2]\n1\n", {"rcs": "dBsm"})
    text = refusal(tmp_path, b"range,azimuth,elevation,rcs\n20,0.1,0,9\n", UNITS)
    assert "has no field x, y; it has range, azimuth, elevation, rcs (these are polar coordinates" in text
    assert "has no field y; it has x, rcs (--radar-driver" in refusal(tmp_path, b"x,rcs\n1,2\n", UNITS)


SCANS = b"timestamp,x\n100,1\n100,2\n100.07,3\n100.14,4\n"


@pytest.mark.parametrize("column", [b"timestamp", b"Time [s]", b"scan", b"frame_id", b"sweep index", b"cycle", b"t"])
def test_several_scans_in_a_table_are_not_taken_for_one(tmp_path, column):
    content = SCANS.replace(b"timestamp", column)
    assert "holds 3 scans by its column" in refusal(tmp_path, content, {"x": "m"})
    assert "(100, 100.07, 100.14), expected one" in refusal(tmp_path, content, {"x": "m"})
    assert read_points(tmp_path / "a.csv", {"x": "m"}, "100")["x"].tolist() == [1, 2]
    assert read_points(tmp_path / "a.csv", {"x": "m"}, "100.14")["x"].tolist() == [4]
    assert read_points(tmp_path / "a.csv", {"x": "m"}, "all")["x"].tolist() == [1, 2, 3, 4]
    assert "has no scan '7'; it holds 3 scans" in refusal(tmp_path, content, {"x": "m"}, "7")


@pytest.mark.parametrize("name", ["a.bin", "a.npy", "a.pcd.bin", "a.ply", "a"])
def test_other_files_are_told_what_is_read(tmp_path, name):
    text = refusal(tmp_path, bytes(20), name=name)
    assert "is not read, expected .pcd, or a text file (.csv, .tsv, .txt)" in text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_organised_cloud_has_width_times_height_points(tmp_path, encoding):
    points = [[i + 0.5, 2.0 * i] for i in range(6)]
    content = pcd(encoding, XY, points).replace(b"WIDTH 6\nHEIGHT 1", b"WIDTH 3\nHEIGHT 2")
    assert read(tmp_path, content)["x"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert read(tmp_path, content.replace(b"POINTS 6\n", b""))["y"] == [0, 2, 4, 6, 8, 10]
    assert "POINTS is 6, expected WIDTH times HEIGHT, 9" in refusal(
        tmp_path, content.replace(b"WIDTH 3\nHEIGHT 2", b"WIDTH 3\nHEIGHT 3"), name="a.pcd"
    )


def test_a_binary_cloud_of_more_points_than_it_says_is_damaged(tmp_path):
    text = refusal(tmp_path, pcd("binary", XY, TWO).replace(b"WIDTH 2", b"WIDTH 1").replace(b"POINTS 2", b"POINTS 1"),
                   name="a.pcd")  # fmt: skip
    assert "damaged: 16 bytes of data, expected 8" in text
    padded = pcd("binary", XY, TWO) + bytes(64)  # some writers fill up a block
    assert read(tmp_path, padded)["x"] == [1.5, 3.5]


def test_a_missing_pypcd4_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypcd4", None)
    (tmp_path / "a.pcd").write_bytes(pcd("binary", XY, TWO))
    with pytest.raises(LircDepthError, match="the package pypcd4 is needed"):
        read_points(tmp_path / "a.pcd")
