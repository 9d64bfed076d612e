# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The converter: what is in the bag is what is in the dataset, and wrong input gets one clear error."""

import json
import math
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tiny_nuscenes

pytest.importorskip("nuscenes", reason="the converter reads nuScenes through its devkit")
pytest.importorskip("rosbags", reason="bags are written with rosbags")
from nuscenes.utils.data_classes import RadarPointCloud
from nuscenes.utils.geometry_utils import transform_matrix
from pyquaternion import Quaternion
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import claimed
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_ros import cli
from paths import REPOSITORY


def arguments(root, scene, bag, *options):
    return ["nuscenes-to-bag", "--dataroot", str(root), "--scene", scene, "-o", str(bag), *options]


def convert(*args, **keywords):
    """Run the real command in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "lircdepth_ros.cli", *arguments(*args)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **keywords,
    )


def assert_one_error(done):
    """Exit status 2 and one error line; return it."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert "error: " in lines[0]
    return lines[0]


def read(bag):
    """Return [(topic, log time, decoded message, connection)] in the order of the bag, by rosbags."""
    store = get_typestore(Stores.ROS2_KILTED)
    with Reader(bag) as reader:
        return [
            (connection.topic, stamp, store.deserialize_cdr(data, connection.msgtype), connection)
            for connection, stamp, data in reader.messages()
        ]


def header_stamp(message, logged=None):
    """Return a message's own stamp [ns] (of a TFMessage: of its transforms, which share one); a String has none."""
    if hasattr(message, "data") and not hasattr(message, "header"):
        return logged
    if hasattr(message, "transforms"):
        (stamp,) = {(t.header.stamp.sec, t.header.stamp.nanosec) for t in message.transforms}
    else:
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
    return stamp[0] * 1_000_000_000 + stamp[1]


def points_of(cloud):
    """Decode a PointCloud2 by its own field list: {name: array}."""
    types = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 8: "<f8"}
    assert cloud.height == 1
    assert not cloud.is_bigendian
    rows = cloud.data.reshape(cloud.width, cloud.point_step)
    sizes = {name: np.dtype(types[field.datatype]).itemsize for field in cloud.fields for name in [field.name]}
    return {
        field.name: rows[:, field.offset : field.offset + sizes[field.name]].copy().view(types[field.datatype])[:, 0]
        for field in cloud.fields
    }


def matrix(transform):
    """4x4 of a geometry_msgs/Transform, by pyquaternion."""
    t, q = transform.translation, transform.rotation
    return transform_matrix([t.x, t.y, t.z], Quaternion(q.w, q.x, q.y, q.z))


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory):
    return tiny_nuscenes.write(tmp_path_factory.mktemp("tiny") / "root")


@pytest.fixture(scope="session")
def tiny_bag(tiny_root, tmp_path_factory):
    bag = tmp_path_factory.mktemp("tiny") / "bag"
    assert cli.main(arguments(tiny_root, "scene-0001", bag)) == 0
    return bag


@pytest.fixture(scope="session")
def real_bag(nuscenes_real, tmp_path_factory):
    bag = tmp_path_factory.mktemp("real") / "bag"
    assert cli.main(arguments(nuscenes_real, "scene-0061", bag)) == 0
    return bag


@pytest.fixture(scope="session", params=["tiny", "real"])
def dataset(request):
    """(data root, scene, bag) of the tiny dataset and of the real sample."""
    if request.param == "tiny":
        return request.getfixturevalue("tiny_root"), "scene-0001", request.getfixturevalue("tiny_bag")
    return request.getfixturevalue("nuscenes_real"), "scene-0061", request.getfixturevalue("real_bag")


def table(root, name):
    return json.loads((root / "v1.0-mini" / f"{name}.json").read_text())


def sensor_topic(channel):
    return f"/{channel}/image_rect/compressed" if channel.startswith("CAM") else f"/{channel}/points"


def scene_records(root, scene):
    """{(topic, stamp in ns): sample_data row}, from the tables alone."""
    scene_token = next(s["token"] for s in table(root, "scene") if s["name"] == scene)
    samples = {s["token"] for s in table(root, "sample") if s["scene_token"] == scene_token}
    rows = [r for r in table(root, "sample_data") if r["sample_token"] in samples]
    return {(sensor_topic(Path(r["filename"]).parent.name), r["timestamp"] * 1000): r for r in rows}


def test_bag_holds_every_sensor_record_once_at_its_microsecond(dataset):
    root, scene, bag = dataset
    messages = [(topic, stamp) for topic, stamp, _, _ in read(bag) if "points" in topic or "image" in topic]
    assert sorted(messages) == sorted(scene_records(root, scene))


def test_log_time_is_header_stamp_and_order_is_global(dataset):
    stamps = []
    for topic, stamp, message, _ in read(dataset[2]):
        assert header_stamp(message, stamp) == stamp, topic
        stamps.append(stamp)
    assert stamps == sorted(stamps)


def test_equal_times_are_ordered_transforms_first_and_camera_info_before_image(tiny_bag):
    at_key_frame = [topic for topic, stamp, _, _ in read(tiny_bag) if stamp == tiny_nuscenes.START * 1000]
    assert at_key_frame == [
        "/tf",
        "/odom",
        "/CAM_FRONT/camera_info",
        "/CAM_FRONT/image_rect/compressed",
        "/RADAR_FRONT/points",
        "/LIDAR_TOP/points",
    ]


def test_official_mcap_reader_decodes_every_message(dataset):
    """Foxglove and ros2 bag read MCAP by the embedded schemas, not by rosbags' definitions."""
    mcap_reader = pytest.importorskip("mcap.reader")
    decoder = pytest.importorskip("mcap_ros2.decoder")
    expected = [(topic, stamp) for topic, stamp, _, _ in read(dataset[2])]
    with (dataset[2] / f"{dataset[2].name}.mcap").open("rb") as file:
        reader = mcap_reader.make_reader(file, validate_crcs=True, decoder_factories=[decoder.DecoderFactory()])
        decoded = [
            (channel.topic, message.log_time, message.publish_time, header_stamp(ros_message, message.log_time))
            for _, channel, message, ros_message in reader.iter_decoded_messages()
        ]
    assert [(topic, log) for topic, log, _, _ in decoded] == expected
    assert all(log == publish == header for _, log, publish, header in decoded)


def test_images_are_the_original_bytes_with_a_camera_info_of_the_same_stamp(dataset):
    root, scene, bag = dataset
    records, messages = scene_records(root, scene), read(bag)
    intrinsics = {c["token"]: c["camera_intrinsic"] for c in table(root, "calibrated_sensor")}
    infos = {(topic, stamp): message for topic, stamp, message, _ in messages if topic.endswith("camera_info")}
    images = [entry for entry in messages if entry[0].endswith("compressed")]
    assert len(images) == len(infos) > 0
    for topic, stamp, image, _ in images:
        record = records[topic, stamp]
        channel = topic.split("/")[1]
        assert image.data.tobytes() == (root / record["filename"]).read_bytes()
        assert (image.format, image.header.frame_id) == ("jpeg", channel)
        info = infos[f"/{channel}/camera_info", stamp]
        k = np.array(intrinsics[record["calibrated_sensor_token"]])
        assert (info.width, info.height) == (record["width"], record["height"])
        assert (info.header.frame_id, info.distortion_model) == (channel, "plumb_bob")
        np.testing.assert_array_equal(info.k.reshape(3, 3), k)
        np.testing.assert_array_equal(info.p.reshape(3, 4), np.hstack([k, np.zeros((3, 1))]))
        np.testing.assert_array_equal(info.r.reshape(3, 3), np.eye(3))
        np.testing.assert_array_equal(info.d, np.zeros(5))


def test_radar_clouds_have_the_18_fields_that_the_devkit_reads_unfiltered(dataset):
    root, scene, bag = dataset
    RadarPointCloud.disable_filters()
    records, count = scene_records(root, scene), 0
    for topic, stamp, cloud, _ in read(bag):
        if topic != "/RADAR_FRONT/points":
            continue
        path = root / records[topic, stamp]["filename"]
        header = path.read_bytes().partition(b"DATA")[0].decode().splitlines()
        assert [field.name for field in cloud.fields] == next(h for h in header if h.startswith("FIELDS")).split()[1:]
        assert cloud.point_step == 43
        fields = points_of(cloud)
        np.testing.assert_array_equal(np.array(list(fields.values())), RadarPointCloud.from_file(str(path)).points)
        assert fields["dyn_prop"].dtype == np.int8
        assert fields["id"].dtype == np.int16
        count += 1
    assert count


def test_lidar_clouds_are_the_file_with_integer_rings(dataset):
    root, scene, bag = dataset
    records, count = scene_records(root, scene), 0
    for topic, stamp, cloud, _ in read(bag):
        if topic != "/LIDAR_TOP/points":
            continue
        expected = np.fromfile(root / records[topic, stamp]["filename"], "<f4").reshape(-1, 5)
        fields = points_of(cloud)
        assert list(fields) == ["x", "y", "z", "intensity", "ring", "time"]
        np.testing.assert_array_equal(np.column_stack([fields[name] for name in list(fields)[:5]]), expected)
        assert fields["ring"].dtype == np.uint16
        count += 1
    assert count


def test_transform_chain_to_the_camera_is_the_devkits(dataset):
    root, scene, bag = dataset
    nusc = nuscenes.open_nuscenes(root, "v1.0-mini")
    messages = read(bag)
    odom_from_base = {
        stamp: matrix(message.transforms[0].transform) for topic, stamp, message, _ in messages if topic == "/tf"
    }
    (static,) = (message for topic, _, message, _ in messages if topic == "/tf_static")
    statics = {(t.header.frame_id, t.child_frame_id): matrix(t.transform) for t in static.transforms}
    np.testing.assert_array_equal(statics["map", "odom"], np.eye(4))
    for (topic, stamp), row in scene_records(root, scene).items():
        pose = nusc.get("ego_pose", row["ego_pose_token"])
        sensor = nusc.get("calibrated_sensor", row["calibrated_sensor_token"])
        expected = transform_matrix(pose["translation"], Quaternion(pose["rotation"])) @ transform_matrix(
            sensor["translation"], Quaternion(sensor["rotation"])
        )
        found = odom_from_base[stamp] @ statics["base_link", topic.split("/")[1]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_static_transforms_are_recorded_latched_and_the_rest_reliable(dataset):
    """A node that starts after the first message must still get /tf_static; a best-effort image is lost."""
    with Reader(dataset[2]) as reader:
        qos = {connection.topic: connection.ext.offered_qos_profiles[0] for connection in reader.connections}
    assert {topic for topic in qos if qos[topic].durability.name == "TRANSIENT_LOCAL"} == {
        "/tf_static",
        "/scene",
    }
    assert {profile.reliability.name for profile in qos.values()} == {"RELIABLE"}
    # Humble reads the QoS of metadata up to version 8 only: from 9 on it is a list instead of a string.
    assert "version: 8" in (dataset[2] / "metadata.yaml").read_text()


def test_odometry_of_a_straight_drive_is_its_speed(tiny_bag):
    odometry = [message for topic, _, message, _ in read(tiny_bag) if topic == "/odom"]
    assert odometry
    for message in odometry:
        assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
        linear, angular = message.twist.twist.linear, message.twist.twist.angular
        np.testing.assert_allclose([linear.x, linear.y, linear.z], [tiny_nuscenes.SPEED, 0, 0], atol=1e-6)
        np.testing.assert_allclose([angular.x, angular.y, angular.z], 0, atol=1e-6)
        distance = tiny_nuscenes.SPEED * (header_stamp(message) / 1000 - tiny_nuscenes.START) / 1e6
        assert message.pose.pose.position.x == pytest.approx(1000 + distance * math.cos(tiny_nuscenes.YAW), abs=1e-6)


def test_odometry_of_the_real_sample_is_the_difference_of_two_poses(nuscenes_real, real_bag):
    """At CAM_FRONT's pose: from the first pose (under 25 ms before) to CAM_BACK's, the first 25 ms after."""
    poses = {pose["timestamp"]: pose for pose in table(nuscenes_real, "ego_pose")}
    first, here, later = (poses[stamp] for stamp in (1532402927604844, 1532402927612460, 1532402927637525))
    seconds = (1532402927637525 - 1532402927604844) / 1e6
    step = (np.array(later["translation"]) - first["translation"]) / seconds
    linear = Quaternion(here["rotation"]).inverse.rotate(step)
    turn = Quaternion(first["rotation"]).inverse * Quaternion(later["rotation"])
    turn = turn if turn.w > 0 else -turn
    angular = turn.axis * turn.angle / seconds
    (message,) = (m for topic, stamp, m, _ in read(real_bag) if topic == "/odom" and stamp == 1532402927612460000)
    found = message.twist.twist
    np.testing.assert_allclose([found.linear.x, found.linear.y, found.linear.z], linear, atol=1e-6)
    np.testing.assert_allclose([found.angular.x, found.angular.y, found.angular.z], angular, atol=1e-6)
    assert 8.5 < found.linear.x < 9.5  # 9.2 m/s, forward


def test_body_twists_on_a_circle():
    """Radius 20 m at 0.5 rad/s, a pose every 10 ms: the chord over 30 ms each way is 40 m * sin(0.5 * 0.03), ahead."""
    stamps = np.arange(41) * 0.01
    angles = 0.5 * stamps
    poses = np.tile(np.eye(4), (41, 1, 1))
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(angles)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(angles), -np.sin(angles)
    poses[:, 0, 3], poses[:, 1, 3] = 20 * np.sin(angles), 20 - 20 * np.cos(angles)
    linear, angular = nuscenes.body_twists(stamps, poses)
    inner = slice(3, -3)
    np.testing.assert_allclose(linear[inner], [[40 * math.sin(0.015) / 0.06, 0, 0]] * 35, atol=1e-9)
    np.testing.assert_allclose(angular, [[0, 0, 0.5]] * 41, atol=1e-9)
    np.testing.assert_array_equal(np.concatenate(nuscenes.body_twists([3.0], np.eye(4)[None])), np.zeros((2, 3)))


def test_same_input_gives_the_same_bytes(tiny_root, tmp_path):
    assert convert(tiny_root, "scene-0001", tmp_path / "a/bag").returncode == 0
    assert cli.main(arguments(tiny_root, "scene-0001", tmp_path / "b/bag")) == 0  # another hash seed
    names = sorted(path.name for path in (tmp_path / "a/bag").iterdir())
    assert names == ["bag.mcap", "calibration.yaml", "metadata.yaml"]
    for name in names:
        assert (tmp_path / "a/bag" / name).read_bytes() == (tmp_path / "b/bag" / name).read_bytes(), name


def test_records_of_a_channel_are_the_scenes_own_with_sweeps_before_the_first_key_frame(tiny_root):
    nusc = nuscenes.open_nuscenes(tiny_root, "v1.0-mini")
    for name, begin in (("scene-0001", tiny_nuscenes.START), ("scene-0002", tiny_nuscenes.START + 1_500_000)):
        records = nuscenes.channel_records(nusc, nuscenes.find_scene(nusc, name), "CAM_FRONT")
        assert [record["timestamp"] - begin for record in records] == list(range(-100_000, 500_001, 100_000))
    assert nuscenes.scene_channels(nusc, nusc.scene[0]) == {
        "CAM_FRONT": "camera",
        "LIDAR_TOP": "lidar",
        "RADAR_FRONT": "radar",
    }


def test_calibration_file_gives_the_devkits_transforms(dataset):
    root, _, bag = dataset
    sensors = {row["token"]: row["channel"] for row in table(root, "sensor")}
    base_from = {
        sensors[row["sensor_token"]]: transform_matrix(row["translation"], Quaternion(row["rotation"]))
        for row in table(root, "calibrated_sensor")
    }
    calibration = Calibration.load(bag / "calibration.yaml")
    np.testing.assert_allclose(calibration.transform("base_link", "RADAR_FRONT"), base_from["RADAR_FRONT"], atol=1e-12)
    np.testing.assert_allclose(
        calibration.transform("CAM_FRONT", "RADAR_FRONT"),
        np.linalg.inv(base_from["CAM_FRONT"]) @ base_from["RADAR_FRONT"],
        atol=1e-12,
    )
    with pytest.raises(LircDepthError, match="'CAM_REAR'; known: base_link, CAM_"):
        calibration.transform("CAM_REAR", "RADAR_FRONT")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("frames: {CAM: [", "not YAML"),
        ("parent: base_link", "no mapping 'frames'"),
        ("{parent: map, frames: {}}", "parent is 'map'"),
        (
            "{parent: base_link, frames: {CAM: {rotation: {x: 0, y: 0, z: 0, w: 1}}}}",
            "CAM: .* expected a translation and a rotation",
        ),
        (
            "{parent: base_link, frames: {CAM: {translation: {x: 0, y: 0, z: 0}, rotation: {x: 1, y: 1, z: 0, w: 1}}}}",
            "CAM: rotation .* is not a unit quaternion",
        ),
        (
            "{parent: base_link, frames: {CAM: {translation: {x: a, y: 0, z: 0}, rotation: {x: 0, y: 0, z: 0, w: 1}}}}",
            "CAM: translation x is 'a', expected a number",
        ),
    ],
)
def test_wrong_calibration_file_is_named(tmp_path, text, expected):
    path = tmp_path / "calibration.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LircDepthError, match=f"{path}.*{expected}"):
        Calibration.load(path)


def test_dataroot_without_tables_names_the_versions_there(tiny_root, tmp_path):
    line = assert_one_error(convert(tmp_path, "scene-0001", tmp_path / "bag"))
    assert f"{tmp_path} has no nuScenes tables v1.0-mini/scene.json (versions there: none)" in line
    line = assert_one_error(convert(tiny_root, "scene-0001", tmp_path / "bag", "--version", "v1.0-trainval"))
    assert "versions there: v1.0-mini" in line


def test_unknown_scene_lists_the_known_ones(tiny_root, tmp_path):
    line = assert_one_error(convert(tiny_root, "scene-9999", tmp_path / "bag"))
    assert "'scene-9999'; known: scene-0001, scene-0002" in line


def test_existing_output_is_not_touched(tiny_root, tmp_path):
    (tmp_path / "bag").mkdir()
    assert f"{tmp_path / 'bag'} exists already" in assert_one_error(convert(tiny_root, "scene-0001", tmp_path / "bag"))
    assert list((tmp_path / "bag").iterdir()) == []


@pytest.mark.parametrize("name", ["sample_data", "ego_pose"])
def test_corrupt_table_is_named(tiny_root, tmp_path, name):
    root = shutil.copytree(tiny_root, tmp_path / "root")
    path = root / "v1.0-mini" / f"{name}.json"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(LircDepthError, match=f"{path} is corrupt"):
        nuscenes.open_nuscenes(root, "v1.0-mini")


def test_tables_that_do_not_fit_together_are_one_error(tiny_root, tmp_path):
    root = shutil.copytree(tiny_root, tmp_path / "root")
    (root / "v1.0-mini/calibrated_sensor.json").write_text("[]")
    with pytest.raises(LircDepthError, match=r"do not fit together.*CAM_FRONT-calibration"):
        nuscenes.open_nuscenes(root, "v1.0-mini")
    (root / "v1.0-mini/sensor.json").unlink()
    with pytest.raises(LircDepthError, match=r"sensor\.json is missing"):
        nuscenes.open_nuscenes(root, "v1.0-mini")


@pytest.mark.parametrize(
    ("folder", "damage", "reason"),
    [
        ("samples/CAM_FRONT", None, "is missing"),
        ("samples/CAM_FRONT", -100, "truncated"),
        ("sweeps/RADAR_FRONT", -10, "truncated"),
        ("sweeps/RADAR_FRONT", 40, "not a binary PCD"),
        ("sweeps/LIDAR_TOP", -3, "truncated"),
    ],
)
def test_missing_or_damaged_sensor_file_is_named_and_skipped_only_on_request(
    tiny_root, tmp_path, capsys, folder, damage, reason
):
    root = shutil.copytree(tiny_root, tmp_path / "root")
    path = sorted((root / folder).iterdir())[0]  # of scene-0001
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:damage])
    line = assert_one_error(convert(root, "scene-0001", tmp_path / "bag"))
    assert str(path) in line
    assert reason in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["root"]  # nothing partial is left

    assert cli.main(arguments(root, "scene-0001", tmp_path / "bag", "--skip-missing")) == 0
    printed = capsys.readouterr()
    assert f"skipped: {path}" in printed.err
    assert reason in printed.err
    assert "1 sensor files skipped" in printed.out
    channel = path.parent.name
    lost = (sensor_topic(channel), int(path.name.split("__")[2].split(".")[0]) * 1000)
    messages = {(topic, stamp) for topic, stamp, _, _ in read(tmp_path / "bag")}
    assert lost not in messages
    assert (f"/{channel}/camera_info", lost[1]) not in messages
    assert {key for key in scene_records(root, "scene-0001") if key != lost} <= messages


def test_dataroot_without_any_sensor_file_is_an_error_even_when_skipping(tiny_root, tmp_path):
    root = tmp_path / "root"
    for name in ("v1.0-mini", "maps"):
        shutil.copytree(tiny_root / name, root / name)
    line = assert_one_error(convert(root, "scene-0001", tmp_path / "bag", "--skip-missing"))
    assert "has none of the 29 sensor files of scene-0001" in line


def test_full_disk_leaves_nothing(tiny_root, tmp_path):
    """A limit on the file size stands in for the disk: the write fails in the same place, with an OSError."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    done = convert(tiny_root, "scene-0001", tmp_path / "bag", preexec_fn=limit)
    assert f"cannot write {tmp_path / 'bag'}: File too large" in assert_one_error(done)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared(tiny_root, tmp_path):
    stale = tmp_path / ".bag.another-machine-12.partial" / "bag"
    stale.mkdir(parents=True)
    (stale / "bag.mcap").write_bytes(b"half")
    assert cli.main(arguments(tiny_root, "scene-0001", tmp_path / "bag")) == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["bag"]


def test_two_runs_do_not_write_the_same_bag(tiny_root, tmp_path):
    with claimed(tmp_path / "bag"):
        line = assert_one_error(convert(tiny_root, "scene-0001", tmp_path / "bag"))
    assert f"another process is writing {tmp_path / 'bag'}" in line
