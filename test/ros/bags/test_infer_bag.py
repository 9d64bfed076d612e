# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth from bags and files without DDS: the same as the node's, in order, complete, and the same every time."""

import base64
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import rich_nuscenes
import tiny_nuscenes

pytest.importorskip("nuscenes", reason="bags are converted from nuScenes, through its devkit")
pytest.importorskip("rosbags", reason="bags are read with rosbags")
import cv2
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from lircdepth_core.data import nuscenes
from lircdepth_core.evaluation.metrics import depth_errors
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan, decode_pcd
from lircdepth_ros import cli
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.depth import depth_of, to_millimetres
from paths import REPOSITORY

DEPTH = "/CAM_FRONT/depth/image"
INFO = "/CAM_FRONT/depth/camera_info"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return rich_nuscenes.write(tmp_path_factory.mktemp("rich") / "root")


@pytest.fixture(scope="module")
def bag(root, tmp_path_factory):
    return convert(root, tmp_path_factory.mktemp("rich") / "bag", "scene-0001")


@pytest.fixture(scope="module")
def real_bag(nuscenes_real, tmp_path_factory):
    return convert(nuscenes_real, tmp_path_factory.mktemp("real") / "bag", "scene-0061")


def convert(root, bag, scene, *options):
    assert cli.main(["nuscenes-to-bag", "--dataroot", str(root), "--scene", scene, "-o", str(bag), *options]) == 0
    return bag


def infer_bag(bag, output, *options):
    assert (
        cli.main(["infer-bag", str(bag), "-o", str(output), "--weights", "tiny", "--backend", "eager", *options]) == 0
    )
    return output


def read(bag, *topics):
    """Return [(topic, log time, message)] in the file's order."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    with Reader(bag) as reader:
        connections = [c for c in reader.connections if not topics or c.topic in topics]
        return [
            (c.topic, stamp, store.deserialize_cdr(data, c.msgtype)) for c, stamp, data in reader.messages(connections)
        ]


def depths(bag):
    """{stamp: depth [H, W]} of 32FC1 images."""
    found = {}
    for _, logged, image in read(bag, DEPTH):
        stamp = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
        assert (image.encoding, image.header.frame_id, logged) == ("32FC1", "CAM_FRONT", stamp)
        found[stamp] = image.data.view("<f4").reshape(image.height, image.width)
    return found


def test_every_image_has_depth_and_camera_info_of_its_stamp(bag, tmp_path):
    output = infer_bag(bag, tmp_path / "depth")
    images = [stamp for _, stamp, _ in read(bag, "/CAM_FRONT/image_rect/compressed")]
    assert list(depths(output)) == images
    infos = {stamp: message for _, stamp, message in read(output, INFO)}
    for _, stamp, expected in read(bag, "/CAM_FRONT/camera_info"):
        found = infos.pop(stamp)
        assert (found.header, found.width, found.height) == (expected.header, expected.width, expected.height)
        np.testing.assert_array_equal(found.k, expected.k)
    assert not infos


def test_the_depth_is_the_pipelines_on_what_the_devkit_reads(root, bag, tmp_path):
    """Matching, projection and ego motion worked out again from the tables: the nearest scan, through both poses."""
    nusc = nuscenes.open_nuscenes(root, "v1.0-mini")
    scene = nuscenes.find_scene(nusc, "scene-0001")
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager")
    scans = nuscenes.channel_records(nusc, scene, "RADAR_FRONT")
    found, fused = depths(infer_bag(bag, tmp_path / "depth")), 0
    for record in nuscenes.channel_records(nusc, scene, "CAM_FRONT"):
        scan = min(scans, key=lambda scan: abs(scan["timestamp"] - record["timestamp"]))
        returns = RadarScan.from_pcd(decode_pcd((root / scan["filename"]).read_bytes()))
        image = np.asarray(Image.open(root / record["filename"]).convert("RGB"))
        transform = nuscenes.camera_from_sensor(nusc, record, scan)
        expected = pipeline(image, np.array(tiny_nuscenes.INTRINSICS), [(returns, transform)])
        np.testing.assert_array_equal(found[record["timestamp"] * 1000], expected.depth)
        fused += expected.fused
    assert fused > 3


def test_the_same_bytes_again_with_the_mounting_from_tf_static_too(bag, tmp_path):
    """The same folder name, since rosbags writes it into the file."""
    first = infer_bag(bag, tmp_path / "a/depth")
    second = infer_bag(bag, tmp_path / "b/depth")
    bare = shutil.copytree(bag, tmp_path / "bare")
    (bare / "calibration.yaml").unlink()
    third = infer_bag(bare, tmp_path / "c/depth", "--odometry-topic", "/none")  # then ego motion comes from /tf
    for name in ("depth.mcap", "metadata.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes() == (third / name).read_bytes()


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="the node needs rclpy")
def test_the_node_gives_the_same_depth_bit_for_bit(rig, depth_node, tmp_path):
    """Through DDS and processes of their own. An image that the node drops has no depth; the others must be equal."""
    from rig import PATIENCE_S, keeping_every_image, stamp_of

    bag = convert(tiny_nuscenes.write(tmp_path / "root"), tmp_path / "bag", "scene-0001")
    depth_node(use_sim_time=True, calibration_file=bag / "calibration.yaml", threads=0, **keeping_every_image())
    settings = {"bag": bag, "rate": 0.2, "wait_for_subscribers": PATIENCE_S}
    settings["wait_for_topics"] = (
        "[/CAM_FRONT/image_rect/compressed, /CAM_FRONT/camera_info, /RADAR_FRONT/points, /odom]"
    )
    options = [word for name, value in settings.items() for word in ("-p", f"{name}:={value}")]
    replay = [sys.executable, "-m", "lircdepth_ros.replay_node", "--ros-args", *map(str, options)]
    subprocess.run(replay, cwd=REPOSITORY, check=True, timeout=2 * PATIENCE_S)
    rig.wait(lambda: rig.count("frames_in") == 7 == rig.count("frames_out") + rig.count("dropped"), "account")
    rig.wait(lambda: len(rig.depth) == rig.count("frames_out"), "depth")
    offline = depths(infer_bag(bag, tmp_path / "offline"))
    for image in rig.depth:
        assert image.data.tobytes() == offline[stamp_of(image)].tobytes()
    assert len(rig.depth) >= 4, "of 7 images"


def test_with_inputs_everything_is_in_one_order_and_unchanged(bag, tmp_path):
    output = infer_bag(bag, tmp_path / "all", "--with-inputs", "--compression", "zstd")
    with Reader(bag) as before, Reader(output) as after:
        expected = [(c.topic, stamp, data) for c, stamp, data in before.messages()]
        found = [(c.topic, stamp, data) for c, stamp, data in after.messages()]
        qos = [{c.topic: c.ext.offered_qos_profiles for c in reader.connections} for reader in (before, after)]
    assert [entry for entry in found if "depth/" not in entry[0]] == expected
    assert len(found) == len(expected) + 2 * 7
    assert [stamp for _, stamp, _ in found] == sorted(stamp for _, stamp, _ in found)
    assert qos[0].items() <= qos[1].items()


def test_millimetres_in_a_png_as_compressed_depth_image_transport_has_them(bag, tmp_path):
    output = infer_bag(bag, tmp_path / "mm", "--encoding", "16UC1")
    expected = depths(infer_bag(bag, tmp_path / "metres"))
    messages = read(output, f"{DEPTH}/compressedDepth")
    assert [stamp for _, stamp, _ in messages] == list(expected)
    for _, stamp, message in messages:
        assert message.format == "16UC1; compressedDepth png"
        pixels = cv2.imdecode(message.data[12:], cv2.IMREAD_UNCHANGED)
        depth = expected[stamp]
        fits = depth < 65.5
        assert pixels.dtype == np.uint16
        np.testing.assert_array_equal(pixels[fits], np.rint(depth[fits] * 1000))
        assert not pixels[np.isnan(depth) | (depth > 65.535)].any()
        again = depth_of(message)
        np.testing.assert_allclose(again[fits], depth[fits], atol=0.00051)
        assert np.isnan(again[np.isnan(depth)]).all()


def test_video_has_a_frame_for_each_image(bag, tmp_path):
    infer_bag(bag, tmp_path / "depth", "--mp4", str(tmp_path / "video.mp4"))
    video = cv2.VideoCapture(str(tmp_path / "video.mp4"))
    frames = []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    assert len(frames) == 7
    height, width, _ = frames[0].shape  # at half size: two images above two, captions, and the scale at the right
    assert (height > 48, width > 64) == (True, True)
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_the_real_sample_is_fused_and_its_error_is_that_against_the_devkits_projection(
    nuscenes_real, real_bag, tmp_path, capsys
):
    capsys.readouterr()
    output = infer_bag(real_bag, tmp_path / "depth", "--json", "--report", str(tmp_path / "infer.html"))
    summary = json.loads(capsys.readouterr().out)
    assert (summary["images"], summary["frames"], summary["fused"], summary["dropped"]) == (1, 1, 1, 0)
    ((_, depth),) = depths(output).items()
    nusc = nuscenes.open_nuscenes(nuscenes_real, "v1.0-mini")
    pixels, truth = nuscenes.project_channel(nusc, nusc.sample[0], "LIDAR_TOP", "CAM_FRONT")
    columns, rows = np.rint(pixels).astype(int).T
    for cap in (50, 70, 80):
        expected = depth_errors(depth[rows, columns], truth, cap)
        found = summary["metrics"]["errors"]["depth"][f"0-{cap} m"]
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)

    # And by the command for recordings, with the lidar from the other bag.
    report = tmp_path / "metrics.json"
    words = ["eval-bag", str(output), "--reference", str(real_bag), "--json", str(report)]
    assert cli.main([*words, "--report", str(tmp_path / "eval.html")]) == 0
    assert json.loads(report.read_text()) == summary["metrics"]
    for name in ("infer.html", "eval.html"):  # both have the camera's image beside the error map
        page = (tmp_path / name).read_text()
        assert f"<td>{summary['metrics']['errors']['depth']['0-80 m']['mae']:.3f}</td>" in page
        (picture,) = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)', page)
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
        assert shown[60:300, 100:700].std() > 20, "the camera's image is not white"
    assert "fused" in (tmp_path / "infer.html").read_text()
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("1 depth images against lidar (1)")
    assert [line.split()[0] for line in table[3:6]] == ["0-50", "0-70", "0-80"]
    assert f"{summary['metrics']['errors']['depth']['0-50 m']['mae']:.3f}" in table[3].split()


def test_a_recording_is_compared_by_the_sensors_time_not_by_its_own(bag, tmp_path, capsys):
    """Recorded ten years later, its log times are of no use; the errors are those of the bag that was played."""
    depth = infer_bag(bag, tmp_path / "depth")
    store, later = definitions.typestore(), 10 * 365 * 86400 * 10**9
    with new_bag(tmp_path / "recording") as writer:
        messages = read(depth)
        connections = {
            topic: writer.add_connection(topic, m.__msgtype__, typestore=store) for topic, _, m in messages[:2]
        }
        for topic, stamp, message in messages:
            writer.write(connections[topic], stamp + later, definitions.serialize(message))
    reports = []
    for name in ("depth", "recording"):
        report = tmp_path / f"{name}.json"
        command = ["eval-bag", str(tmp_path / name), "--reference", str(bag), "--json", str(report)]
        assert cli.main(command) == 0
        reports.append(json.loads(report.read_text()))
    assert reports[0]["errors"] == reports[1]["errors"]
    assert reports[0]["frames"] == reports[1]["frames"] == 7


def test_ground_truth_goes_before_lidar_and_equal_depth_has_no_error(root, tmp_path):
    bag = convert(root, tmp_path / "bag", "scene-0001", "--ground-truth")
    store = definitions.typestore()
    with new_bag(tmp_path / "depth") as writer:
        for topic in ("image", "camera_info"):
            messages = read(bag, f"/CAM_FRONT/depth_gt/{topic}")
            kind = messages[0][2].__msgtype__
            connection = writer.add_connection(f"/CAM_FRONT/depth/{topic}", kind, typestore=store)
            for _, stamp, message in messages:
                writer.write(connection, stamp, definitions.serialize(message))
    report = tmp_path / "metrics.json"
    command = ["eval-bag", str(tmp_path / "depth"), "--reference", str(bag), "--json", str(report)]
    assert cli.main(command) == 0
    metrics = json.loads(report.read_text())
    assert (metrics["frames"], metrics["truth"]) == (2, "ground truth (2)")
    assert metrics["errors"]["depth"]["0-80 m"]["mae"] == 0
    assert metrics["errors"]["depth"]["0-80 m"]["pixels"] > 10


def written_depth(path, depths, encoding, topic="/CAM_FRONT/depth"):
    """Write depth maps, 0.1 s apart, and their camera_info as a bag."""
    height, width = depths[0].shape
    store = definitions.typestore()
    with new_bag(path) as writer:
        image, info = (
            writer.add_connection(f"{topic}/{name}", f"sensor_msgs/msg/{kind}", typestore=store)
            for name, kind in (("image", "Image"), ("camera_info", "CameraInfo"))
        )
        for number, depth in enumerate(depths):
            stamp = 10**18 + number * 10**8
            pixels = depth if encoding == "32FC1" else to_millimetres(depth)[0]
            writer.write(image, stamp, definitions.serialize(building.image(stamp, "CAM_FRONT", pixels, encoding)))
            message = building.camera_info(stamp, "CAM_FRONT", np.eye(3), width, height)
            writer.write(info, stamp, definitions.serialize(message))
    return path


@pytest.mark.parametrize(("predicted_in", "true_in"), [("16UC1", "32FC1"), ("32FC1", "16UC1"), ("32FC1", "32FC1")])
def test_what_16uc1_cannot_hold_is_not_measured_and_never_lost(tmp_path, predicted_in, true_in):
    """A wall at 40 m, of which a half is estimated at 70 m, and one at 75 m that is estimated 5 m too near."""
    from lircdepth_ros.bags.evaluation import evaluate

    true = np.repeat(np.float32([40, 75, 10]), 8).reshape(3, 8).astype(np.float32)
    depth = true.copy()
    depth[0, :4] = 70
    depth[1] = 70
    predicted = written_depth(tmp_path / "depth", [depth, depth], predicted_in)
    truth = written_depth(tmp_path / "truth", [true, true], true_in, "/CAM_FRONT/depth_gt")
    report = evaluate(predicted, truth, DEPTH, "/LIDAR_TOP/points").report
    assert report.frames == 2
    assert report.about["truth"] == "ground truth (2)"
    # Clamped to the cap of 50 m, a quarter of 16 pixels is 10 m off.
    assert report.mean("mae", group="0-50 m") == pytest.approx(10 / 4, abs=1e-3)
    if "16UC1" in (predicted_in, true_in):
        assert "0-80 m" not in report.errors["depth"]
        assert "0-70 m" not in report.errors["depth"]
        assert "50-80 m bin" not in report.errors["depth"]
        assert "16UC1 ends at 65.535 m" in "\n".join(report.lines())
        assert ("24 pixels with a true depth are 0" in "\n".join(report.lines())) == (predicted_in == "16UC1")
    else:
        assert report.mean("mae") == pytest.approx((4 * 30 + 8 * 5) / 24, abs=1e-3)


def test_a_run_has_one_truth(root, tmp_path, capsys):
    """Ground truth at key frames and lidar in between would give a mean that is of neither."""
    from lircdepth_ros.bags.evaluation import evaluate

    bag = convert(root, tmp_path / "bag", "scene-0001", "--ground-truth")
    depth = infer_bag(bag, tmp_path / "depth")
    found = {
        truth: evaluate(depth, bag, DEPTH, "/LIDAR_TOP/points", truth=truth).report
        for truth in ("auto", "ground-truth", "lidar")
    }
    assert found["auto"].errors == found["ground-truth"].errors
    assert (found["auto"].about["truth"], found["auto"].left_out) == ("ground truth (2)", 5)
    assert "no ground truth of its stamp" in found["auto"].reasons[0]
    assert (found["lidar"].about["truth"], found["lidar"].left_out) == ("lidar (7)", 0)
    bare = convert(root, tmp_path / "bare", "scene-0001")
    command = ["eval-bag", str(depth), "--reference", str(bare), "--truth", "ground-truth"]
    assert cli.main(command) == 2
    assert "has no topic /CAM_FRONT/depth_gt/image" in capsys.readouterr().err


def test_lidar_is_moved_by_the_ego_motion_between_its_stamp_and_the_images(root, bag, tmp_path):
    """Depth that is the lidar's at the image's time has no error; where the motion is left out it has some."""
    nusc = nuscenes.open_nuscenes(root, "v1.0-mini")
    scene = nuscenes.find_scene(nusc, "scene-0001")
    store = definitions.typestore()
    with new_bag(tmp_path / "depth") as writer:
        connections = [
            writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=store)
            for topic, kind in ((DEPTH, "Image"), (INFO, "CameraInfo"))
        ]
        infos = {stamp: message for _, stamp, message in read(bag, "/CAM_FRONT/camera_info")}
        scans = nuscenes.channel_records(nusc, scene, "LIDAR_TOP")
        for record in nuscenes.channel_records(nusc, scene, "CAM_FRONT"):
            lidar = min(scans, key=lambda scan: abs(scan["timestamp"] - record["timestamp"]))
            sample = {"data": {"LIDAR_TOP": lidar["token"], "CAM_FRONT": record["token"]}}
            pixels, truth = nuscenes.project_channel(nusc, sample, "LIDAR_TOP", "CAM_FRONT")
            depth = np.full((48, 64), np.nan, np.float32)
            columns, rows = np.rint(pixels).astype(int).T
            _, first = np.unique(rows * 64 + columns, return_index=True)
            depth[rows[first], columns[first]] = truth[first]
            stamp = record["timestamp"] * 1000
            image = building.image(stamp, "CAM_FRONT", depth, "32FC1")
            for connection, message in zip(connections, (image, infos[stamp]), strict=True):
                writer.write(connection, stamp, definitions.serialize(message))
    from lircdepth_ros.bags.evaluation import evaluate

    report = evaluate(tmp_path / "depth", bag, DEPTH, "/LIDAR_TOP/points").report
    assert report.frames == 7
    # Two points in one pixel are judged by one depth: most have no error at all.
    assert report.mean("delta1") > 0.9


def test_no_ros_is_imported(bag, tmp_path):
    program = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rclpy", "sensor_msgs", "nav_msgs", "rosbag2_py", "ament_index_python"):
            raise ImportError(name + " is not to be imported")
sys.meta_path.insert(0, Block())
from lircdepth_ros import cli
sys.exit(cli.main(sys.argv[1:]))
"""
    command = [
        "infer-bag",
        str(bag),
        "-o",
        str(tmp_path / "depth"),
        "--weights",
        "tiny",
        "--backend",
        "eager",
        "--mp4",
        str(tmp_path / "v.mp4"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "7 depth images of 7 images" in done.stdout
    assert "weights are RANDOM" in done.stdout


def rewrite(bag, output, change):
    """Copy a bag's messages as ``change(topic, stamp, message)`` returns them; None leaves one out."""
    store = definitions.typestore()
    with Reader(bag) as reader, new_bag(output) as writer:
        connections = {c.topic: writer.add_connection(c.topic, c.msgtype, typestore=store) for c in reader.connections}
        for c, stamp, data in reader.messages():
            message = change(c.topic, stamp, store.deserialize_cdr(data, c.msgtype))
            if message is not None:
                writer.write(connections[c.topic], stamp, definitions.serialize(message))
    return output


def test_a_damaged_image_and_lost_radar_are_counted_and_the_rest_goes_on(root, bag, tmp_path, capsys):
    stamps = [stamp for _, stamp, _ in read(bag, "/CAM_FRONT/image_rect/compressed")]

    def change(topic, stamp, message):
        if topic == "/CAM_FRONT/image_rect/compressed" and stamp == stamps[2]:
            message.data = message.data[:100]
        return None if topic == "/RADAR_FRONT/points" and stamp > stamps[3] else message

    damaged = rewrite(bag, tmp_path / "damaged", change)
    capsys.readouterr()
    output = infer_bag(damaged, tmp_path / "depth", "--json")
    summary = json.loads(capsys.readouterr().out)
    assert (summary["images"], summary["frames"], summary["dropped"]) == (7, 6, 1)
    assert f"image at {stamps[2]}" in summary["reasons"][0]
    found = depths(output)
    assert list(found) == [stamp for stamp in stamps if stamp != stamps[2]]
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager")
    for stamp in stamps[4:]:  # more than 0.1 s after the last scan
        (path,) = root.glob(f"*/CAM_FRONT/*__{stamp // 1000}.jpg")
        alone = pipeline(np.asarray(Image.open(path)), np.array(tiny_nuscenes.INTRINSICS))
        np.testing.assert_array_equal(found[stamp], alone.depth)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--image-topic", "/CAM_TOP/image"], "has no image topic /CAM_TOP/image[/compressed]; it has /CAM_BACK/cam"),
        (["--radar-topics", "/RADAR/points"], "has no topic /RADAR/points; it has"),
        (["--camera-info-topic", "/info"], "has no topic /info; it has"),
        (["--calibration", "nowhere.yaml"], "calibration nowhere.yaml: No such file"),
        (["--radar-fields", "x y"], "--radar-fields is 'x y', expected six names"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--inference-scale", "0"], "--inference-scale is 0.0, expected more than 0"),
        (["--mp4", "/nowhere/video.mp4"], "cannot write /nowhere/video.mp4"),
    ],
)
def test_wrong_options_are_one_error_line_and_leave_nothing(bag, tmp_path, capsys, options, expected):
    output = tmp_path / "depth"
    assert cli.main(["infer-bag", str(bag), "-o", str(output), "--weights", "tiny", *options]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "lircdepth infer-bag: error: " in line]
    assert expected in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_bag_that_has_depth_already_needs_another_topic(bag, tmp_path, capsys):
    first = infer_bag(bag, tmp_path / "first", "--with-inputs")
    command = [
        "infer-bag",
        str(first),
        "-o",
        str(tmp_path / "second"),
        "--weights",
        "tiny",
        "--backend",
        "eager",
        "--with-inputs",
    ]
    assert cli.main(command) == 2
    assert "has /CAM_FRONT/depth/image, /CAM_FRONT/depth/camera_info already" in capsys.readouterr().err
    assert cli.main([*command, "--depth-topic", "/again"]) == 0
    assert cli.main(["infer-bag", str(bag), "-o", str(first), "--weights", "tiny"]) == 2
    assert f"{first} exists already and is not overwritten" in capsys.readouterr().err
