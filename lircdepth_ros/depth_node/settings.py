# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The declaration of the depth node's parameters. Needs no ROS, so that launch files and tests read it, too.

config/model.yaml, config/depth.yaml, the JSON schemas beside them and the tables of docs/node.md are made from it
(lircdepth_ros.declarations).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import SPACINGS
from lircdepth_core.options import PIPELINE_OPTIONS, Option, PipelineOptions, option, options_of
from lircdepth_ros.messages.radars import RadarReader, radar_readers
from lircdepth_ros.names import beside, check_topic_name

# What stands for an empty name: a topic beside the image's.
_SIBLINGS = {"camera_info_topic": "camera_info", "depth_topic": "depth", "overlay_topic": "radar_overlay"}
_OF_ONE_CAMERA = ("image_topic", *_SIBLINGS)

ALL_CAMERAS = "all"  # in the place of names: those of nuScenes
NUSCENES_CAMERAS = (
    "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT",
)  # fmt: skip
NUSCENES_RADAR_TOPICS = tuple(
    f"RADAR_{side}/points" for side in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK_LEFT", "BACK_RIGHT")
)


@dataclass(frozen=True)
class Settings(PipelineOptions):
    """The parameters of a configured node; see the help of each field. Live ones may change while the node works.

    of_camera: {camera: {parameter: value}}, what the user set of one of ``cameras``. camera: whose settings these are,
    where a node has ``cameras`` (see ``each_camera``). Raises LircDepthError for a value that cannot work.
    """

    cameras: tuple[str, ...] = option(
        ("",),
        "Several cameras: names, or 'all' for nuScenes' six; each has 'NAME/image_rect' and NAME.image_topic, "
        "NAME.radar_topics, ... as parameters. '': the one of image_topic.",
    )
    batch: int = option(
        1, "Images of different cameras that the network computes together, where as many wait.", minimum=1, maximum=16
    )
    image_topic: str = option(
        "CAM_FRONT/image_rect", "Rectified camera image; with compressed transport '/compressed' is appended."
    )
    image_transport: str = option(
        "compressed", "How images come: CompressedImage or Image.", choices=("compressed", "raw")
    )
    camera_info_topic: str = option("", "CameraInfo of the rectified image; empty: 'camera_info' beside the image.")
    radar_topics: tuple[str, ...] = option(("RADAR_FRONT/points",), "PointCloud2 of each radar.")
    radar_driver: tuple[str, ...] = option(
        ("nuscenes",), "What the radars' fields mean: names of config/radars, or .yaml files; one, or one a topic."
    )
    radar_frame: tuple[str, ...] = option(
        ("",), "Each radar's own frame, one a topic, where its driver stamps another one; '' for that of the message."
    )
    radar_fields: str = option(
        "",
        "Instead of radar_driver: the clouds' names for x y z [m] rcs [dBsm] vx vy [m/s, relative]; 0: not measured.",
    )
    odometry_topic: str = option("odom", "Odometry, read for ego motion when transforms come from a calibration file.")
    depth_topic: str = option(
        "",
        "Output: '/image', '/camera_info', '/color', '/points' and '/radar_arrows' are appended; empty: 'depth' beside "
        "the image.",
    )
    overlay_topic: str = option(
        "", "Output: the image with the radar returns drawn in; empty: 'radar_overlay' beside the image."
    )
    surround_topic: str = option(
        "surround/points", "Output with cameras: the coloured points of all, in base_link, while somebody listens."
    )
    depth_encoding: str = option(
        "32FC1", "32FC1: metres. 16UC1: millimetres, 0 = none (REP 118).", choices=("32FC1", "16UC1"), live=True
    )
    color_spacing: str = option(
        "log",
        "How depth is spread over the colours of '/color' and of the radar overlay: evenly in its logarithm, inverse, "
        "or itself.",
        choices=SPACINGS,
        live=True,
    )
    points_stride: int = option(
        4, "The point cloud has every n-th pixel of each n-th row.", minimum=1, maximum=64, live=True
    )
    sync_window: float = option(
        0.10, "A radar scan counts within this of the image [s].", minimum=0.0, maximum=10.0, live=True
    )
    max_wait: float = option(
        0.06, "Longest wait for a radar scan or transform after an image [s].", minimum=0.0, maximum=10.0, live=True
    )
    accumulate_sweeps: int = option(
        0, "Earlier scans of each radar that are used beside the matched one.", minimum=0, maximum=20, live=True
    )
    velocity_compensation: bool = option(
        False, "Move returns of moving things on by their own velocity, too.", live=True
    )
    transform_source: str = option(
        "auto", "auto: tf where tf2 is installed, else calibration_file.", choices=("auto", "tf", "calibration")
    )
    calibration_file: str = option(
        "", "calibration.yaml with the sensors' mounting; the converter writes one into each bag."
    )
    fixed_frame: str = option("odom", "Frame in which the world stands still, for ego motion.")
    stale_after: float = option(
        2.0,
        "Diagnostics: STALE without images, ERROR without depth for this long [s].",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    latency_warn: float = option(
        0.5, "Diagnostics: WARN when the median latency exceeds this [s].", minimum=0.0, maximum=3600.0, live=True
    )
    latency_error: float = option(
        2.0, "Diagnostics: ERROR when the median latency exceeds this [s].", minimum=0.0, maximum=3600.0, live=True
    )
    camera_only_warn: float = option(
        0.5, "Diagnostics: WARN when a larger share of depth has no radar.", minimum=0.0, maximum=1.0, live=True
    )
    drop_warn: float = option(
        0.4, "Diagnostics: WARN when a larger share of images is dropped.", minimum=0.0, maximum=1.0, live=True
    )
    autostart: bool = option(True, "Configure and activate at start; false waits for lifecycle commands.")

    of_camera: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    camera: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(filter(None, self.cameras)))  # ROS has no empty lists
        check_topic_name("odometry_topic", self.odometry_topic)
        check_topic_name("surround_topic", self.surround_topic)
        if self.cameras:
            self._prepare_cameras()
        else:
            self._prepare_topics()
        for topic in self.radar_topics:
            check_topic_name("radar_topics", topic)
        if not self.camera:
            _ = self.radar_readers  # refuses a driver that is not known
        if not self.radar_topics or len(set(self.radar_topics)) < len(self.radar_topics):
            raise LircDepthError(f"radar_topics is {list(self.radar_topics)}, expected one or more different topics")
        if self.cameras:
            self._check_cameras()

    def _prepare_topics(self) -> None:
        # So that another camera takes no more than another image_topic.
        for name, sibling in _SIBLINGS.items():
            if not getattr(self, name):
                object.__setattr__(self, name, beside(self.image_topic, sibling))
        for name in _OF_ONE_CAMERA:
            check_topic_name(f"{self.camera}.{name}" if self.camera else name, getattr(self, name))

    def _prepare_cameras(self) -> None:
        if self.cameras == (ALL_CAMERAS,):
            object.__setattr__(self, "cameras", NUSCENES_CAMERAS)
            if self.radar_topics == _DEFAULTS["radar_topics"]:
                object.__setattr__(self, "radar_topics", NUSCENES_RADAR_TOPICS)
        for name in self.cameras:
            check_topic_name("cameras", name)
            if name[0] in "/~":
                raise LircDepthError(
                    f"cameras has {name!r}, expected a name such as CAM_FRONT, in the node's namespace"
                )
            if self.cameras.count(name) > 1:
                raise LircDepthError(f"cameras is {list(self.cameras)}, expected different ones: {name} is there twice")

    def _check_cameras(self) -> None:
        for name in _OF_ONE_CAMERA:
            if getattr(self, name) != _DEFAULTS[name]:
                example = f"{self.cameras[0]}.{name}"
                raise LircDepthError(f"{name} is that of one camera: with cameras, set {example} and so on")
        owners: dict[str, str] = {}
        for name, settings in self.each_camera().items():
            for topic in (getattr(settings, parameter) for parameter in _OF_ONE_CAMERA):
                if owners.setdefault(topic, name) != name:
                    raise LircDepthError(f"cameras {owners[topic]} and {name} both have the topic {topic}")

    def each_camera(self) -> dict[str, Settings]:
        """Return {camera: its own settings}: those of ``cameras``, or of the one that has no name, "".

        Raises LircDepthError for what was set of a camera and cannot work.
        """
        if not self.cameras:
            return {"": self}
        return {name: self._of_one(name) for name in self.cameras}

    def _of_one(self, name: str) -> Settings:
        given = dict(self.of_camera.get(name, {}))
        given["radar_topics"] = radars = tuple(filter(None, given.get("radar_topics", ()))) or self.radar_topics
        strange = [topic for topic in radars if topic not in self.radar_topics]
        if strange:
            raise LircDepthError(
                f"{name}.radar_topics has {', '.join(strange)}, expected some of radar_topics: "
                f"{', '.join(self.radar_topics)}"
            )
        return replace(self, cameras=(), of_camera={}, camera=name, **{"image_topic": f"{name}/image_rect"} | given)

    @functools.cached_property
    def radar_readers(self) -> dict[str, RadarReader]:
        """Return {topic: reader} of the radars. Raises LircDepthError for a driver that is not known."""
        return radar_readers(self.radar_topics, self.radar_driver, self.radar_frame, self.radar_fields)

    @property
    def compressed_images(self) -> bool:
        """Whether images come as CompressedImage."""
        return self.image_transport == "compressed"

    @property
    def received_image_topic(self) -> str:
        """The topic that images are received on."""
        return self.image_topic + ("/compressed" if self.compressed_images else "")


def published_topics(settings: Settings) -> dict[str, str]:
    """Return {name: type} of the topics that a node publishes of one camera, before they are resolved."""
    depth = settings.depth_topic
    debug = f"~/debug/{settings.camera}" if settings.camera else "~/debug"
    return {
        f"{depth}/image": "sensor_msgs/msg/Image",
        f"{depth}/camera_info": "sensor_msgs/msg/CameraInfo",
        f"{depth}/image/compressedDepth": "sensor_msgs/msg/CompressedImage",
        f"{depth}/color": "sensor_msgs/msg/Image",
        f"{depth}/points": "sensor_msgs/msg/PointCloud2",
        f"{depth}/radar_arrows": "visualization_msgs/msg/MarkerArray",
        settings.overlay_topic: "sensor_msgs/msg/Image",
        f"{debug}/processing_time_ms": "std_msgs/msg/Float64",
        f"{debug}/pipeline_latency_ms": "std_msgs/msg/Float64",
    }


PARAMETERS = options_of(Settings)
MODEL_PARAMETERS = PIPELINE_OPTIONS  # config/model.yaml; those of the node alone are in config/depth.yaml
NODE_PARAMETERS = tuple(parameter for parameter in PARAMETERS if parameter not in MODEL_PARAMETERS)
LIVE = frozenset(parameter.name for parameter in PARAMETERS if parameter.live)
_DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}


def camera_parameters(camera: str) -> tuple[Option, ...]:
    """Return the parameters of one of several cameras, such as CAM_BACK.image_topic."""
    by_name = {parameter.name: parameter for parameter in PARAMETERS}
    own = [replace(by_name[name], name=f"{camera}.{name}") for name in _SIBLINGS]
    return (
        replace(by_name["image_topic"], name=f"{camera}.image_topic", default=f"{camera}/image_rect"),
        *own,
        Option(f"{camera}.radar_topics", ("",), "Those of radar_topics that this camera sees; '': all."),
    )


def parameters_of_cameras(given: Mapping[str, Any]) -> tuple[Option, ...]:
    """Return the parameters of the cameras that given {parameter: value} name, in ``cameras`` or before a dot.

    Raises LircDepthError where ``cameras`` is no list of names.
    """
    by_name = {parameter.name: parameter for parameter in PARAMETERS}
    cameras = by_name["cameras"].fitted(given.get("cameras", ("",)))
    every = NUSCENES_CAMERAS if cameras == (ALL_CAMERAS,) else tuple(filter(None, cameras))
    named = [name.rpartition(".")[0] for name in given if _is_of_camera(name)]
    return tuple(option for camera in dict.fromkeys([*every, *named]) for option in camera_parameters(camera))


def _is_of_camera(name: str) -> bool:
    camera, _, parameter = name.rpartition(".")
    return bool(camera) and parameter in (*_OF_ONE_CAMERA, "radar_topics")


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Return the settings of {parameter: value}; names that are no parameters are left out. Raises LircDepthError."""
    options = {option.name: option for option in (*PARAMETERS, *parameters_of_cameras(values))}
    fitted = {name: options[name].fitted(value) for name, value in values.items() if name in options}
    of_camera: dict[str, dict[str, Any]] = {}
    for name in [name for name in fitted if _is_of_camera(name)]:
        camera, _, parameter = name.rpartition(".")
        of_camera.setdefault(camera, {})[parameter] = fitted.pop(name)
    return Settings(**fitted, of_camera=of_camera)
