# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a bag is named and counted, and every image is accounted for: infer-bag and eval-bag."""

import io
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
from rosbags.rosbag2 import Reader

import small_bags as small
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan
from lircdepth_ros import cli
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.depth import depth_of
from small_bags import DEPTH, IMAGE, INFO, LIDAR, MS, PERIOD, RADAR, START


@pytest.fixture
def summary(capsys, tmp_path):
    """Run infer-bag on a bag; return its summary. Every image is depth, or left out for one cause."""

    def run(bag, *options):
        capsys.readouterr()
        status = small.infer_bag(bag, tmp_path / "depth", "--json", *options)
        captured = capsys.readouterr()
        assert status == 0, captured.err
        found = json.loads(captured.out)
        assert found["images"] == found["frames"] + found["dropped"]
        assert found["dropped"] == sum(found["dropped_by_cause"].values())
        assert found["frames"] == found["fused"] + found["camera_only"] == len(depths(tmp_path / "depth"))
        return found

    return run


@pytest.fixture
def refusal(capsys, tmp_path):
    """Run infer-bag on a bag that it refuses; return the one line. Nothing is left behind."""

    def run(bag, *options):
        capsys.readouterr()
        assert small.infer_bag(bag, tmp_path / "depth", *options) == 2
        errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
        assert len(errors) == 1
        assert not [path.name for path in tmp_path.iterdir() if "depth" in path.name]
        return errors[0]

    return run


def depths(bag):
    """Return {stamp: depth [H, W]}."""
    found = {}
    with closing(open_bag(bag)) as reader:
        for connection, stamp, data in read_messages(reader):
            if connection.topic == DEPTH:
                found[stamp] = depth_of(definitions.typestore().deserialize_cdr(data, connection.msgtype))
    return found


def expected_depth(stamp, camera_from_radar=None, returns=small.RETURNS):
    pipeline = DepthPipeline.from_weights("tiny", device="cpu", backend="eager")
    pixels = np.random.default_rng(stamp // MS % 1000).integers(0, 256, (small.HEIGHT, small.WIDTH, 3), dtype=np.uint8)
    scans = [(RadarScan.from_fields(*np.transpose(returns)), camera_from_radar)]
    return pipeline(pixels[..., ::-1].copy(), small.INTRINSICS, scans if camera_from_radar is not None else []).depth


# --- the account of images ---------------------------------------------------------------------------------------


def test_a_bag_with_each_image_twice_gives_depth_once_and_counts_the_others(tmp_path, summary):
    entries = [
        (t, log, m) for topic, when, m in small.frames(7) for t, log, m in [(topic, when, m)] * (1 + (topic == IMAGE))
    ]
    found = summary(small.write(tmp_path / "bag", entries))
    assert (found["images"], found["frames"], found["dropped_by_cause"]) == (14, 7, {"duplicate": 7})


def test_an_image_out_of_order_and_a_jump_in_time_are_counted_by_cause(tmp_path, summary):
    stamps = [0, 80, 40, 160, 5000, 1000, 1080]
    entries = [(IMAGE, START + i * 10 * MS, small.image(START + stamp * MS)) for i, stamp in enumerate(stamps)]
    entries += [(INFO, START, small.info(START)), (RADAR, START, small.cloud(START))]
    found = summary(small.write(tmp_path / "bag", entries))
    assert found["images"] == 7
    assert found["dropped_by_cause"] == {"out_of_order": 1, "time_jump": 3}, "three waited for a later scan"
    assert found["frames"] == 3


def test_images_with_stamp_0_are_left_out_as_the_node_does(tmp_path, summary, refusal):
    entries = small.frames(4)
    entries[1] = (IMAGE, START, small.image(0))
    found = summary(small.write(tmp_path / "bag", entries))
    assert found["dropped_by_cause"] == {"zero_stamp": 1}
    assert "stamp 0" in found["reasons"][0]


def test_scans_with_stamp_0_are_left_out_and_said(tmp_path, summary):
    found = summary(small.write(tmp_path / "bag", small.frames(3, radar=lambda stamp: small.cloud(0))))
    assert found["camera_only"] == 3
    assert f"3 scans of {RADAR} are left out" in found["remarks"]
    assert "stamp 0" in found["reasons"][0]


def test_a_bag_that_gives_no_depth_at_all_is_an_error_with_causes_and_counts(tmp_path, refusal):
    zero = [(topic, when, small.image(0) if topic == IMAGE else message) for topic, when, message in small.frames(3)]
    line = refusal(small.write(tmp_path / "zero", zero))
    assert "none of 3 images gives depth (3 zero_stamp)" in line
    no_info = [entry for entry in small.frames(3) if entry[0] != INFO]
    no_info.append((INFO, START + 9 * PERIOD, small.info(START + 9 * PERIOD)))
    line = refusal(small.write(tmp_path / "late", no_info))
    assert "none of 3 images gives depth (3 no_camera_info); the first: image at" in line
    no_image = [(IMAGE, START, small.cut(small.image(START))), *(e for e in small.frames(3) if e[0] != IMAGE)]
    assert "none of 1 images gives depth (1 damaged)" in refusal(small.write(tmp_path / "cut", no_image))


@pytest.mark.parametrize("which", [IMAGE, INFO, RADAR, "/odom", "/tf_static"])
def test_one_damaged_message_is_counted_and_named_and_the_others_are_used(tmp_path, summary, which):
    entries = small.frames(4)
    entries += [("/odom", START + i * 50 * MS, small.odometry(START + i * 50 * MS, i * 0.5)) for i in range(9)]
    entries += [("/tf_static", START + i, small.static_tf()) for i in range(2)]
    after = START + PERIOD if which == RADAR else START  # the first image has no other scan
    at = next(i for i, entry in enumerate(entries) if entry[0] == which and entry[1] > after)
    when = entries[at][1]
    entries[at] = (which, when, small.cut(entries[at][2]))
    found = summary(small.write(tmp_path / "bag", entries))
    assert found["damaged"] == {which: 1}
    assert any(reason.startswith(f"{which} at {when}: message is damaged") for reason in found["reasons"])
    assert (found["images"], found["frames"]) == (4, 3 if which == IMAGE else 4)
    assert found["fused"] == found["frames"]


@pytest.mark.parametrize("which", [IMAGE, INFO, RADAR, "/tf_static"])
def test_a_message_that_cannot_be_decompressed_is_counted_and_named_and_the_others_are_used(tmp_path, summary, which):
    entries = [*small.frames(4), *(("/tf_static", START + i, small.static_tf()) for i in range(2))]
    after = START + PERIOD if which == RADAR else START
    when = next(entry[1] for entry in entries if entry[0] == which and entry[1] > after)
    bag = small.write(tmp_path / "bag", entries, "sqlite3", "zstd")
    with closing(sqlite3.connect(next(bag.glob("*.db3")))) as database, database:
        changed = database.execute(
            "UPDATE messages SET data = substr(data, 1, 9) WHERE timestamp = ? "
            "AND topic_id = (SELECT id FROM topics WHERE name = ?)",
            (when, which),
        )
        assert changed.rowcount == 1
    found = summary(bag, "--with-inputs")
    assert found["damaged"] == {which: 1}
    assert f"{which} at {when}: message is damaged: it is empty, or cannot be decompressed" in found["reasons"]
    assert (found["images"], found["frames"]) == (4, 3 if which == IMAGE else 4)


def test_a_transform_that_is_not_rigid_is_counted_and_the_others_are_used(tmp_path, summary):
    entries = [*small.frames(3), ("/tf_static", START, small.static_tf())]
    poses = [small.odometry(START + i * 50 * MS, i * 0.5) for i in range(9)]
    poses[3].pose.pose.orientation.w = 0.0
    entries += [("/odom", START + i * 50 * MS, pose) for i, pose in enumerate(poses)]
    found = summary(small.write(tmp_path / "bag", entries))
    assert found["damaged"] == {"/odom": 1}
    assert (found["frames"], found["without_ego_motion"]) == (3, 0)


# --- time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "words"), [(37_000 * MS, "37.0 s ahead of"), (-18_000 * MS, "18.0 s behind")])
def test_a_radar_clock_that_is_off_is_named_with_the_offset(tmp_path, summary, offset, words):
    entries = small.frames(8, radar_delay=0, radar=lambda stamp: small.cloud(stamp + offset))
    found = summary(small.write(tmp_path / "bag", entries))
    assert found["camera_only"] == 8
    (remark,) = (text for text in found["remarks"] if "clock" in text)
    assert remark.startswith(f"{RADAR}: its stamps are {words} those of the images")


def test_clocks_that_agree_are_not_remarked_on(tmp_path, summary):
    assert not [text for text in summary(small.write(tmp_path / "bag", small.frames(8)))["remarks"] if "clock" in text]


# --- motion and frames -------------------------------------------------------------------------------------------

SPEED = 20.0  # metres per second
CHAINS = {  # links from the top down, and which of them moves
    "odom -> base_link": ([("odom", "base_link")], 0),
    "map -> base_link": ([("map", "base_link")], 0),
    "map -> odom -> base_link": ([("map", "odom"), ("odom", "base_link")], 1),
    "map moves above odom": ([("map", "odom"), ("odom", "base_link")], 0),
    "odom -> base_footprint -> base_link": ([("odom", "base_footprint"), ("base_footprint", "base_link")], 0),
    "with slashes": ([("/map", "/base_link")], 0),
    "another root": ([("world", "ego")], 0),
}


def drive(links, moving=0, count=4):
    """Return the transforms of a vehicle at SPEED: the link of that index moves, the others are static."""
    entries = []
    for stamp in range(START, START + (count + 1) * PERIOD, 50 * MS):
        entries.append(("/tf", stamp, small.tf(stamp, SPEED * (stamp - START) / 1e9, *links[moving])))
    return entries + [("/tf_static", START, small.tf(START, 0.0, *link)) for i, link in enumerate(links) if i != moving]


@pytest.mark.parametrize("chain", CHAINS)
def test_ego_motion_is_followed_through_any_chain_of_frames(tmp_path, summary, chain):
    """At 20 m/s the radar is 0.4 m further on 20 ms after the image."""
    links, moving = CHAINS[chain]
    root = links[-1][1].lstrip("/")
    entries = [*small.frames(4), ("/tf_static", START, small.static_tf(root)), *drive(links, moving)]
    found = summary(small.write(tmp_path / "bag", entries))
    assert (found["fused"], found["without_ego_motion"]) == (4, 0)
    moved = np.eye(4)
    moved[0, 3] = SPEED * 0.02
    transform = np.linalg.inv(small.MOUNTING["CAM_FRONT"]) @ moved @ small.MOUNTING["RADAR_FRONT"]
    for stamp, depth in depths(tmp_path / "depth").items():
        np.testing.assert_allclose(depth, expected_depth(stamp, transform), rtol=1e-5)


@pytest.mark.parametrize(
    ("extra", "options", "words"),
    [
        ([], (), "the bag has neither odometry nor /tf"),
        (drive([("table", "robot")]), (), "no pose of the vehicle"),
        (drive([("odom", "base_link")]), ("--fixed-frame", "mapp"), "no transform leads to the fixed frame 'mapp'"),
    ],
    ids=["static tf alone", "tf of something else", "a fixed frame that there is not"],
)
def test_frames_without_ego_motion_are_counted_and_said(tmp_path, summary, extra, options, words):
    entries = [*small.frames(4), ("/tf_static", START, small.static_tf()), *extra]
    found = summary(small.write(tmp_path / "bag", entries), *options)
    assert (found["fused"], found["without_ego_motion"]) == (4, 4)
    assert any(text.startswith("4 of 4 frames: no ego motion") and words in text for text in found["remarks"])
    standing = np.linalg.inv(small.MOUNTING["CAM_FRONT"]) @ small.MOUNTING["RADAR_FRONT"]
    for stamp, depth in depths(tmp_path / "depth").items():
        np.testing.assert_array_equal(depth, expected_depth(stamp, standing))


def test_odometry_of_another_frame_than_base_link_is_followed_from_there(tmp_path, summary):
    """The odometry is that of the rear axle, 1 m behind base_link; on a straight way that changes nothing."""
    axle = building.tf_message([building.transform_stamped(START, "rear_axle", "base_link", np.eye(4))])
    entries = [*small.frames(4), ("/tf_static", START, small.static_tf()), ("/tf_static", START, axle)]
    for stamp in range(START, START + 5 * PERIOD, 50 * MS):
        entries.append(("/odom", stamp, small.odometry(stamp, SPEED * (stamp - START) / 1e9, child="rear_axle")))
    found = summary(small.write(tmp_path / "bag", entries))
    assert (found["fused"], found["without_ego_motion"]) == (4, 0)


def test_odometry_of_a_frame_that_nothing_leads_to_is_taken_for_the_vehicles_and_that_is_said(tmp_path, summary):
    entries = [*small.frames(4), ("/tf_static", START, small.static_tf())]
    for stamp in range(START, START + 5 * PERIOD, 50 * MS):
        entries.append(("/odom", stamp, small.odometry(stamp, 0.0, child="robot")))
    found = summary(small.write(tmp_path / "bag", entries))
    assert (
        "/odom is of frame 'robot', to which no transform leads: it is taken for that of 'base_link'"
        in found["remarks"]
    )


def test_static_transforms_that_come_late_in_the_bag_are_used_for_all_images(tmp_path, summary):
    late = START + 10 * PERIOD
    found = summary(
        small.write(tmp_path / "bag", [*small.frames(4), ("/tf_static", late, small.static_tf(stamp=late))])
    )
    assert found["fused"] == 4


def test_frame_ids_with_a_leading_slash_are_those_without(tmp_path, summary):
    entries = small.frames(4, radar=lambda stamp: small.cloud(stamp, frame="/RADAR_FRONT"))
    entries = [(t, when, small.image(when, "/CAM_FRONT") if t == IMAGE else m) for t, when, m in entries]
    assert summary(small.write(tmp_path / "bag", [*entries, ("/tf_static", START, small.static_tf())]))["fused"] == 4


def test_past_sweeps_are_not_drawn_without_ego_motion(tmp_path, summary):
    entries = [*small.frames(4), ("/tf_static", START, small.static_tf())]
    found = summary(small.write(tmp_path / "bag", entries), "--accumulate-sweeps", "2")
    assert "5 past sweeps are not used, without ego motion" in found["remarks"]  # 0, 1, 2, 2 of four images


def test_each_image_has_the_camera_info_of_its_own_stamp(tmp_path, summary):
    """A zoom: the info of the next image is in the bag before this one is released, and must not be taken."""

    def matrix(i):
        zoomed = small.INTRINSICS.copy()
        zoomed[0, 2] += i
        return zoomed

    entries = [entry for entry in small.frames(4) if entry[0] != INFO]
    for i in range(4):
        stamp = START + i * PERIOD
        entries.append((INFO, stamp - 60 * MS, small.info(stamp, matrix(i))))
    summary(small.write(tmp_path / "bag", entries))
    with closing(open_bag(tmp_path / "depth")) as reader:
        columns = [
            definitions.typestore().deserialize_cdr(data, connection.msgtype).k[2]
            for connection, _, data in read_messages(reader)
            if connection.topic.endswith("camera_info")
        ]
    assert columns == [80.0, 81.0, 82.0, 83.0]


# --- topics and fields -------------------------------------------------------------------------------------------


def test_fields_that_a_radar_does_not_measure_are_0_and_that_is_said_once(tmp_path, summary):
    fields = ("x", "y", "z", "radial_speed", "power", "rcs")
    bag = small.write(
        tmp_path / "bag",
        [*small.frames(3, radar=lambda s: small.cloud(s, fields=fields)), ("/tf_static", START, small.static_tf())],
    )
    found = summary(bag, "--radar-fields", "x y z rcs 0 0")
    assert found["fused"] == 3
    assert [text for text in found["remarks"] if "never learnt" in text] == [
        f"{RADAR}: vx, vy of the radar is taken as 0: the network never learnt from a radar without it"
    ]
    returns = [[*entry[:3], entry[5], 0, 0] for entry in small.RETURNS]
    standing = np.linalg.inv(small.MOUNTING["CAM_FRONT"]) @ small.MOUNTING["RADAR_FRONT"]
    for stamp, depth in depths(tmp_path / "depth").items():
        np.testing.assert_array_equal(depth, expected_depth(stamp, standing, returns))


@pytest.mark.parametrize("fields", ["0 y z rcs vx vy", "x y z rcs vx"])
def test_radar_fields_that_cannot_be_are_refused(tmp_path, refusal, fields):
    line = refusal(small.write(tmp_path / "bag", small.frames(1)), "--radar-fields", fields)
    assert f"--radar-fields is '{fields}', expected six names" in line


@pytest.mark.parametrize("topic", [IMAGE, INFO, RADAR, "/odom", "/tf", "/tf_static"])
def test_a_topic_of_another_type_is_named_with_both_types(tmp_path, refusal, topic):
    entries = [entry for entry in small.frames(2) if entry[0] != topic]
    line = refusal(small.write(tmp_path / "bag", [*entries, (topic, START, building.string("hello"))]))
    assert f"{topic} is std_msgs/msg/String, expected " in line
    kinds = {IMAGE: "CompressedImage", INFO: "CameraInfo", RADAR: "PointCloud2", "/odom": "nav_msgs/msg/Odometry"}
    assert kinds.get(topic, "tf2_msgs/msg/TFMessage") in line


# --- storage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"use_statistics": False}, {"chunk_size": 2000}, {"repeat_channels": False, "repeat_schemas": False}],
    ids=["no message index", "nor statistics", "many chunks", "nor channels in the summary"],
)
def test_an_mcap_without_message_index_is_read_as_if_it_had_one(tmp_path, options):
    pytest.importorskip("mcap.writer", reason="written with the official library")
    bag = small.write(tmp_path / "bag", [*small.frames(5), ("/tf_static", START, small.static_tf())])
    path = small.without_index(bag, tmp_path / "recovered.mcap", **options)
    with closing(open_bag(bag)) as before, closing(open_bag(path)) as after:
        for only in ([IMAGE], [IMAGE, RADAR], [], before.topics):
            content = [
                [(c.topic, stamp, data) for c, stamp, data in read_messages(
                    reader, [c for c in reader.connections if c.topic in only])]
                for reader in (before, after)
            ]  # fmt: skip
            assert content[0] == content[1]
            assert len(content[0]) == {0: 0, 1: 5, 2: 10, 4: 16}[len(only)]
        assert after.message_count == 16
        assert (after.start_time, after.end_time) == (before.start_time, before.end_time)
        counts = [{c.topic: c.msgcount for c in reader.connections} for reader in (before, after)]
        assert counts[0] == counts[1]


def test_messages_without_an_index_out_of_order_are_refused_with_the_remedy(tmp_path, refusal):
    mcap = pytest.importorskip("mcap.writer", reason="written with the official library")
    entries = small.frames(3)
    bag = small.write(tmp_path / "bag", entries)
    output = tmp_path / "unsorted.mcap"
    small.without_index(bag, output, use_chunking=False)
    data, swapped = output.read_bytes(), io.BytesIO()
    from mcap.reader import make_reader

    writer = mcap.Writer(swapped, use_chunking=False)
    writer.start(profile="ros2", library="test")
    messages = list(make_reader(io.BytesIO(data)).iter_messages())
    schemas = {s.id: writer.register_schema(s.name, s.encoding, s.data) for s, _, _ in messages}
    channels = {c.id: writer.register_channel(c.topic, c.message_encoding, schemas[s.id]) for s, c, _ in messages}
    for _, channel, message in reversed(messages):
        writer.add_message(channels[channel.id], message.log_time, message.data, message.publish_time)
    writer.finish()
    output.write_bytes(swapped.getvalue())
    assert f"messages are not in the order of time: run mcap sort {output} -o NEW.mcap" in refusal(output)


def test_a_cut_mcap_is_refused_with_the_remedy(tmp_path, refusal):
    bag = small.write(tmp_path / "bag", small.frames(3))
    file = bag / "bag.mcap"
    file.write_bytes(file.read_bytes()[:-200])
    assert f"mcap recover {file} -o NEW.mcap keeps what is whole" in refusal(bag)


def test_folders_that_are_not_whole_bags_are_refused_with_the_remedy(tmp_path, refusal):
    bag = small.write(tmp_path / "bag", small.frames(1))
    metadata = bag / "metadata.yaml"
    text = metadata.read_text()
    metadata.write_text(text.replace("storage_identifier: mcap", "storage_identifier: ''"))
    assert f"set storage_identifier to mcap, or run ros2 bag reindex -s mcap {bag}" in refusal(bag)
    metadata.write_text(text)
    (bag / "bag_1.mcap").write_bytes((bag / "bag.mcap").read_bytes())
    assert f"does not list bag_1.mcap: run ros2 bag reindex -s mcap {bag}" in refusal(bag)
    (bag / "bag_1.mcap").unlink()
    (bag / "bag.mcap").rename(bag / "other.txt")
    assert f"files are missing: ['{bag / 'bag.mcap'}']; put them there" in refusal(bag)
    (bag / "other.txt").rename(bag / "bag.mcap")
    metadata.unlink()
    assert f"no metadata.yaml; run ros2 bag reindex -s mcap {bag}, or give {bag / 'bag.mcap'}" in refusal(bag)


def test_a_database_whose_last_messages_are_in_its_log_is_refused_with_the_remedy(tmp_path, refusal):
    bag = small.write(tmp_path / "bag", small.frames(1), "sqlite3")
    (bag / "bag.db3-wal").write_bytes(b"1")
    assert f"run sqlite3 {bag / 'bag.db3'} 'PRAGMA wal_checkpoint(TRUNCATE)'" in refusal(bag)


def test_messages_that_are_declared_and_not_there_are_said(tmp_path, summary, refusal):
    bag = small.write(tmp_path / "bag", small.frames(3))
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 3", "message_count: 5"))
    found = summary(bag)
    assert found["missing"] == {IMAGE: 2, INFO: 2, RADAR: 2}
    assert any(f"2 of 5 on {IMAGE}" in text and "ros2 bag reindex" in text for text in found["remarks"])


# --- eval-bag ----------------------------------------------------------------------------------------------------


def lidar_messages(count=4):
    """Return messages of depth that is 11.7 m everywhere, and of a lidar, mounted as the radar, that sees the same."""
    points = np.zeros(9, [(axis, "<f4") for axis in "xyz"])
    points["x"] = 10.0
    points["y"], points["z"] = (grid.ravel() * 0.1 for grid in np.meshgrid([-1, 0, 1], [-1, 0, 1]))
    points["z"] += 1.0
    entries = [("/tf_static", START, small.static_tf())]
    for stamp in (START + i * PERIOD for i in range(count)):
        depth = np.full((small.HEIGHT, small.WIDTH), 11.7, np.float32)
        entries.append((DEPTH, stamp, building.image(stamp, "CAM_FRONT", depth, "32FC1")))
        entries.append(("/CAM_FRONT/depth/camera_info", stamp, small.info(stamp)))
        entries.append((LIDAR, stamp, building.point_cloud(stamp, "RADAR_FRONT", points)))
    return entries


def evaluated(bag, tmp_path, *options):
    report = tmp_path / "report.json"
    report.unlink(missing_ok=True)
    assert cli.main(["eval-bag", str(bag), "--json", str(report), *options]) == 0
    found = json.loads(report.read_text())
    assert found["images"] == found["frames"] + found["left_out"]
    assert found["left_out"] == sum(found["dropped_by_cause"].values())
    return found


@pytest.mark.parametrize("which", [DEPTH, LIDAR, "/CAM_FRONT/depth/camera_info"])
def test_eval_bag_leaves_one_damaged_message_out(tmp_path, capsys, which):
    at = START + 2 * PERIOD
    entries = [
        (topic, when, small.cut(message) if (topic, when) == (which, at) else message)
        for topic, when, message in lidar_messages()
    ]
    found = evaluated(small.write(tmp_path / "bag", entries), tmp_path)
    assert found["frames"] == (4 if "camera_info" in which else 3)
    assert f"1 messages of {which} are damaged" in found["notes"]
    assert f"1 messages of {which} are damaged" in capsys.readouterr().out


def test_eval_bag_counts_duplicates_and_says_that_there_was_no_ego_motion(tmp_path):
    entries = lidar_messages()
    entries += [entry for entry in entries if entry[0] == DEPTH]
    found = evaluated(small.write(tmp_path / "bag", entries), tmp_path)
    assert (found["images"], found["dropped_by_cause"]) == (8, {"duplicate": 4})
    assert found["without_ego_motion"] == 4
    assert any("without ego motion: the bag has neither" in text for text in found["notes"])


def test_eval_bag_without_any_result_is_an_error_with_causes_and_counts(tmp_path, capsys):
    entries = [entry for entry in lidar_messages() if entry[0] != LIDAR]
    late = START + 90 * PERIOD
    entries.append((LIDAR, late, small.cloud(late)))
    assert cli.main(["eval-bag", str(small.write(tmp_path / "bag", entries))]) == 2
    assert "none of 4 depth images can be evaluated (4 not_compared; the first: image at" in capsys.readouterr().err


@pytest.mark.parametrize("topic", [DEPTH, LIDAR, "/CAM_FRONT/depth/camera_info"])
def test_eval_bag_names_both_types_of_a_wrong_topic(tmp_path, capsys, topic):
    entries = [entry for entry in lidar_messages() if entry[0] != topic]
    bag = small.write(tmp_path / "bag", [*entries, (topic, START, building.string("hello"))])
    assert cli.main(["eval-bag", str(bag)]) == 2
    assert f"{topic} is std_msgs/msg/String, expected sensor_msgs/msg/" in capsys.readouterr().err


def test_the_official_reader_counts_as_rosbags_does(tmp_path):
    """What the tests above compare with: a bag of theirs has what was written."""
    with Reader(small.write(tmp_path / "bag", small.frames(3))) as reader:
        assert reader.message_count == 9
