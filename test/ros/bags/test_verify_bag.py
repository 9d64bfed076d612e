# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""verify-bag finds nothing in a converted bag, and names the message in one that was changed."""

import json

import numpy as np
import pytest

import rich_nuscenes
import tiny_nuscenes

pytest.importorskip("nuscenes", reason="the dataset is read through its devkit")
pytest.importorskip("rosbags", reason="bags are read with rosbags")
from rosbags.rosbag2 import Reader

from lircdepth_core import synthetic
from lircdepth_ros import cli
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import definitions


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return rich_nuscenes.write(tmp_path_factory.mktemp("rich") / "root")


@pytest.fixture(scope="module")
def bag(root, tmp_path_factory):
    return convert(root, tmp_path_factory.mktemp("rich") / "bag", "--ground-truth")


def convert(root, bag, *options, scene="scene-0001"):
    assert cli.main(["nuscenes-to-bag", "--dataroot", str(root), "--scene", scene, "-o", str(bag), *options]) == 0
    return bag


def verify(root, bag, capsys, *options):
    """Return (status, result) of the command."""
    capsys.readouterr()
    status = cli.main(["verify-bag", str(bag), "--dataroot", str(root), "--json", *options])
    output = capsys.readouterr()
    return status, json.loads(output.out) if status < 2 else output.err


@pytest.mark.parametrize(
    "options",
    [
        ["--ground-truth"],
        ["--raw", "--storage", "sqlite3", "--compression", "zstd"],
        ["--cameras", "CAM_BACK", "--radars", "--no-lidar", "--key-frames-only"],
    ],
)
def test_a_converted_bag_is_the_dataset(root, tmp_path, capsys, options):
    status, result = verify(root, convert(root, tmp_path / "bag", *options), capsys)
    assert (status, result["differences"]) == (0, [])
    with Reader(tmp_path / "bag") as reader:
        assert result["messages"] == reader.message_count > 50


def test_the_real_sample(nuscenes_real, tmp_path, capsys):
    bag = convert(nuscenes_real, tmp_path / "bag", "--ground-truth", scene="scene-0061")
    status, result = verify(nuscenes_real, bag, capsys)
    assert (status, result["differences"], result["messages"]) == (0, [], 52)


def test_a_synthetic_scene_of_all_sensors_with_annotations(tmp_path, capsys):
    root = synthetic.generate(tmp_path / "root", 1, 3, 0.3, synthetic.suite("all", (96, 64)))
    scene = json.loads((root / "v1.0-mini/scene.json").read_text())[0]["name"]
    status, result = verify(root, convert(root, tmp_path / "bag", "--ground-truth", scene=scene), capsys)
    assert (status, result["differences"]) == (0, [])
    with Reader(tmp_path / "bag") as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts["/annotations"] == 1
    assert len([topic for topic in counts if topic.endswith(("/points", "/compressed"))]) == 12
    assert result["messages"] == sum(counts.values())


def test_a_scene_without_annotations_of_the_test_split(tmp_path, capsys):
    root = tiny_nuscenes.write(tmp_path / "root")
    (root / "v1.0-mini").rename(root / "v1.0-test")
    options = ["--version", "v1.0-test"]
    status, result = verify(root, convert(root, tmp_path / "bag", *options), capsys, *options)
    assert (status, result["differences"]) == (0, [])


def change(bag, output, mutate):
    """Copy a bag; ``mutate(topic, n, stamp, message)``, n counting on each topic, returns (stamp, message) pairs."""
    store, counts = definitions.typestore(), {}
    with Reader(bag) as reader, new_bag(output) as writer:
        for key, value in reader.storage.metadata.custom.items():
            writer.set_custom_data(key, value)
        connections = {
            c.topic: writer.add_connection(
                c.topic, c.msgtype, typestore=store, offered_qos_profiles=c.ext.offered_qos_profiles
            )
            for c in reader.connections
        }
        for connection, stamp, data in reader.messages():
            n = counts[connection.topic] = counts.get(connection.topic, -1) + 1
            message = store.deserialize_cdr(bytearray(data), connection.msgtype)  # so that arrays can be changed
            for new_stamp, new in mutate(connection.topic, n, stamp, message):
                writer.write(connections[connection.topic], new_stamp, definitions.serialize(new))


def stamp_later(message):
    message.header.stamp.nanosec += 1000


def flip(array, index):
    array[index] = array[index] ^ 1 if array.dtype.kind == "u" else array[index] + 1e-3


MUTATIONS = {
    "image": ("/CAM_BACK/image_rect/compressed", lambda m: flip(m.data, 500), "data"),
    "image format": ("/CAM_BACK/image_rect/compressed", lambda m: setattr(m, "format", "png"), "format"),
    "image stamp": ("/CAM_BACK/image_rect/compressed", stamp_later, "header.stamp"),
    "intrinsics": ("/CAM_FRONT/camera_info", lambda m: flip(m.k, 0), "k"),
    "distortion": ("/CAM_FRONT/camera_info", lambda m: flip(m.d, 1), "d"),
    "radar value": ("/RADAR_BACK_LEFT/points", lambda m: flip(m.data, 43 + 15), "rcs"),
    "radar frame": ("/RADAR_FRONT/points", lambda m: setattr(m.header, "frame_id", "RADAR"), "header.frame_id"),
    "radar field": ("/RADAR_FRONT/points", lambda m: setattr(m.fields[5], "name", "RCS"), "fields"),
    "lidar ring": ("/LIDAR_TOP/points", lambda m: flip(m.data, 16), "ring"),
    "lidar time": ("/LIDAR_TOP/points", lambda m: flip(m.data, 22 * 100 + 20), "time"),
    "pose": ("/tf", lambda m: setattr(m.transforms[0].transform.translation, "x", 7.0), "translation"),
    "mounting": ("/tf_static", lambda m: setattr(m.transforms[3].transform.rotation, "w", 0.0), "rotation (w x y z)"),
    "speed": ("/odom", lambda m: setattr(m.twist.twist.linear, "x", 10.001), "twist.linear"),
    "position": ("/fix", lambda m: setattr(m, "latitude", m.latitude + 1e-6), "latitude, longitude"),
    "acceleration": ("/imu", lambda m: setattr(m.linear_acceleration, "z", 9.7), "linear_acceleration"),
    "velocity": ("/can/velocity", lambda m: setattr(m.twist.linear, "x", 1.0), "twist.linear"),
    "box": ("/annotations", lambda m: setattr(m.markers[1].scale, "x", 1.0), "scale"),
    "box lost": ("/annotations", lambda m: m.markers.pop(), "instances"),
    "description": ("/scene", lambda m: setattr(m, "data", "scene-0002"), "data"),
    "ground truth": ("/CAM_FRONT/depth_gt/image", lambda m: flip(m.data, 8003), "pixels with depth"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_changed_field_is_found_and_its_message_named(root, bag, tmp_path, capsys, name):
    """The second message of the topic is changed, or the only one."""
    topic, mutate, field = MUTATIONS[name]
    with Reader(bag) as reader:
        count = sum(connection.msgcount for connection in reader.connections if connection.topic == topic)
    which, stamps = min(1, count - 1), []

    def one(at, n, stamp, message):
        if (at, n) == (topic, which):
            mutate(message)
            stamps.append(stamp)
        yield stamp, message

    change(bag, tmp_path / "changed", one)
    status, result = verify(root, tmp_path / "changed", capsys)
    assert status == 1
    found = [(d["topic"], d["stamp"], d["field"]) for d in result["differences"]]
    assert (topic, stamps[0], field) in found
    assert {entry[:2] for entry in found} == {(topic, stamps[0])}


def test_lost_doubled_and_moved_messages_are_found(root, bag, tmp_path, capsys):
    topic, stamps = "/RADAR_FRONT/points", []

    def mutate(at, n, stamp, message):
        if at == topic:
            stamps.append(stamp)
        if at != topic or n > 3:
            yield stamp, message
        if at == topic and n == 1:  # 0 is lost
            yield stamp, message
            yield stamp, message
        if at == topic and n == 2:
            yield stamp + 1000, message
        if at == topic and n == 3:
            yield stamp, message

    change(bag, tmp_path / "changed", mutate)
    status, result = verify(root, tmp_path / "changed", capsys)
    assert status == 1
    found = {(d["stamp"], d["field"], d["found"]) for d in result["differences"]}
    assert {d["topic"] for d in result["differences"]} == {topic}
    assert found == {
        (stamps[0], "count", "0"),
        (stamps[1], "count", "2"),
        (stamps[2], "count", "0"),
        (stamps[2] + 1000, "log time", str(stamps[2] + 1000)),
    }


def test_a_topic_that_was_asked_for_and_is_gone_is_found(root, bag, tmp_path, capsys):
    def mutate(at, _, stamp, message):
        if at != "/LIDAR_TOP/points":
            yield stamp, message

    change(bag, tmp_path / "changed", mutate)
    status, result = verify(root, tmp_path / "changed", capsys)
    assert status == 1
    assert {(d["topic"], d["found"]) for d in result["differences"]} == {("/LIDAR_TOP/points", "0")}
    assert len(result["differences"]) == 12


def test_the_report_names_message_field_and_both_values(root, bag, tmp_path, capsys):
    def mutate(_, __, stamp, message):
        if hasattr(message, "k"):
            message.width = 65
        yield stamp, message

    change(bag, tmp_path / "changed", mutate)
    capsys.readouterr()
    assert cli.main(["verify-bag", str(tmp_path / "changed"), "--dataroot", str(root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    stamp = (tiny_nuscenes.START - 100_000) * 1000
    assert f"/CAM_BACK/camera_info at {stamp}: width, height is (65, 48), expected (64, 48)" in lines
    assert lines[-2] == "... and 34 more"  # six cameras, seven images and two ground truths each
    assert lines[-1].endswith("54 differences")


def test_topics_from_elsewhere_are_named_and_not_compared(root, bag, tmp_path, capsys):
    assert cli.main(["infer-bag", str(bag), "-o", str(tmp_path / "depth"), "--weights", "tiny", "--with-inputs"]) == 0
    status, result = verify(root, tmp_path / "depth", capsys, "--scene", "scene-0001")
    assert (status, result["differences"]) == (0, [])
    assert result["not_compared"] == ["/CAM_FRONT/depth/camera_info", "/CAM_FRONT/depth/image"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "absent", "scene"])
def test_wrong_input_is_one_error_line(root, bag, tmp_path, capsys, damage):
    import shutil

    copy, options = shutil.copytree(bag, tmp_path / "copy"), []
    file = copy / "bag.mcap"
    data = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(data[:-1000])
    elif damage == "flipped":  # lengths within the first chunk
        data[200:3000] = np.random.default_rng(0).integers(0, 256, 2800, dtype=np.uint8).tobytes()
        file.write_bytes(data)
    elif damage == "absent":
        shutil.rmtree(copy)
    else:
        options = ["--scene", "scene-9999"]
    status, text = verify(root, copy, capsys, *options)
    assert status == 2
    assert len(text.splitlines()) == 1
    assert ("unknown scene" if damage == "scene" else str(copy)) in text
