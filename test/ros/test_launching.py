# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the launch files decide. They themselves need launch, which only a ROS installation has: they are read."""

import ast
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

import small_bags as small
from lircdepth_core.errors import LircDepthError
from lircdepth_ros import cli, dds, launching, parameter_files
from lircdepth_ros.depth_node import settings as depth_settings
from lircdepth_ros.messages import building
from lircdepth_ros.replay_node import settings as replay_settings
from paths import REPOSITORY

CONFIG = REPOSITORY / "config"


def chosen(replay=False, **given):
    """Return every argument's text, as launch gives it."""
    made = {False: launching.depth_arguments, True: launching.replay_arguments, "demo": launching.demo_arguments}
    arguments = made[replay](CONFIG)
    texts = {argument.name: argument.default for argument in arguments}
    assert given.keys() <= texts.keys()
    return texts | given


def test_every_parameter_is_an_argument_and_no_argument_is_there_twice():
    depth, replay = launching.depth_arguments(CONFIG), launching.replay_arguments(CONFIG)
    names = [argument.name for argument in replay]
    assert len(set(names)) == len(names)
    assert {option.name for option in depth_settings.PARAMETERS} <= {argument.name for argument in depth}
    parameters = {option.name for option in (*depth_settings.PARAMETERS, *replay_settings.PARAMETERS)}
    assert parameters <= set(names)
    assert all(argument.help.endswith(".") for argument in replay), "sentences, for --show-args"


@pytest.mark.parametrize("file", ["depth", "replay", "demo"])
def test_a_launch_file_reads_only_arguments_and_functions_that_there_are(file):
    """A launch file with a name that is none would fail at a user's, and nowhere here."""
    tree = ast.parse((REPOSITORY / "launch" / f"{file}.launch.py").read_text())
    functions = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "launching"
    }
    assert functions
    assert all(hasattr(launching, name) for name in functions)
    arguments = chosen(replay={"depth": False, "replay": True, "demo": "demo"}[file])
    read = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "chosen"
        and isinstance(node.slice, ast.Constant)
    }
    assert read or file == "demo"
    assert read <= arguments.keys()
    environments = [node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and "env" in (node.arg or "")]
    assert set(environments) <= {"additional_env"}, "the profile is for what is started here alone"
    assert "SetEnvironmentVariable" not in ast.dump(tree)


def test_arguments_come_in_the_types_that_the_node_declares():
    values = launching.depth_overrides(
        chosen(max_range="80", radar_topics="[a/points, b/points]", threads="2", weights="61", autostart="false")
    )
    assert values == {
        "max_range": 80.0,
        "radar_topics": ["a/points", "b/points"],
        "threads": 2,
        "weights": "61",
        "autostart": False,
    }
    assert type(values["max_range"]) is float
    assert launching.depth_overrides(chosen()) == {}
    assert launching.depth_overrides(chosen(lifecycle="managed", use_sim_time="true")) == {
        "autostart": False,
        "use_sim_time": True,
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_range": "far"}, "max_range is 'far', expected a number from 1 to 100000"),
        ({"image_topic": "front camera"}, "is no topic name"),
        ({"params_file": "absent.yaml"}, "parameter file absent.yaml: No such file"),
        ({"lifecycle": "manual"}, "lifecycle is 'manual', expected one of auto, managed"),
        ({"use_sim_time": "yes please"}, "use_sim_time is 'yes please', expected true or false"),
        ({"threads": "["}, "threads is '\\[', expected a whole number"),
        ({"use_sim_time": "["}, "use_sim_time is '\\[', expected true or false"),
    ],
)
def test_an_argument_that_cannot_work_is_named_before_anything_is_started(given, words):
    with pytest.raises(LircDepthError, match=words):
        launching.depth_overrides(chosen(**given))


def test_a_misspelled_argument_is_named_and_one_of_another_launch_file_is_not():
    given = ("weigths", "robot_description", "rate", "weights")
    assert launching.misspelled(given) == [
        "launch argument 'weigths' is not known; did you mean 'weights'? It is ignored."
    ]


def test_image_proc_gets_the_names_that_the_depth_node_reads():
    given = chosen(rectify="CAM_BACK/image_raw", image_topic="CAM_BACK/image_rect")
    assert launching.rectification(given) == [
        ("image", "CAM_BACK/image_raw"),
        ("camera_info", "CAM_BACK/camera_info"),
        ("image_rect", "CAM_BACK/image_rect"),
    ]
    assert launching.depth_overrides(given)["image_transport"] == "raw"


def test_rviz_and_foxglove_show_the_topics_that_the_arguments_give_the_node():
    given = chosen(namespace="ego", image_topic="CAM_BACK/image_rect", name="back", depth_topic="rear")
    flag, file = launching.rviz_arguments(given)
    texts = [Path(file).read_text(), Path(launching.foxglove_layout(given)).read_text()]
    assert flag == "-d"
    for text in texts:
        assert "/ego/rear/color" in text
        assert "/ego/rear/radar_arrows" in text
        assert "CAM_FRONT" not in text
    assert "/ego/back/debug/processing_time_ms.data" in texts[1]
    with pytest.raises(LircDepthError, match="viewer is 'gazebo', expected one of rviz, foxglove, browser, none"):
        launching.demo_viewer({"viewer": "gazebo"})


@pytest.mark.full
def test_the_demo_makes_its_scene_once(tmp_path, monkeypatch):
    """Its commands are run: a bag with images, radar and lidar comes of them, and the next start makes none."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    given = chosen(replay="demo", folder=str(tmp_path / "scene"), duration="0.1")
    bag, commands = launching.demo_scene(given)
    assert len(commands) == 2
    commands[0] += ["--image-size", "160x90"]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert launching.demo_scene(given) == (bag, [])
    assert Path(bag, "metadata.yaml").is_file()
    assert launching.demo_scene(given | {"bag": "/own"}) == ("/own", [])


def test_a_ros_package_that_is_missing_is_known_before_anything_starts(tmp_path, monkeypatch):
    """Else a depth node that had started already would be left behind."""
    pytest.importorskip("ament_index_python", reason="part of a ROS installation")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(LircDepthError, match="the ROS package rviz2 is not installed"):
        launching.require_package("rviz2")
    (tmp_path / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (tmp_path / "share/ament_index/resource_index/packages/rviz2").touch()
    launching.require_package("rviz2")


def test_a_demo_with_a_viewer_goes_on_until_it_is_stopped(bag):
    """The end of a replay ends the launch, and with it the viewer."""
    for viewer, given, expected in (("none", "", ""), ("browser", "", "true"), ("rviz", "false", "false")):
        made = launching.demo_replay(chosen(replay="demo", viewer=viewer, loop=given), "/bag")
        assert made == {"bag": "/bag", "loop": expected}
    given = chosen(replay="demo", weights="tiny", inference_scale="0.5", upsampling="edge_aware")
    words = launching.browser_words(str(bag), given)[3:]
    arguments = cli.make_parser({"view"}).parse_args(words)
    assert (arguments.bag, arguments.weights, arguments.inference_scale) == (str(bag), "tiny", 0.5)
    assert (arguments.upsampling, arguments.backend) == (given["upsampling"], "auto")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A bag whose images are those of two cameras, one of them raw."""
    raw = building.image(small.START, "CAM_BACK", np.zeros((4, 4, 3), np.uint8), "rgb8")
    entries = [*small.frames(1), ("/CAM_BACK/image_rect", small.START, raw)]
    return small.write(tmp_path_factory.mktemp("launching") / "bag", entries)


def test_a_replay_waits_for_the_images_that_the_depth_node_reads(bag, tmp_path):
    values = launching.replay_overrides(chosen(replay=True, bag=str(bag)))
    assert values["wait_for_topics"] == [small.IMAGE]
    raw = chosen(replay=True, bag=str(bag), image_topic="CAM_BACK/image_rect", image_transport="raw")
    assert launching.replay_overrides(raw)["wait_for_topics"] == ["/CAM_BACK/image_rect"]
    # As well where a parameter file says so, and by recorded name where the namespace moves the topics.
    own = tmp_path / "own.yaml"
    own.write_text("/**:\n  ros__parameters: {image_topic: CAM_BACK/image_rect, image_transport: raw}\n")
    given = chosen(replay=True, bag=str(bag), params_file=str(own), namespace="ego")
    assert launching.replay_overrides(given)["wait_for_topics"] == ["/CAM_BACK/image_rect"]


def test_all_cameras_are_those_of_the_bag_or_of_nuscenes(tmp_path):
    entries = small.frames(1)
    for camera in ("CAM_BACK", "rear"):
        raw = building.compressed_image(small.START, camera, b"", "jpeg")
        entries.append((f"/{camera}/image_rect/compressed", small.START, raw))
    bag = small.write(tmp_path / "bag", entries)
    given = chosen(replay=True, bag=str(bag), cameras="all")
    found = launching.cameras_of_bag(given)
    assert found == {"cameras": "[CAM_BACK, CAM_FRONT, rear]", "radar_topics": "[RADAR_FRONT/points]"}
    values = launching.replay_overrides(given | found)
    assert values["wait_for_topics"] == [f"/{name}/image_rect/compressed" for name in ("CAM_BACK", "CAM_FRONT", "rear")]
    assert launching.cameras_of_bag(chosen(replay=True, bag=str(bag))) == {}
    assert launching.depth_overrides(chosen(cameras="all"))["cameras"] == ["all"]
    settings = launching.depth_node_settings(chosen(cameras="all"))
    assert (len(settings.cameras), len(settings.radar_topics)) == (6, 5)
    with pytest.raises(LircDepthError, match="rectify is for one camera"):
        launching.rectification(chosen(cameras="all", rectify="CAM_FRONT/image_raw"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cameras": "[CAM_FRONT, CAM_FRONT]"}, "expected different ones: CAM_FRONT is there twice"),
        ({"cameras": "[CAM_FRONT, /CAM_BACK]"}, "cameras has '/CAM_BACK', expected a name such as CAM_FRONT"),
        ({"cameras": "[front camera]"}, "cameras is 'front camera', which is no topic name"),
        ({"cameras": "all", "image_topic": "CAM_BACK/image_rect"}, "image_topic is that of one camera: with cameras"),
        ({"params_file": "shared"}, "cameras CAM_FRONT and CAM_BACK both have the topic CAM_BACK/image_rect"),
        ({"params_file": "strange"}, "CAM_BACK.radar_topics has BACK/points, expected some of radar_topics"),
    ],
)
def test_cameras_that_cannot_work_are_one_line(tmp_path, given, words):
    files = {
        "shared": {"CAM_FRONT": {"image_topic": "CAM_BACK/image_rect"}},
        "strange": {"CAM_BACK.radar_topics": ["BACK/points"]},
    }
    for name, own in files.items():
        parameters = {"cameras": ["CAM_FRONT", "CAM_BACK"], **own}
        (tmp_path / name).write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
    if "params_file" in given:
        given = {"params_file": str(tmp_path / given["params_file"])}
    with pytest.raises(LircDepthError, match=words):
        launching.depth_overrides(chosen(**given))


def test_a_replay_takes_the_calibration_of_its_bag_unless_another_one_is_given(bag, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("/**:\n  ros__parameters: {calibration_file: /own/calibration.yaml}\n")
    assert launching.calibration_of(chosen(replay=True, bag=str(bag))) == ""
    (bag / "calibration.yaml").touch()
    assert launching.calibration_of(chosen(replay=True, bag=str(bag))) == str(bag / "calibration.yaml")
    assert launching.calibration_of(chosen(replay=True, bag=str(bag), calibration_file="mine.yaml")) == "mine.yaml"
    assert launching.calibration_of(chosen(replay=True, bag=str(bag), params_file=str(own))) == "/own/calibration.yaml"


def test_a_bag_without_these_images_is_refused_with_the_arguments_that_choose_its_own(bag):
    with pytest.raises(LircDepthError) as refusal:
        launching.replay_overrides(chosen(replay=True, bag=str(bag), image_topic="CAM_LEFT/image_rect"))
    assert "has no /CAM_LEFT/image_rect/compressed; its images: image_topic:=CAM_FRONT/image_rect" in str(refusal.value)
    assert "image_topic:=CAM_BACK/image_rect image_transport:=raw" in str(refusal.value)
    with pytest.raises(LircDepthError, match="rate is 'fast', expected a number"):
        launching.replay_overrides(chosen(replay=True, bag=str(bag), rate="fast"))
    with pytest.raises(LircDepthError, match="argument 'bag' is not set"):
        launching.replay_overrides(chosen(replay=True))


def test_a_profile_is_set_unless_the_user_chose_a_transport():
    own = str(CONFIG / "fastdds_profile.xml")
    assert dds.profile_environment({}) == {"FASTDDS_DEFAULT_PROFILES_FILE": own}
    assert dds.profile_environment({"ROS_DISTRO": "jazzy"}) == {"FASTRTPS_DEFAULT_PROFILES_FILE": own}
    assert dds.profile_environment({"RMW_IMPLEMENTATION": "rmw_fastrtps_dynamic_cpp"}) != {}
    for name, value in {
        "FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA",
        "FASTRTPS_DEFAULT_PROFILES_FILE": "own.xml",
        "FASTDDS_DEFAULT_PROFILES_FILE": "own.xml",
        "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp",
    }.items():
        assert dds.profile_environment({name: value}) == {}, name


@pytest.mark.parametrize(
    ("name", "node", "fits"),
    [
        ("/**", "/ego/depth_node", True),
        ("depth_node", "/depth_node", True),
        ("depth_node", "/ego/depth_node", False),
        ("/ego/depth_node", "/ego/depth_node", True),
        ("/**/depth_node", "/a/b/depth_node", True),
        ("/**/depth_node", "/depth_node", True),
        ("/*/depth_node", "/a/b/depth_node", False),
        ("/*/depth_node", "/a/depth_node", True),
    ],
)
def test_names_in_parameter_files_fit_the_nodes_that_rcl_takes_them_for(tmp_path, name, node, fits):
    path = tmp_path / "file.yaml"
    path.write_text(f"{name}:\n  ros__parameters:\n    threads: 1\n")
    assert (parameter_files.unmatched_text(path, node) == "") is fits
    assert parameter_files.parameters_of(path, node) == ({"threads": 1} if fits else {})
