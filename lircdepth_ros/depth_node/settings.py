# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The declaration of the depth node's parameters. Needs no ROS, so that launch files and tests read it, too.

config/model.yaml, config/depth.yaml, the JSON schemas beside them and the tables of docs/node.md are made from it
(lircdepth_ros.declarations).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import SPACINGS
from lircdepth_core.options import PIPELINE_OPTIONS, PipelineOptions, option, options_of
from lircdepth_ros.messages.radars import RadarReader, radar_readers
from lircdepth_ros.names import beside, check_topic_name

# What stands for an empty name: a topic beside the image's.
_SIBLINGS = {"camera_info_topic": "camera_info", "depth_topic": "depth", "overlay_topic": "radar_overlay"}


@dataclass(frozen=True)
class Settings(PipelineOptions):
    """The parameters of a configured node; see the help of each field. Live ones may change while the node works.

    Raises LircDepthError for a value that cannot work.
    """

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

    def __post_init__(self) -> None:
        # So that another camera takes no more than another image_topic.
        for name, sibling in _SIBLINGS.items():
            if not getattr(self, name):
                object.__setattr__(self, name, beside(self.image_topic, sibling))
        for name in ("image_topic", "camera_info_topic", "odometry_topic", "depth_topic", "overlay_topic"):
            check_topic_name(name, getattr(self, name))
        for topic in self.radar_topics:
            check_topic_name("radar_topics", topic)
        _ = self.radar_readers  # refuses a driver that is not known
        if not self.radar_topics or len(set(self.radar_topics)) < len(self.radar_topics):
            raise LircDepthError(f"radar_topics is {list(self.radar_topics)}, expected one or more different topics")

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
    """Return {name: type} of the topics that a node publishes, before they are resolved."""
    depth = settings.depth_topic
    return {
        f"{depth}/image": "sensor_msgs/msg/Image",
        f"{depth}/camera_info": "sensor_msgs/msg/CameraInfo",
        f"{depth}/image/compressedDepth": "sensor_msgs/msg/CompressedImage",
        f"{depth}/color": "sensor_msgs/msg/Image",
        f"{depth}/points": "sensor_msgs/msg/PointCloud2",
        f"{depth}/radar_arrows": "visualization_msgs/msg/MarkerArray",
        settings.overlay_topic: "sensor_msgs/msg/Image",
        "~/debug/processing_time_ms": "std_msgs/msg/Float64",
        "~/debug/pipeline_latency_ms": "std_msgs/msg/Float64",
    }


PARAMETERS = options_of(Settings)
MODEL_PARAMETERS = PIPELINE_OPTIONS  # config/model.yaml; those of the node alone are in config/depth.yaml
NODE_PARAMETERS = tuple(parameter for parameter in PARAMETERS if parameter not in MODEL_PARAMETERS)
LIVE = frozenset(parameter.name for parameter in PARAMETERS if parameter.live)
