# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""replay_node over real DDS, in processes of its own: what was recorded arrives, in bag time."""

import importlib.util
import itertools
import os
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

import small_bags as small
import tiny_nuscenes

if importlib.util.find_spec("rclpy") is None:
    pytest.skip("replay needs rclpy", allow_module_level=True)
pytest.importorskip("nuscenes", reason="the bag is converted from nuScenes, which needs its devkit")
pytest.importorskip("rosbags", reason="bags are read with rosbags")
from rosbags.rosbag2 import Reader

from lircdepth_ros import cli
from lircdepth_ros.bags.writing import new_bag, offered_qos
from lircdepth_ros.messages import definitions
from paths import REPOSITORY, SUPPORT

ENVIRONMENT = os.environ | {
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),  # not that of a test run beside this one
    "PYTHONUNBUFFERED": "1",
}
HAS_TF2_MSGS = importlib.util.find_spec("tf2_msgs") is not None
CLOCK_RATE = 50.0


@pytest.fixture(scope="session")
def bag(tmp_path_factory):
    """A bag of the tiny dataset's first scene: 0.6 s."""
    folder = tmp_path_factory.mktemp("replay")
    root = tiny_nuscenes.write(folder / "root")
    command = ["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", str(folder / "bag")]
    assert cli.main(command) == 0
    return folder / "bag"


def recorded(bag):
    """Return [(topic, log time, bytes)] of what this machine can replay, and {topic: type}."""
    with Reader(bag) as reader:
        connections = [c for c in reader.connections if HAS_TF2_MSGS or not c.msgtype.startswith("tf2_msgs/")]
        types = {connection.topic: connection.msgtype for connection in connections}
        return [(c.topic, stamp, data) for c, stamp, data in reader.messages(connections)], types


@contextmanager
def process(*command):
    """Start a process in its own group; kill it in the end if it still runs."""
    child = subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


def read_until(child, text):
    """Read a process's output up to a line that contains ``text``."""
    assert any(text in line for line in child.stdout), f"ended without '{text}'"


def replay_command(bag, **parameters):
    settings = {"bag": f"'{bag}'", "clock_rate": CLOCK_RATE} | parameters
    options = [word for name, value in settings.items() for word in ("-p", f"{name}:={value}")]
    return ["-m", "lircdepth_ros.replay_node", "--ros-args", *options]


def recorder_command(output, count, types, latched=()):
    topics = [f"{topic}={msgtype}" + (":latched" if topic in latched else "") for topic, msgtype in types.items()]
    return [SUPPORT / "dds_recorder.py", output, count, 240, *topics]


def waiting_for(types):
    return {"wait_for_subscribers": 120.0, "wait_for_topics": f"[{', '.join(types)}]"}


def replay_and_record(bag, types, count, folder, latched=(), **parameters):
    """Replay to the end; return ([(topic, bytes)] in order of arrival, the replay's output)."""
    with (
        process(*recorder_command(folder / "received", count, types, latched)) as recorder,
        process(*replay_command(bag, **waiting_for(types), **parameters)) as replay,
    ):
        output, _ = replay.communicate(timeout=300)
        assert replay.returncode == 0, output
        assert recorder.wait(timeout=300) == 0, recorder.stdout.read()
    return pickle.loads((folder / "received").read_bytes()), output


def clock_of(received):
    """Return the times on /clock in nanoseconds, in order of arrival (CDR: 4 bytes header, int32, uint32)."""
    times = [struct.unpack_from("<iI", data, 4) for topic, data in received if topic == "/clock"]
    return [sec * 1_000_000_000 + nanosec for sec, nanosec in times]


def by_topic(pairs):
    """Return {topic: [bytes]} without /clock. What RTPS does not carry in fragments it pads to four bytes: so here."""
    topics = {}
    for topic, data in pairs:
        if topic != "/clock":
            topics.setdefault(topic, []).append(data + bytes(-len(data) % 4))
    return topics


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_every_message_arrives_in_order_byte_for_byte_and_clock_keeps_the_rate(bag, tmp_path, rate):
    expected, types = recorded(bag)
    received, output = replay_and_record(bag, types, len(expected), tmp_path, rate=rate, linger=0.4)
    # Header stamps are part of the bytes. DDS keeps the order of a topic, not that between topics.
    assert by_topic(received) == by_topic((topic, data) for topic, _, data in expected)

    stamps, clock = [stamp for _, stamp, _ in expected], clock_of(received)
    assert clock == sorted(clock)
    assert set(stamps) <= set(clock)  # the clock reaches a message's time before the message goes out, never later
    start, end = stamps[0], stamps[-1] + 400_000_000
    assert clock[0] >= start
    assert stamps[-1] < clock[-1] <= end  # lingers
    # At a higher rate fewer ticks of wall time fit into the bag's time; a slow machine can only make them fewer.
    ticks = len([time for time in clock if time not in set(stamps) and time > start])
    assert 0 < ticks <= (end - start) / 1e9 * CLOCK_RATE / rate + 2
    assert f"published {len(expected)} messages" in output
    assert "p99" in output


def test_full_size_images_and_lidar_arrive_byte_for_byte(nuscenes_real, tmp_path):
    """Six JPEG images of 1600x900 and a lidar scan of 620 kB within 60 ms, with Fast DDS as it comes."""
    bag = tmp_path / "bag"
    command = ["nuscenes-to-bag", "--dataroot", str(nuscenes_real), "--scene", "scene-0061", "-o", str(bag)]
    assert cli.main(command) == 0
    expected, types = recorded(bag)
    received, _ = replay_and_record(bag, types, len(expected), tmp_path, linger=0.0)
    assert by_topic(received) == by_topic((topic, data) for topic, _, data in expected)


def test_a_scene_is_replayed_without_a_bag_as_from_its_bag(bag, tmp_path):
    expected, types = recorded(bag)
    source = {"source": "nuscenes", "dataroot": f"'{bag.parent / 'root'}'", "scene": "scene-0001"}
    received, output = replay_and_record("", types, len(expected), tmp_path, linger=0.0, **source)
    assert by_topic(received) == by_topic((topic, data) for topic, _, data in expected)
    assert {stamp for _, stamp, _ in expected} <= set(clock_of(received))
    assert f"published {len(expected)} messages" in output


def test_duration_ends_early_and_remapping_renames(bag, tmp_path):
    expected, types = recorded(bag)
    start = min(stamp for _, stamp, _ in expected)
    poses = [data for topic, stamp, data in expected if topic == "/odom" and stamp < start + 300_000_000]
    assert 0 < len(poses) < sum(topic == "/odom" for topic, _, _ in expected)
    with (
        process(*recorder_command(tmp_path / "received", len(poses), {"/ego": types["/odom"]})) as recorder,
        process(
            *replay_command(bag, duration=0.3, linger=0.0, topics="[/odom]", wait_for_subscribers=120.0),
            *("-r", "/odom:=/ego"),
        ) as replay,
    ):
        output, _ = replay.communicate(timeout=300)
        assert replay.returncode == 0, output
        assert recorder.wait(timeout=300) == 0, recorder.stdout.read()
    received = pickle.loads((tmp_path / "received").read_bytes())
    assert by_topic(received) == by_topic(("/ego", data) for data in poses)


def test_services_pause_step_and_resume(bag):
    """Paused, nothing comes and /clock stands; a step publishes the next message, whose time /clock then has.

    Topics are in the node's namespace; another rate is taken meanwhile.
    """
    import rclpy
    from nav_msgs.msg import Odometry
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters
    from rosgraph_msgs.msg import Clock
    from std_srvs.srv import Trigger

    expected = [stamp for topic, stamp, _ in recorded(bag)[0] if topic == "/odom"]
    poses, clock = [], []
    rclpy.init()
    node = rclpy.create_node("remote_control")

    def nanoseconds(stamp):
        return stamp.sec * 10**9 + stamp.nanosec

    def spin(seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.05)

    def wait_for(condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, (len(poses), clock[-3:])
            rclpy.spin_once(node, timeout_sec=0.05)

    def call(name):
        result = answer(Trigger, name, Trigger.Request())
        return result.success, result.message

    def answer(kind, name, request):
        client = node.create_client(kind, f"/ego/replay_node/{name}")
        assert client.wait_for_service(timeout_sec=120)
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=120)
        return future.result()

    def set_rate(rate):
        value = ParameterValue(type=3, double_value=rate)
        request = SetParameters.Request(parameters=[Parameter(name="rate", value=value)])
        (result,) = answer(SetParameters, "set_parameters", request).results
        return result.successful, result.reason

    try:
        node.create_subscription(Odometry, "/ego/odom", lambda m: poses.append(nanoseconds(m.header.stamp)), 1000)
        node.create_subscription(Clock, "/clock", lambda m: clock.append(nanoseconds(m.clock)), 1000)
        options = {"topics": "[/odom]", "start_paused": "true", "linger": 0.0, "relative_topics": "true"}
        line = [*replay_command(bag, **options, **waiting_for({"/odom": ""})), "-r", "__ns:=/ego"]
        with process(*line) as replay:
            wait_for(lambda: len(clock) > 20)
            assert not poses
            assert call("play_next") == (True, f"/odom at {expected[0]}")
            assert call("play_next") == (True, f"/odom at {expected[1]}")
            wait_for(lambda: len(poses) == 2)
            assert set_rate(0.02) == (True, "")  # the half second that is left takes 25 s
            assert set_rate(0.0) == (False, "rate is 0.0, expected a number from 0.01 to 100")
            spin(0.5)  # five pose periods
            assert poses == expected[:2]
            assert clock[-1] == expected[1]
            assert call("resume") == (True, "playing")
            assert call("play_next") == (False, "not paused")
            assert call("pause") == (True, "paused")
            spin(0.2)  # what was under way
            here = len(poses)
            assert 2 <= here < len(expected)
            spin(0.5)
            assert len(poses) == here
            assert set_rate(10.0) == (True, "")
            assert call("toggle_paused") == (True, "playing")
            wait_for(lambda: len(poses) == len(expected))
            output, _ = replay.communicate(timeout=300)
        assert replay.returncode == 0, output
        assert poses == expected
        assert clock == sorted(clock)
    finally:
        node.destroy_node()
        rclpy.shutdown()


@pytest.mark.skipif(HAS_TF2_MSGS, reason="this machine has tf2_msgs")
def test_type_without_python_support_is_named_once_and_skipped(bag, tmp_path):
    _, output = replay_and_record(bag, {"/odom": "nav_msgs/msg/Odometry"}, 1, tmp_path, rate=10.0, linger=0.0)
    (line,) = [line for line in output.splitlines() if "tf2_msgs" in line]
    assert "WARN" in line
    assert "not replayed: /tf_static, /tf: tf2_msgs/msg/TFMessage has no Python support here" in line


def test_loop_starts_again_and_time_jumps_back_until_a_signal(bag, tmp_path):
    topic = "/CAM_FRONT/image_rect/compressed"
    messages, types = recorded(bag)
    lap = by_topic((name, data) for name, _, data in messages)[topic]
    types = {topic: types[topic]}
    with (
        process(*recorder_command(tmp_path / "received", 2 * len(lap) + 2, types)) as recorder,
        process(*replay_command(bag, loop="true", topics=f"[{topic}]", **waiting_for(types))) as replay,
    ):
        assert recorder.wait(timeout=300) == 0, recorder.stdout.read()
        replay.send_signal(signal.SIGINT)
        output, _ = replay.communicate(timeout=300)
    assert replay.returncode == 0, output
    assert "Traceback" not in output
    received = pickle.loads((tmp_path / "received").read_bytes())
    images = by_topic(received)[topic]
    assert len(images) >= 2 * len(lap) + 2
    assert images == (lap * (len(images) // len(lap) + 1))[: len(images)]
    clock = clock_of(received)
    jumps = [later - earlier for earlier, later in itertools.pairwise(clock) if later < earlier]
    assert len(jumps) >= 2  # one before the second lap, one before the third
    assert set(jumps) == {-600_000_000}  # the camera's first and last image are the bag's start and end


def test_start_offset_leaves_out_what_is_earlier_but_not_what_was_latched(tmp_path):
    """A node that starts in the middle still needs /tf_static; here a latched String stands for it."""
    bag = tmp_path / "bag"
    store = definitions.typestore()
    message = store.types["std_msgs/msg/String"]
    with new_bag(bag) as writer:
        latched, plain = (
            writer.add_connection(
                topic, "std_msgs/msg/String", typestore=store, offered_qos_profiles=[offered_qos(*qos)]
            )
            for topic, qos in (("/latched", (1, True)), ("/plain", (10, False)))
        )
        for text in ("a", "b"):
            writer.write(latched, 1_000_000_000, definitions.serialize(message(text)))
        for i in range(11):
            writer.write(plain, 1_000_000_000 + i * 100_000_000, definitions.serialize(message(str(i))))
    types = {"/latched": "std_msgs/msg/String", "/plain": "std_msgs/msg/String"}
    received, _ = replay_and_record(bag, types, 8, tmp_path, latched=["/latched"], start_offset=0.5, linger=0.0)

    def texts_of(received):
        return {
            topic: [store.deserialize_cdr(data, types[topic]).data for data in datas]
            for topic, datas in by_topic(received).items()
        }

    assert texts_of(received) == {"/latched": ["a", "b"], "/plain": ["5", "6", "7", "8", "9", "10"]}
    assert min(clock_of(received)) == 1_500_000_000

    # Latched in the replay as well: a subscription that comes after the last message gets both.
    late = recorder_command(tmp_path / "late", 2, {"/latched": types["/latched"]}, ["/latched"])
    with process(*replay_command(bag, rate=100.0, linger=6000.0, wait_for_subscribers=0.1)) as replay:
        read_until(replay, "starting all the same")
        with process(*late) as recorder:
            assert recorder.wait(timeout=300) == 0, recorder.stdout.read()
    assert texts_of(pickle.loads((tmp_path / "late").read_bytes())) == {"/latched": ["a", "b"]}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_wait_for_subscribers(bag, stop):
    with process(*replay_command(bag, wait_for_subscribers=600.0)) as replay:
        read_until(replay, "waiting for subscriptions")
        replay.send_signal(stop)
        output, _ = replay.communicate(timeout=300)
    assert replay.returncode == 0, output
    assert "Traceback" not in output


def test_signal_ends_a_pause_between_messages(bag):
    """At a hundredth of the speed the first pause lasts seconds."""
    with process(*replay_command(bag, rate=0.01, wait_for_subscribers=0.1)) as replay:
        read_until(replay, "starting all the same")
        replay.send_signal(signal.SIGINT)
        output, _ = replay.communicate(timeout=300)
    assert replay.returncode == 0, output
    assert "Traceback" not in output
    assert "published" in output


def truncated(bag, folder):
    copy = shutil.copytree(bag, folder / "truncated")
    file = copy / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return copy


def unreadable_metadata(bag, folder):
    copy = shutil.copytree(bag, folder / "metadata")
    (copy / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    return copy


@pytest.mark.parametrize(
    ("make", "parameters", "expected"),
    [
        (truncated, {}, "truncated cannot be read as a rosbag2 bag: File end magic is invalid"),
        (unreadable_metadata, {}, "metadata cannot be read as a rosbag2 bag: Could not load YAML"),
        (lambda bag, folder: folder, {}, "is not a rosbag2 directory: it has no metadata.yaml"),
        (lambda bag, folder: folder / "nothing", {}, "nothing does not exist"),
        (lambda bag, folder: "", {}, "parameter 'bag' is not set"),
        (lambda bag, folder: bag, {"start_offset": 5.0}, "start_offset 5.0 s is beyond the bag's 0.600 s"),
        (lambda bag, folder: bag, {"topics": "[/odometry]"}, "topic '/odometry' is not in the bag, which has /CAM"),
        (lambda bag, folder: bag, {"topics": "[/odom]", "wait_for_topics": "[/CAM]"}, "'/CAM' is not a replayed topic"),
        (lambda bag, folder: bag, {"source": "nuscenes"}, "parameter 'dataroot' is not set, and source is 'nuscenes'"),
        (lambda bag, folder: bag, {"source": "radio"}, "source is 'radio', expected one of bag, nuscenes"),
        (lambda bag, folder: bag, {"rate": -1.0}, "rate is -1.0, expected a number from 0.01 to 100"),
        (lambda bag, folder: bag, {"rate": "fast"}, "rate is 'fast', expected a number from 0.01 to 100"),
    ],
)
def test_wrong_input_is_one_error_line_and_status_2(bag, tmp_path, make, parameters, expected):
    with process(*replay_command(make(bag, tmp_path), **parameters)) as replay:
        output, _ = replay.communicate(timeout=300)
    assert replay.returncode == 2, output
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if "error" in line.lower()]
    assert line.startswith("replay_node: error: ")
    assert re.search(expected, line), line


def replayed(bag, **parameters):
    """Replay without a subscriber; return (exit status, output)."""
    with process(*replay_command(bag, rate=5.0, **parameters)) as replay:
        output, _ = replay.communicate(timeout=300)
        return replay.returncode, output


def test_an_mcap_without_message_index_is_replayed_whole(tmp_path):
    pytest.importorskip("mcap.writer", reason="written with the official library")
    path = small.without_index(small.write(tmp_path / "bag", small.frames(3)), tmp_path / "recovered.mcap")
    status, output = replayed(path)
    assert status == 0
    assert "published 9 messages" in output
    assert not re.search("not in it|damaged", output)


def test_a_damaged_message_is_left_out_and_named_with_its_time(tmp_path):
    """A subscriber may end by what it cannot decode."""
    entries = small.frames(3)
    topic, when, message = entries[2]
    entries[2] = (topic, when, small.cut(message))
    status, output = replayed(small.write(tmp_path / "bag", entries))
    assert status == 0
    assert "published 8 messages" in output
    assert f"left out, damaged: {topic} 1; the first: {topic} at {when}: message is damaged" in output


def test_what_a_bag_declares_and_does_not_have_is_said(tmp_path):
    bag = small.write(tmp_path / "bag", small.frames(3))
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("message_count: 3", "message_count: 5"))
    status, output = replayed(bag)
    assert status == 0
    assert f"declares messages that are not in it: 2 of 5 on {small.INFO}" in output


def test_a_replay_that_publishes_nothing_is_an_error(tmp_path):
    entries = [(topic, when, small.cut(message)) for topic, when, message in small.frames(1)]
    status, output = replayed(small.write(tmp_path / "bag", entries))
    assert status == 2
    assert "no message of" in output.splitlines()[-1]
