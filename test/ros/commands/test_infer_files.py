# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth infer`: one image and one scan from files, in every form that a point file comes in."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry import rigid_transform
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan
from lircdepth_ros import cli
from paths import REPOSITORY

CALIBRATION = """
parent: base_link
frames:
  CAM_FRONT:
    translation: {x: 1.7, y: 0.0, z: 1.5}
    rotation: {x: -0.5, y: 0.5, z: -0.5, w: 0.5}
  RADAR_FRONT:
    translation: {x: 3.4, y: 0.0, z: 0.5}
    rotation: {x: 0, y: 0, z: 0, w: 1}
intrinsics:
  CAM_FRONT: {fx: 1266.0, fy: 1266.0, cx: 80.0, cy: 48.0}
"""
INTRINSICS = np.array([[1266.0, 0, 80], [0, 1266.0, 48], [0, 0, 1]])
POINTS = np.array([(20, 0.5, 0.25, 10, -3, 0.5), (40, -1, 0.5, 5, 2, 0), (np.nan, 0, 0, 0, 0, 0)], dtype="<f4")
HEADER = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rcs vx vy\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\n"
HEADER += "COUNT 1 1 1 1 1 1\nWIDTH 3\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 3\nDATA "


def ascii_pcd():
    return (HEADER + "ascii\n" + "\n".join(" ".join(map(str, row)) for row in POINTS.tolist()) + "\n").encode()


def binary_pcd():
    return (HEADER + "binary\n").encode() + POINTS.tobytes() + bytes(32)  # some writers pad


def compressed_pcd():
    """By hand: runs of up to 32 literals, which is LZF that compresses nothing."""
    data = POINTS.T.tobytes()  # field after field
    packed = b"".join(bytes([len(data[i : i + 32]) - 1]) + data[i : i + 32] for i in range(0, len(data), 32))
    sizes = np.array([len(packed), len(data)], "<u4").tobytes()
    return (HEADER + "binary_compressed\n").encode() + sizes + packed


def csv_file():
    return "\n".join(["x,y,z,rcs,vx,vy", *(",".join(map(str, row)) for row in POINTS.tolist())]).encode()


FORMS = {"a.pcd": ascii_pcd, "b.pcd": binary_pcd, "c.pcd": compressed_pcd, "d.csv": csv_file}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "calibration.yaml").write_text(CALIBRATION)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    return tmp_path, pixels


def infer(folder, radar, output, *options):
    arguments = ["--image", folder / "image.png", "--calibration", folder / "calibration.yaml", "-o", folder / output]
    arguments += ["--radar", folder / radar] if radar else []
    return cli.main(
        ["infer", "--weights", "tiny", "--device", "cpu", "--backend", "eager", *map(str, arguments), *options]
    )


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_point_file_gives_the_pipelines_depth(files, capsys, name):
    folder, pixels = files
    (folder / name).write_bytes(FORMS[name]())
    assert infer(folder, name, "depth.npy") == 0
    assert "2 of 2 radar returns in the image" in capsys.readouterr().out, "the third holds NaN"
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager")
    base_from = [
        rigid_transform((1.7, 0, 1.5), (0.5, -0.5, 0.5, -0.5)),
        rigid_transform((3.4, 0, 0.5), (1, 0, 0, 0)),
    ]
    scan = RadarScan.from_fields(*POINTS.T)
    expected = pipeline(pixels, INTRINSICS, [(scan, np.linalg.inv(base_from[0]) @ base_from[1])])
    assert expected.returns_seen == 2
    np.testing.assert_array_equal(np.load(folder / "depth.npy"), expected.depth)


def test_png_holds_millimetres(files):
    folder, _ = files
    assert infer(folder, None, "depth.npy") == 0
    assert infer(folder, None, "depth.png") == 0
    depth, png = np.load(folder / "depth.npy"), np.asarray(Image.open(folder / "depth.png"))
    assert png.dtype == np.uint16 or png.dtype == np.int32
    fits = depth < 65.5
    np.testing.assert_array_equal(png[fits], np.rint(depth[fits] * 1000))


def write_table(path, names, rows):
    path.write_text("\n".join([names, *(",".join(map(repr, row)) for row in rows.tolist())]))


def test_files_of_other_drivers_give_the_depth_of_their_returns_in_the_networks_convention(files, capsys):
    folder, _ = files
    motion = ("--ego-motion", "8", "0.5", "0.2")
    own = np.array([8.0, 0.5 + 0.2 * 3.4, 0.0])  # of the radar, which is 3.4 m ahead of the vehicle's frame
    points, rcs, speed = POINTS[:2, :3].astype(np.float64), POINTS[:2, 3], np.array([0.0, 5.0])
    distance = np.linalg.norm(points, axis=1)
    sight = points / distance[:, None]
    radial = speed - sight @ own
    velocity = (speed[:, None] * sight - own)[:, :2]
    table = np.column_stack([points, rcs, velocity])
    write_table(folder / "same.csv", "x,y,z,rcs,vx,vy", table)
    assert infer(folder, "same.csv", "same.npy") == 0
    delft = np.column_stack([points, rcs, radial, speed, np.zeros(2)]).astype("<f4")
    (folder / "scan.bin").write_bytes(delft.tobytes())
    assert infer(folder, "scan.bin", "delft.npy", "--radar-driver", "view_of_delft", *motion) == 0
    polar = np.column_stack([distance, np.arctan2(sight[:, 1], sight[:, 0]), np.arcsin(sight[:, 2]), radial, rcs])
    write_table(folder / "polar.csv", "range [m],azimuth [rad],elevation,doppler [m/s],rcs [dBsm]", polar)
    (folder / "polar.yaml").write_text(
        "position: {range: range, azimuth: azimuth, elevation: elevation}\n"
        "velocity: {radial: doppler}\nrcs: {field: rcs}\n"
    )
    assert infer(folder, "polar.csv", "polar.npy", "--radar-driver", str(folder / "polar.yaml"), *motion) == 0
    for name in ("delft.npy", "polar.npy"):
        np.testing.assert_allclose(np.load(folder / name), np.load(folder / "same.npy"), rtol=0, atol=4e-5)
    assert "taken to stand" not in capsys.readouterr().err
    assert infer(folder, "scan.bin", "still.npy", "--radar-driver", "view_of_delft") == 0
    assert "note: the vehicle is taken to stand: --ego-motion says how it moved" in capsys.readouterr().err
    assert np.abs(np.load(folder / "still.npy") - np.load(folder / "same.npy")).max() > 1e-4
    (folder / "scan.bin").write_bytes(delft.tobytes()[:-4])
    assert infer(folder, "scan.bin", "cut.npy", "--radar-driver", "view_of_delft") == 2
    assert "52 bytes, expected 7 float32 a point" in capsys.readouterr().err


def test_fields_by_a_drivers_own_names_and_zero_for_one_it_lacks(files):
    folder, _ = files
    (folder / "own.csv").write_text("range_x, range_y,RCS,vel_x,vel_y\n20,0.5,10,-3,0.5\n")
    (folder / "same.csv").write_text("x,y,z,rcs,vx,vy\n20,0.5,0,10,-3,0.5\n")
    assert infer(folder, "own.csv", "own.npy", "--radar-fields", "range_x range_y 0 RCS vel_x vel_y") == 0
    assert infer(folder, "same.csv", "same.npy") == 0
    np.testing.assert_array_equal(np.load(folder / "own.npy"), np.load(folder / "same.npy"))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pcd", b"x y z\n1 2 3\n", "not a PCD file"),
        ("a.pcd", ascii_pcd()[:-40], "could not|cannot reshape|truncated"),
        ("a.pcd", binary_pcd()[:-60], "truncated: 44 bytes of data, expected 72"),
        ("a.pcd", compressed_pcd()[:-10], "truncated"),
        ("a.pcd", compressed_pcd().replace(b"\x1f", b"\xff"), "compressed data is damaged"),
        ("a.pcd", (HEADER + "binary_lz4\n").encode(), "DATA is 'binary_lz4', expected ascii"),
        ("a.pcd", (HEADER.replace("POINTS 3", "POINTS 999999999999") + "binary\n").encode(), "POINTS is 999999999999"),
        ("a.pcd", (HEADER.replace("TYPE F", "TYPE Q") + "binary\n").encode(), "a.pcd: "),
        ("a.csv", b"", "empty"),
        ("a.csv", b"x,y\n1,2,3\n", "row 2 has 3 values, expected 2"),
        ("a.csv", b"x,y,z,rcs,vx,vy\n1,two,3,4,5,6\n", "could not convert"),
        ("a.csv", b"x,y\n1,2\n", "has no field z, rcs, vx, vy; it has x, y"),
        ("a.csv", None, "No such file"),
    ],
)
def test_wrong_point_files_are_one_error_line(files, capsys, name, content, expected):
    import re

    folder, _ = files
    if content is not None:
        (folder / name).write_bytes(content)
    assert infer(folder, name, "depth.npy") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(expected, line), line
    assert str(folder / name) in line
    assert not list(folder.glob("*depth*"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--camera-frame", "CAM_BACK"], "has no intrinsics of CAM_BACK; it has those of: CAM_FRONT"),
        (["--radar-frame", "RADAR"], "the calibration has no frame 'RADAR'; known: base_link, CAM_FRONT, RADAR_FRONT"),
        (["--radar-fields", "x y z"], "--radar-fields is 'x y z', expected six names"),
        (["-o", "depth.jpg"], "--output is depth.jpg, expected a name that ends in .png or .npy"),
        (["--image", "calibration"], "No such file or directory: calibration"),
    ],
)
def test_wrong_options_are_one_error_line(files, capsys, options, expected):
    folder, _ = files
    (folder / "a.pcd").write_bytes(ascii_pcd())
    assert infer(folder, "a.pcd", "depth.npy", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_file_that_is_no_image_is_named(files, capsys):
    folder, _ = files
    whole = (folder / "image.png").read_bytes()
    for content in (b"no image", whole[: len(whole) // 2]):
        (folder / "image.png").write_bytes(content)
        assert infer(folder, None, "depth.npy") == 2
        assert f"{folder / 'image.png'} is not a whole JPEG or PNG" in capsys.readouterr().err


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import lircdepth_core.pipeline
from lircdepth_ros import cli
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20, resource.RLIM_INFINITY))
sys.exit(cli.main(["infer", *sys.argv[1:]]))
"""


def test_exhausted_memory_is_one_error_line_and_leaves_no_file(files):
    folder, _ = files
    Image.new("RGB", (8000, 7000)).save(folder / "image.jpg")  # 168 MB of pixels
    arguments = ["--image", folder / "image.jpg", "--calibration", folder / "calibration.yaml", "--backend", "eager"]
    arguments += ["--weights", "tiny", "--threads", "1", "--device", "cpu", "-o", folder / "depth.npy"]
    command = [sys.executable, "-c", SHORT_OF_MEMORY, *arguments]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("lircdepth infer: error: ")
    assert "memory" in line
    assert not (folder / "depth.npy").exists()


def test_intrinsics_and_the_image_size_survive_saving(tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text(CALIBRATION.replace("cy: 48.0", "cy: 48.0, width: 160, height: 96"))
    Calibration.load(path).save(tmp_path / "copy.yaml")
    read = Calibration.load(tmp_path / "copy.yaml")
    np.testing.assert_array_equal(read.intrinsics["CAM_FRONT"], INTRINSICS)
    assert read.image_sizes == {"CAM_FRONT": (160, 96)}


CAMERA = "{fx: 1266.0, fy: 1266.0, cx: 80.0, cy: 48.0}"
ROS_CAMERA = (
    "image_width: 160\nimage_height: 96\ncamera_matrix:\n  rows: 3\n  cols: 3\n  data: [9, 0, 8, 0, 9, 4, 0, 0, 1]\n"
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (", cy: 48.0", "", "CAM_FRONT, intrinsics lack 'cy'; there are fx, fy, cx"),
        ("80.0", "wide", "CAM_FRONT, intrinsics: cx is 'wide', expected a number such as 1.5"),
        ("fx: 1266.0", "fx: '1266,0'", "CAM_FRONT, intrinsics: fx is '1266,0', expected a number"),
        ("fx: 1266.0", "fx: 0.0", "CAM_FRONT, intrinsics: fx is 0, expected a positive number of pixels"),
        ("fy: 1266.0", "fy: -1266.0", "CAM_FRONT, intrinsics: fy is -1266, expected a positive"),
        ("fx: 1266.0", "fx: .nan", "CAM_FRONT, intrinsics: fx is nan, expected a number"),
        (CAMERA, "[1266.0, 0, 80, 0, 1266, 48]", "6 numbers, expected the 9 of a 3x3 matrix"),
        (CAMERA, "[1266.0, 0, 0, 0, 1266, 0, 80, 48, 1]", "the matrix ends with [80.0, 48.0, 1.0], expected 0, 0, 1"),
        (
            "{x: 0, y: 0, z: 0, w: 1}",
            "{roll: 0, pitch: 0, yaw: 0}",
            "RADAR_FRONT: rotation lacks 'w'; it has roll, pitch",
        ),
        ("{x: 0, y: 0, z: 0, w: 1}", "[0, 0, 0, 1]", "RADAR_FRONT: rotation is [0, 0, 0, 1], expected a mapping with"),
        (CALIBRATION, ROS_CAMERA, "it is a file of ROS's camera_calibration; expected 'parent: base_link'"),
        (CALIBRATION, "P0: 7.2e+02 0 6.1e+02 0\nP2: 7 0 6 0\n", "it is a calibration of KITTI; expected"),
        (CALIBRATION, "cam0: {camera_model: pinhole}\n", "it is a file of Kalibr; expected"),
    ],
)
def test_calibrations_as_other_programs_and_people_write_them_are_named(tmp_path, old, new, expected):
    path = tmp_path / "calibration.yaml"
    text = CALIBRATION.replace(old, new)
    assert text != CALIBRATION
    path.write_text(text)
    with pytest.raises(LircDepthError) as caught:
        Calibration.load(path)
    assert str(caught.value).startswith(f"calibration {path}")
    assert expected in str(caught.value)


def test_intrinsics_may_be_a_matrix_and_translations_a_list(tmp_path):
    path = tmp_path / "calibration.yaml"
    text = CALIBRATION.replace("{x: 3.4, y: 0.0, z: 0.5}", "[3.4, 0.0, 0.5]")
    for matrix in ("[1266.0, 0, 80, 0, 1266, 48, 0, 0, 1]", "[[1266.0, 0, 80], [0, 1266, 48], [0, 0, 1]]"):
        path.write_text(text.replace(CAMERA, matrix))
        read = Calibration.load(path)
        np.testing.assert_array_equal(read.intrinsics["CAM_FRONT"], INTRINSICS)
        np.testing.assert_array_equal(read.base_from_sensor["RADAR_FRONT"][:3, 3], [3.4, 0, 0.5])


def test_intrinsics_of_another_image_size_are_refused(files, capsys):
    folder, pixels = files
    path = folder / "calibration.yaml"
    path.write_text(CALIBRATION.replace("cy: 48.0", "cy: 48.0, width: 160, height: 96"))
    assert infer(folder, None, "depth.npy") == 0
    Image.fromarray(pixels[::2, ::2]).save(folder / "image.png")  # halved, and the calibration was not
    assert infer(folder, None, "other.npy") == 2
    assert f"the image is 80x48, the intrinsics of CAM_FRONT in {path} are those of 160x96" in capsys.readouterr().err
    path.write_text(CALIBRATION.replace("cx: 80.0", "cx: 81.0"))  # no size, and a centre beyond the image
    assert infer(folder, None, "other.npy") == 2
    assert "the principal point (81, 48) lies outside the image of 80x48" in capsys.readouterr().err
    path.write_text(CALIBRATION.replace("fx: 1266.0", "fx: 126600.0").replace("80.0", "40.0").replace("48.0", "24.0"))
    assert infer(folder, None, "other.npy") == 2
    assert "the focal length of 126600 px is impossible for an image of 80x48" in capsys.readouterr().err
    assert not (folder / "other.npy").exists()


def test_a_mounting_that_looks_elsewhere_is_noted(files, capsys):
    folder, _ = files
    (folder / "a.pcd").write_bytes(ascii_pcd())
    path = folder / "calibration.yaml"
    path.write_text(CALIBRATION.replace("{x: -0.5, y: 0.5, z: -0.5, w: 0.5}", "{x: 0, y: 0, z: 0, w: 1}"))
    assert infer(folder, "a.pcd", "depth.npy") == 0
    assert f"note: no return lies in the image; check the mounting in {path}" in capsys.readouterr().err


def test_it_needs_no_ros_and_no_rosbags(files):
    folder, _ = files
    (folder / "a.pcd").write_bytes(ascii_pcd())
    shutil.copy(folder / "image.png", folder / "copy.png")
    program = "import sys\nfor name in ('rclpy', 'rosbags', 'sensor_msgs'): sys.modules[name] = None\n"
    program += "from lircdepth_ros import cli\nsys.exit(cli.main(sys.argv[1:]))"
    arguments = [
        "infer",
        "--image",
        folder / "copy.png",
        "--radar",
        folder / "a.pcd",
        "--weights",
        "tiny",
        "--backend",
        "eager",
    ]
    arguments += ["--calibration", folder / "calibration.yaml", "-o", folder / "depth.png"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 radar returns" in done.stdout


def test_the_sample_gives_depth_and_a_picture_at_once(tmp_path, capsys):
    """The first thing that a person tries: no file of one's own, no measuring of backends."""
    assert cli.main(["infer", "--sample", "-o", str(tmp_path / "depth.png")]) == 0
    millimetres = np.asarray(Image.open(tmp_path / "depth.png"))
    assert millimetres.shape == (900, 1600)
    with Image.open(tmp_path / "depth.jpg") as picture:
        assert picture.width > 3200
        assert picture.height > 1800
    assert "101 of 125 radar returns in the image" in capsys.readouterr().out
    sample = REPOSITORY / "lircdepth_core/sample"
    assert sum(path.stat().st_size for path in sample.iterdir()) < 300_000
    assert cli.main(["infer", "--sample", "--image", "own.jpg", "-o", str(tmp_path / "depth.png")]) == 2
    assert "leave --image away" in capsys.readouterr().err
    assert cli.main(["infer", "-o", str(tmp_path / "depth.png")]) == 2
    assert "--image and --calibration missing; --sample takes the frame that ships" in capsys.readouterr().err


def test_a_picture_has_the_scale_that_is_asked_for(files, capsys):
    folder, _ = files
    (folder / "a.pcd").write_bytes(ascii_pcd())
    picture, words = folder / "picture.png", ("--weights", "tiny", "--device", "cpu", "--inference-scale", "0.5")
    pictures = []
    for option in (("--spacing", "log"), ("--spacing", "linear"), ("--farthest", "3")):
        assert infer(folder, folder / "a.pcd", folder / "d.npy", *words, "--picture", str(picture), *option) == 0
        pictures.append(np.asarray(Image.open(picture)))
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[0] != pictures[2]).any()
    capsys.readouterr()
    assert infer(folder, folder / "a.pcd", folder / "d.npy", *words, "--picture", "picture.bmp") == 2
    assert "--picture is picture.bmp, expected a name that ends in .png or .jpg" in capsys.readouterr().err
    assert infer(folder, folder / "a.pcd", folder / "d.npy", *words, "--farthest", "1") == 2
    assert "expected 0 < nearest < farthest" in capsys.readouterr().err
