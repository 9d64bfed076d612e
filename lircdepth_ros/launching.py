# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the launch files decide, as plain functions: their arguments, and the parameters that come of them.

Needs neither launch nor rclpy, so that tests call it. An argument that is left empty leaves what the parameter files
say.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import PIPELINE_OPTIONS, Option, nearest_text
from lircdepth_ros import layouts, names, parameter_files
from lircdepth_ros.depth_node import settings as depth_settings
from lircdepth_ros.replay_node import settings as replay_settings

# The network loads before the first message; on a machine's first start backends are measured as well.
SUBSCRIPTION_TIMEOUT_S = 300.0
DEMO_SCENE = "scene-9001"  # the first that `lircdepth synth` makes
_LINGER_S = 10.0  # so that the depth node has time for the images that it still computes at the end


@dataclass(frozen=True)
class Argument:
    """An argument of a launch file. Its default is a text."""

    name: str
    default: str
    help: str


def depth_arguments(config: Path) -> list[Argument]:
    """Return the arguments of depth.launch.py. config: the folder of the parameter files that ship."""
    return [
        Argument("name", "depth_node", "Name of the node; different ones where there are several."),
        Argument("namespace", "", "Namespace of the node and, since their names are relative, of its topics."),
        Argument("model_file", str(config / "model.yaml"), "Parameter file of the network."),
        Argument("params_file", str(config / "depth.yaml"), "Parameter file of the node, read after model_file."),
        Argument("log_level", "info", "debug, info, warn, error or fatal."),
        Argument("lifecycle", "auto", "auto: the node configures and activates itself; managed: a manager does it."),
        Argument("respawn", "false", "Start the node again when it ends: true or false."),
        Argument("respawn_delay", "2.0", "Seconds before it is started again."),
        Argument("required", "false", "The end of the node ends the launch: true or false."),
        Argument("rectify", "", "Raw image topic that image_proc rectifies onto image_topic. Empty: it is rectified."),
        Argument("use_sim_time", "", "Take the time from /clock: true or false."),
        Argument("rviz", "false", "Start RViz on the topics of the node, too: true or false."),
        *(_argument(option) for option in depth_settings.PARAMETERS),
    ]


def replay_arguments(config: Path) -> list[Argument]:
    """Return the arguments of replay.launch.py: those of depth.launch.py, with other defaults, and the replay's."""
    changed = {"use_sim_time": "true", "required": "true"}
    depth = [replace(each, default=changed.get(each.name, each.default)) for each in depth_arguments(config)]
    return [*depth, *(_argument(option) for option in replay_settings.PARAMETERS)]


def _argument(option: Option) -> Argument:
    example = " A list: '[a, b]'." if isinstance(option.default, tuple) else ""
    shown = list(option.default) if isinstance(option.default, tuple) else option.default
    return Argument(
        option.name, "", f"{option.help_with_choices}{example} Empty: as in the parameter files ({shown!r})."
    )


def misspelled(chosen: Iterable[str]) -> list[str]:
    """Return a text for each launch argument that is none and looks like a misspelled one: launch would ignore it."""
    known = {argument.name for argument in demo_arguments(Path())}
    texts = ((name, nearest_text(name, known)) for name in chosen if name not in known)
    return [f"launch argument '{name}' is not known{text} It is ignored." for name, text in texts if text]


def overrides(options: Sequence[Option], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return {parameter: value} of the arguments that are not empty, in the types that the node declares.

    Raises LircDepthError for a value that does not fit.
    """
    given = {option: chosen[option.name] for option in options if chosen.get(option.name)}
    values = {option.name: _value(option, text) for option, text in given.items()}
    # ROS has no empty lists: they are the default where they are allowed.
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value != ()}


def _value(option: Option, text: str) -> Any:
    """Return an argument's text as YAML reads it; the text itself where a text is wanted. Raises LircDepthError."""
    if isinstance(option.default, str):
        return option.fitted(text)
    try:
        return option.fitted(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise LircDepthError(f"{option.name} is {text!r}, expected {option.expected}") from error


def flag(name: str, text: str) -> bool:
    """Return an argument that is true or false. Raises LircDepthError for any other text."""
    return bool(_value(Option(name, False, ""), text))


def seconds(name: str, text: str) -> float:
    """Return an argument that is a number of seconds. Raises LircDepthError for any other text."""
    return float(_value(Option(name, 0.0, "", minimum=0.0, maximum=1e6), text))


def depth_overrides(chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return {parameter: value} of depth.launch.py. Raises LircDepthError for an argument that cannot work."""
    depth_node_settings(chosen)  # files and arguments together
    Option("lifecycle", "auto", "", choices=("auto", "managed")).fitted(chosen["lifecycle"])
    values = _depth_values(chosen)
    if chosen.get("use_sim_time"):
        values["use_sim_time"] = flag("use_sim_time", chosen["use_sim_time"])
    return values


def _depth_values(chosen: Mapping[str, str]) -> dict[str, Any]:
    values = overrides(depth_settings.PARAMETERS, chosen)
    if chosen["lifecycle"] == "managed":
        values["autostart"] = False
    if chosen["rectify"]:
        values["image_transport"] = "raw"  # as image_proc publishes
    return values


def depth_node_settings(chosen: Mapping[str, str]) -> depth_settings.Settings:
    """Return the settings that a depth node has with these arguments. Raises LircDepthError where they cannot work."""
    node = names.resolved(chosen["name"], chosen["namespace"])
    values: dict[str, Any] = {}
    for argument in ("model_file", "params_file"):
        if chosen[argument]:
            values |= parameter_files.parameters_of(chosen[argument], node)
    values |= _depth_values(chosen)
    return depth_settings.settings_of(values)


def shown_cameras(chosen: Mapping[str, str]) -> list[layouts.Shown]:
    """Return the depth node's cameras as viewers show them. Raises LircDepthError for arguments that cannot work."""
    node = names.resolved(chosen["name"], chosen["namespace"])
    return layouts.shown(node, depth_node_settings(chosen), chosen["namespace"])


def require_package(name: str) -> None:
    """Raise LircDepthError where a ROS package is missing: launch would notice it when other nodes have started."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # part of a ROS installation

    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        raise LircDepthError(f"the ROS package {name} is not installed") from None


def rviz_arguments(chosen: Mapping[str, str]) -> list[str]:
    """Return RViz's arguments for the node's topics; its configuration is written into a folder for temporary files."""
    return ["-d", _written(layouts.rviz(shown_cameras(chosen)), ".rviz")]


def foxglove_layout(chosen: Mapping[str, str]) -> str:
    """Return the path of a Foxglove layout for the node's topics, written into a folder for temporary files."""
    return _written(layouts.foxglove(shown_cameras(chosen)), ".foxglove.json")


def _written(content: str, suffix: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="lircdepth_", suffix=suffix, delete=False) as file:
        file.write(content)
    return file.name


VIEWERS = ("rviz", "foxglove", "browser", "none")


def demo_arguments(config: Path) -> list[Argument]:
    """Return the arguments of demo.launch.py: those of replay.launch.py, what shows the depth, and the scene."""
    own = [
        Argument(
            "viewer",
            "browser",
            "What shows it until ^C: rviz, foxglove, browser (of the bag), none (replayed once).",
        ),
        Argument("duration", "4.0", "Seconds of the synthetic scene that is made where there is no bag."),
        Argument("folder", "out/demo_scene", "Where the synthetic scene is kept: made once, then replayed at once."),
    ]
    return [*own, *replay_arguments(config)]


def demo_viewer(chosen: Mapping[str, str]) -> str:
    """Return which viewer the demo starts. Raises LircDepthError for another text."""
    return str(Option("viewer", "browser", "", choices=VIEWERS).fitted(chosen["viewer"]))


def demo_scene(chosen: Mapping[str, str]) -> tuple[str, list[list[str]]]:
    """Return the demo's bag and the commands that make it, one after the other; none where it is there already."""
    if chosen["bag"]:
        return chosen["bag"], []
    folder = Path(chosen["folder"])
    root, bags = folder / "nuscenes", folder / "bags"
    found = sorted(path.parent for path in bags.glob("*/metadata.yaml"))
    if found:
        return str(found[0]), []
    program = [sys.executable, "-m", "lircdepth_ros.cli"]
    duration = seconds("duration", chosen["duration"])
    generate = ["synth", "-o", str(root), "--duration", str(duration), "--weather", "clear"]
    convert = ["nuscenes-to-bag", "--dataroot", str(root), "--version", "v1.0-mini", "-o", str(bags)]
    made = [convert] if root.is_dir() else [generate, convert]
    return str(bags / DEMO_SCENE), [[*program, *words] for words in made]


def demo_replay(chosen: Mapping[str, str], bag: str) -> dict[str, str]:
    """Return the arguments of replay.launch.py that the demo sets: a viewer shows the scene over and over, until ^C."""
    looping = chosen["loop"] or ("" if demo_viewer(chosen) == "none" else "true")
    return {"bag": bag, "loop": looping}


def browser_words(bag: str, chosen: Mapping[str, str]) -> list[str]:
    """Return the command that shows a bag in a browser, with depth by the node's own options."""
    given = {option.name: chosen[option.name] for option in PIPELINE_OPTIONS if chosen[option.name]}
    words = [word for name, text in given.items() for word in (f"--{name.replace('_', '-')}", text)]
    return [sys.executable, "-m", "lircdepth_ros.cli", "view", bag, *words]


def live_words(chosen: Mapping[str, str]) -> list[str]:
    """Return the command that serves the node's topics to Foxglove."""
    return [sys.executable, "-m", "lircdepth_ros.cli", "view", "--live", "--layout", foxglove_layout(chosen)]


def rectification(chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what image_proc's topics are remapped to, when the depth node's images have to be rectified first.

    Raises LircDepthError where the raw image's topic is no topic name.
    """
    raw = chosen["rectify"]
    names.check_topic_name("rectify", raw)
    settings = depth_node_settings(chosen)
    if settings.cameras:
        raise LircDepthError("rectify is for one camera: start image_proc's rectify_node for each of several yourself")
    return [("image", raw), ("camera_info", settings.camera_info_topic), ("image_rect", settings.image_topic)]


def calibration_of(chosen: Mapping[str, str]) -> str:
    """Return the calibration file of arguments and parameter files or, without, the one that is in a converted bag.

    Raises LircDepthError for arguments that cannot work.
    """
    given, written = depth_node_settings(chosen).calibration_file, Path(chosen["bag"]) / "calibration.yaml"
    return str(written) if chosen["bag"] and not given and written.is_file() else given


def cameras_of_bag(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return {argument: text} that name the cameras of a bag, and its radars, where ``cameras:=all`` asks for them.

    Without a bag "all" are nuScenes' (Settings.cameras), and nothing is returned. Raises LircDepthError for a bag that
    cannot be read or that has no camera.
    """
    if chosen["cameras"].strip("[]'\" ") != depth_settings.ALL_CAMERAS or not chosen["bag"]:
        return {}
    from lircdepth_ros.bags.depth_options import ALL, DepthJobOptions
    from lircdepth_ros.bags.reading import open_bag

    types = {connection.topic: connection.msgtype for connection in open_bag(chosen["bag"]).connections}
    found = DepthJobOptions(cameras=(ALL,), radar_topics=(ALL,)).of_cameras(types, chosen["bag"])
    texts = {"cameras": f"[{', '.join(found)}]"}
    radars = [topic.lstrip("/") for topic in next(iter(found.values())).radar_topics]
    if radars and not chosen["radar_topics"]:
        texts["radar_topics"] = f"[{', '.join(radars)}]"
    return texts


def replay_overrides(chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return {parameter: value} of the replay node in replay.launch.py.

    It waits for the depth node's subscription to images, whatever their topic, and the topics follow the namespace.
    Raises LircDepthError for an argument that cannot work, and for a bag that has no such images.
    """
    values = overrides(replay_settings.PARAMETERS, chosen)
    settings = depth_node_settings(chosen)
    values.setdefault("linger", _LINGER_S)
    values.setdefault("relative_topics", True)
    values.setdefault("wait_for_subscribers", SUBSCRIPTION_TIMEOUT_S)
    if "wait_for_topics" not in values:
        values["wait_for_topics"] = [
            recorded_image_topic(camera, chosen["namespace"], values["relative_topics"])
            for camera in settings.each_camera().values()
        ]
    if values.get("source", "bag") == "bag":
        _check_images_of_bag(values)
    return values


def recorded_image_topic(settings: depth_settings.Settings, namespace: str, relative: bool) -> str:
    """Return by which recorded name a replay knows the depth node's images. relative: see relative_topics."""
    topic = names.resolved(settings.received_image_topic, namespace)
    prefix = f"/{namespace.strip('/')}/"
    return f"/{topic.removeprefix(prefix)}" if relative and prefix != "//" and topic.startswith(prefix) else topic


def _check_images_of_bag(values: Mapping[str, Any]) -> None:
    """Raise LircDepthError, which names the images of the bag, when it has none of the depth node's."""
    from lircdepth_ros.bags.reading import open_bag

    if not values.get("bag"):
        raise LircDepthError("argument 'bag' is not set: bag:=PATH, or source:=nuscenes dataroot:=DIR scene:=NAME")
    types = {connection.topic: connection.msgtype for connection in open_bag(values["bag"]).connections}
    missing = [topic for topic in values["wait_for_topics"] if topic not in types]
    if missing:
        raise LircDepthError(
            f"{values['bag']} has no {', '.join(missing)}; its images: {', '.join(_choices(types)) or 'none'}"
        )


def _choices(types: Mapping[str, str]) -> list[str]:
    """Return the images of a bag, each as the arguments that choose it."""
    raw = [topic for topic, kind in sorted(types.items()) if kind == "sensor_msgs/msg/Image"]
    suffix = "/compressed"
    compressed = [topic for topic in sorted(types) if topic.endswith(suffix)]
    return [
        *(f"image_topic:={topic.removesuffix(suffix).lstrip('/')}" for topic in compressed),
        *(f"image_topic:={topic.lstrip('/')} image_transport:=raw" for topic in raw),
    ]
