# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What else a bag holds beside images, radar, lidar and poses; what the options leave out or add; every storage."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

import rich_nuscenes
import tiny_nuscenes

pytest.importorskip("nuscenes", reason="the converter reads nuScenes through its devkit")
pytest.importorskip("rosbags", reason="bags are written with rosbags")
from nuscenes.nuscenes import NuScenes
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from lircdepth_core import radar
from lircdepth_core.data import nuscenes
from lircdepth_ros import cli
from paths import REPOSITORY

ALL_CAMERAS = {f"CAM_{place}" for place in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")}
ALL_RADARS = {f"RADAR_{place}" for place in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK_LEFT", "BACK_RIGHT")}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return rich_nuscenes.write(tmp_path_factory.mktemp("rich") / "root")


@pytest.fixture(scope="module")
def bag(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("rich") / "bag"
    convert(root, path, "--ground-truth")
    return path


def convert(root, bag, *options):
    command = ["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", str(bag), *options]
    assert cli.main(command) == 0


def read(bag, topic=None):
    """Return [(topic, log time, message)] of a bag, or of one topic."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    with Reader(bag) as reader:
        connections = [c for c in reader.connections if topic in (None, c.topic)]
        assert connections, topic
        return [
            (c.topic, stamp, store.deserialize_cdr(data, c.msgtype)) for c, stamp, data in reader.messages(connections)
        ]


def channels(bag):
    return {
        topic.split("/")[1] for topic, _, _ in read(bag) if topic.split("/")[1].startswith(("CAM", "RADAR", "LIDAR"))
    }


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


def test_all_twelve_sensors_are_there(bag):
    assert channels(bag) == ALL_CAMERAS | ALL_RADARS | {"LIDAR_TOP"}
    ((_, _, static),) = read(bag, "/tf_static")
    assert {t.child_frame_id for t in static.transforms} == channels(bag) | {"odom"}


def test_position_fix_is_that_of_the_devkits_export(root, bag):
    export = pytest.importorskip("nuscenes.scripts.export_poses")
    poses = json.loads((root / "v1.0-mini/ego_pose.json").read_text())
    expected = {pose["timestamp"] * 1000: pose for pose in poses}
    messages = read(bag, "/fix")
    assert len(messages) == len({stamp for stamp in expected if stamp < (tiny_nuscenes.START + 600_000) * 1000})
    for _, stamp, fix in messages:
        (place,) = export.derive_latlon(rich_nuscenes.LOCATION, [expected[stamp]])
        assert fix.latitude == pytest.approx(place["latitude"], abs=1e-10)
        assert fix.longitude == pytest.approx(place["longitude"], abs=1e-10)
        assert math.isnan(fix.altitude)
        assert (nanoseconds(fix.header.stamp), fix.header.frame_id) == (stamp, "base_link")


def test_a_map_without_origin_has_no_position(tmp_path):
    bag = tmp_path / "bag"
    convert(tiny_nuscenes.write(tmp_path / "root"), bag)
    assert not [topic for topic, _, _ in read(bag) if topic in ("/fix", "/annotations", "/imu")]
    assert nuscenes.geodetic("mars", (1.0, 2.0)) is None


def test_a_degree_north_and_east_of_an_origin():
    """On the devkit's sphere a degree of latitude is 6378137 m * pi / 180."""
    metres = 6378137 * math.pi / 180
    latitude, longitude = nuscenes.MAP_ORIGINS["boston-seaport"]
    assert nuscenes.geodetic("boston-seaport", (0, metres)) == pytest.approx((latitude + 1, longitude))
    assert nuscenes.geodetic("boston-seaport", (0, -metres)) == pytest.approx((latitude - 1, longitude))
    east = nuscenes.geodetic("singapore-onenorth", (1000, 0))
    assert east[1] - 103.78475189208984 == pytest.approx(1000 / metres / math.cos(math.radians(1.2882)), rel=1e-6)


def test_annotations_are_boxes_in_the_map_frame_that_replace_those_before(bag):
    messages = read(bag, "/annotations")
    assert [stamp for _, stamp, _ in messages] == [(tiny_nuscenes.START + t) * 1000 for t in (0, 500_000)]
    for (_, stamp, message), expected in zip(messages, ({"first"}, {"first", "second"}), strict=True):
        delete, *boxes = message.markers
        assert delete.action == 3  # DELETEALL
        assert {box.text for box in boxes} == expected
        for box in boxes:
            category, rows = rich_nuscenes.BOXES[box.text]
            _, centre, (width, length, height), rotation = rows[-1 if len(expected) == 2 else 0]
            assert (box.header.frame_id, nanoseconds(box.header.stamp)) == ("map", stamp)
            assert (box.ns, box.type, box.action) == (rich_nuscenes.CATEGORIES[category], 1, 0)
            assert [box.pose.position.x, box.pose.position.y, box.pose.position.z] == centre
            q = box.pose.orientation
            assert [q.w, q.x, q.y, q.z] == pytest.approx(rotation)
            # The devkit's size is width (across), length (ahead), height; a marker's is x ahead, y across, z up.
            assert [box.scale.x, box.scale.y, box.scale.z] == [length, width, height]
            assert box.color.a > 0
    ids = [{box.text: box.id for box in message.markers[1:]} for _, _, message in messages]
    assert ids[0]["first"] == ids[1]["first"] != ids[1]["second"]


def test_can_bus_messages_within_the_scene(bag):
    times = [time * 1000 for time in rich_nuscenes.CAN_TIMES[1:]]
    imu, velocity = read(bag, "/imu"), read(bag, "/can/velocity")
    assert [stamp for _, stamp, _ in imu] == [stamp for _, stamp, _ in velocity] == times
    for _, stamp, message in imu:
        assert (nanoseconds(message.header.stamp), message.header.frame_id) == (stamp, "imu")
        q, turn, pull = message.orientation, message.angular_velocity, message.linear_acceleration
        assert (q.w, q.x, q.y, q.z) == (0.5, -0.5, 0.5, -0.5)
        assert (turn.x, turn.y, turn.z) == (0.01, 0.02, 0.03)
        assert (pull.x, pull.y, pull.z) == (0.1, -0.2, 9.8)
    for _, stamp, message in velocity:
        assert (nanoseconds(message.header.stamp), message.header.frame_id) == (stamp, "base_link")
        assert (message.twist.linear.x, message.twist.angular.z) == (10.5, 0.25)


def test_damaged_can_bus_is_named(root, tmp_path, capsys):
    import shutil

    copy = shutil.copytree(root, tmp_path / "root")
    path = copy / "can_bus/scene-0001_pose.json"
    command = ["nuscenes-to-bag", "--dataroot", str(copy), "--scene", "scene-0001", "-o", str(tmp_path / "bag")]
    path.write_text("[{")
    assert cli.main(command) == 2
    assert f"{path} is corrupt" in capsys.readouterr().err
    path.write_text(json.dumps([{"utime": rich_nuscenes.CAN_TIMES[1], "vel": [1, 2]}]))
    assert cli.main(command) == 2
    assert "CAN bus message at 1600000000000003 us is corrupt" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "bag").exists()


def test_scene_description_is_a_string(bag):
    ((_, _, message),) = read(bag, "/scene")
    assert message.data == "scene-0001: straight on"


def test_ground_truth_is_the_devkits_projection_at_key_frames(root, bag):
    """map_pointcloud_to_image moves float32 points through global coordinates: good to a millimetre here."""
    nusc = NuScenes("v1.0-mini", str(root), verbose=False)
    messages = read(bag, "/CAM_FRONT/depth_gt/image")
    infos = [stamp for _, stamp, _ in read(bag, "/CAM_FRONT/depth_gt/camera_info")]
    assert [stamp for _, stamp, _ in messages] == infos == [(tiny_nuscenes.START + t) * 1000 for t in (0, 500_000)]
    for (_, _, image), sample in zip(messages, nusc.sample, strict=False):
        points, depth, _ = nusc.explorer.map_pointcloud_to_image(
            sample["data"]["LIDAR_TOP"], sample["data"]["CAM_FRONT"]
        )
        assert (image.encoding, image.step, image.height, image.width) == ("32FC1", 256, 48, 64)
        found = image.data.view("<f4").reshape(48, 64)
        expected = {}
        for u, v, z in zip(*np.rint(points[:2]).astype(int), depth, strict=True):
            expected[v, u] = min(z, expected.get((v, u), math.inf))
        assert len(expected) > 10
        assert set(zip(*np.nonzero(np.isfinite(found)), strict=True)) == set(expected)
        for pixel, z in expected.items():
            assert found[pixel] == pytest.approx(z, abs=1.1e-3)


def test_raw_images_are_the_decoded_files(root, tmp_path):
    convert(root, tmp_path / "bag", "--raw", "--cameras", "CAM_BACK")
    messages = read(tmp_path / "bag", "/CAM_BACK/image_rect")
    assert len(messages) == 7
    for _, stamp, message in messages:
        (path,) = root.glob(f"*/CAM_BACK/*__{stamp // 1000}.jpg")
        pixels = np.asarray(Image.open(path))
        assert (message.encoding, message.height, message.width, message.step) == ("bgr8", 48, 64, 192)
        np.testing.assert_array_equal(message.data.reshape(48, 64, 3)[..., ::-1], pixels)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cameras", "CAM_FRONT", "--radars"], {"CAM_FRONT", "LIDAR_TOP"}),
        (["--cameras", "--radars", "RADAR_FRONT", "RADAR_BACK_LEFT", "--no-lidar"], {"RADAR_FRONT", "RADAR_BACK_LEFT"}),
    ],
)
def test_only_the_chosen_sensors_but_every_pose(root, bag, tmp_path, options, expected):
    """Transforms are needed at every time, whichever sensors are left."""
    convert(root, tmp_path / "bag", *options)
    assert channels(tmp_path / "bag") == expected
    poses = [stamp for _, stamp, _ in read(tmp_path / "bag", "/tf")]
    assert poses == [stamp for _, stamp, _ in read(bag, "/tf")]


def test_key_frames_only(root, tmp_path):
    convert(root, tmp_path / "bag", "--key-frames-only")
    stamps = {stamp for topic, stamp, _ in read(tmp_path / "bag") if "image" in topic or "points" in topic}
    assert stamps == {(tiny_nuscenes.START + t) * 1000 for t in (0, 500_000)}


def test_unknown_sensor_lists_the_known_ones(root, tmp_path, capsys):
    command = ["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", str(tmp_path / "bag")]
    assert cli.main([*command, "--cameras", "CAM_TOP"]) == 2
    assert "no camera 'CAM_TOP'; there are CAM_BACK, CAM_BACK_LEFT" in capsys.readouterr().err


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_every_storage_and_compression_holds_the_same_messages(root, bag, tmp_path, storage, compression):
    other = tmp_path / "bag"
    convert(root, other, "--ground-truth", "--storage", storage, "--compression", compression)
    with Reader(bag) as one, Reader(other) as two:
        pairs = list(zip(one.messages(), two.messages(), strict=True))
        assert all((a[0].topic, *a[1:]) == (b[0].topic, *b[1:]) for a, b in pairs)
        assert len(pairs) > 200
    # What Humble's rosbag2 parses: metadata up to version 8 has the QoS as one string, its policies as numbers.
    metadata = yaml.safe_load((other / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (metadata["version"], metadata["storage_identifier"]) == (8, storage)
    for entry in metadata["topics_with_message_count"]:
        profiles = entry["topic_metadata"]["offered_qos_profiles"]
        assert isinstance(profiles, str)
        for profile in yaml.safe_load(profiles):
            assert all(isinstance(profile[name], int) for name in ("history", "depth", "reliability", "durability"))
    assert (other / f"bag.{'mcap' if storage == 'mcap' else 'db3'}").is_file()


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_official_mcap_reader_decodes_every_type(root, tmp_path, compression):
    reader_module = pytest.importorskip("mcap.reader")
    decoder = pytest.importorskip("mcap_ros2.decoder")
    convert(root, tmp_path / "bag", "--ground-truth", "--compression", compression)
    with (tmp_path / "bag/bag.mcap").open("rb") as file:
        reader = reader_module.make_reader(file, validate_crcs=True, decoder_factories=[decoder.DecoderFactory()])
        decoded = [(channel.topic, message.log_time) for _, channel, message, _ in reader.iter_decoded_messages()]
    assert decoded == [(topic, stamp) for topic, stamp, _ in read(tmp_path / "bag")]


def test_a_real_lidar_scans_times_are_those_at_which_it_triggered_the_cameras(nuscenes_real, tmp_path):
    """nuScenes exposes a camera when the lidar's beam passes the middle of its view.

    So the points of a camera's stamp, give or take 2 ms, lie around its optical axis. Checked against a turn of 360
    degrees in 50 ms: 15 ms off would be another camera's.
    """
    nusc = nuscenes.open_nuscenes(nuscenes_real, "v1.0-mini")
    (sample,) = nusc.sample
    lidar = nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
    scan = np.fromfile(nuscenes_real / lidar["filename"], "<f4").reshape(-1, 5)
    times = nuscenes.lidar_point_times(scan[:, 4])
    assert times.min() > -0.05
    assert times.max() == 0
    assert (np.diff(times) >= 0).all()
    assert len(np.unique(times)) == 1084  # firings: 46.1 us each, as the HDL-32E's data sheet has it
    for channel in ALL_CAMERAS:
        camera = nusc.get("sample_data", sample["data"][channel])
        moment = (camera["timestamp"] - lidar["timestamp"]) / 1e6
        near = np.abs(times - moment) < 0.002
        points = scan[near & (np.hypot(scan[:, 0], scan[:, 1]) > 5), :3]
        assert len(points) > 300, channel
        x, _, z = (
            nuscenes.camera_from_sensor(nusc, camera, lidar) @ np.column_stack([points, np.ones(len(points))]).T
        )[:3]
        # The rear camera's view is wider; the front ones' half view is 32 degrees.
        assert abs(np.degrees(np.arctan2(np.median(x), np.median(z)))) < 40, channel


def test_point_times_of_incomplete_firings():
    """A firing ends where the ring number does not grow: here three of them, the second with one point."""
    times = nuscenes.lidar_point_times([0, 1, 2, 2, 0, 2])
    np.testing.assert_allclose(times, np.array([-2, -2, -2, -1, 0, 0]) * 0.05 / 3, atol=1e-9)
    assert nuscenes.lidar_point_times([]).shape == (0,)


def test_no_message_type_is_of_our_own_and_no_ros_is_imported(root, tmp_path):
    """Everything that a bag holds must be understood by a stock ROS 2, and be written without one."""
    program = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("rclpy", "sensor_msgs", "rosbag2_py", "std_msgs", "ament_index_python"):
            raise ImportError(name + " is not to be imported")
sys.meta_path.insert(0, Block())
from lircdepth_ros import cli
sys.exit(cli.main(sys.argv[1:]))
"""
    command = ["nuscenes-to-bag", "--dataroot", root, "--scene", "scene-0001", "-o", tmp_path / "bag", "--ground-truth"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, command)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Reader(tmp_path / "bag") as reader:
        packages = {connection.msgtype.partition("/")[0] for connection in reader.connections}
    stock = {"sensor_msgs", "std_msgs", "nav_msgs", "geometry_msgs", "tf2_msgs", "visualization_msgs"}
    assert packages == stock


def test_the_documented_topics_are_those_of_a_bag(root, bag, tmp_path):
    convert(root, tmp_path / "raw", "--raw")
    found = set()
    for path in (bag, tmp_path / "raw"):
        with Reader(path) as reader:
            for connection in reader.connections:
                topic = re.sub(r"^/(CAM|RADAR)_[A-Z_]+", r"/\1_*", connection.topic)
                latched = connection.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
                found.add((topic, connection.msgtype.replace("/msg/", "/"), latched))
    text = (REPOSITORY / "docs/bags.md").read_text()
    rows = re.findall(r"^\| `(/.*?)` \| (\S+) \| (.*?) \|", text, re.MULTILINE)
    assert {(topic, kind, "latched" in when) for topic, kind, when in rows} == found


def test_radar_fields_keep_their_nuscenes_names_in_every_radar(bag):
    for channel in ALL_RADARS:
        for _, _, cloud in read(bag, f"/{channel}/points"):
            assert [field.name for field in cloud.fields] == list(radar.PCD_DTYPE.names)
