# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are read and written, and where the sensors are: for all tools that read camera and radars."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import BASE_FRAME, Calibration
from lircdepth_ros.bags.reading import require_type
from lircdepth_ros.messages.radars import RADAR_TYPES

ALL = "all"  # in the place of names: whatever the bag has
IMAGE_TYPES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")
_IMAGE_OF_CAMERA = re.compile(r"/(.+)/image_rect(/compressed)?")


@dataclass(frozen=True)
class DepthJobOptions:
    """Which topics of a bag are read and written, and how images are matched: as the node's parameters of these names.

    cameras: names of several cameras, or "all" that the bag has; each has NAME/image_rect, NAME/camera_info and
    NAME/depth instead of the three topics. radar_topics: "all" stands for those with "radar" in their name.
    calibration: file with the sensors' mounting; without one that beside the bag, or the bag's /tf_static. fixed_frame:
    where the world stands still; without one "odom", or the root of the bag's frames. base_frame: the vehicle's own.
    with_inputs: the bag's own messages are copied, too.
    """

    cameras: tuple[str, ...] = ()
    image_topic: str = "/CAM_FRONT/image_rect"
    camera_info_topic: str = "/CAM_FRONT/camera_info"
    radar_topics: tuple[str, ...] = ("/RADAR_FRONT/points",)
    radar_driver: tuple[str, ...] = ("nuscenes",)
    radar_frame: tuple[str, ...] = ()
    radar_fields: str = ""
    depth_topic: str = "/CAM_FRONT/depth"
    calibration: str | None = None
    odometry_topic: str = "/odom"
    fixed_frame: str = ""
    base_frame: str = BASE_FRAME
    sync_window: float = 0.1
    max_wait: float = 0.06
    accumulate_sweeps: int = 0
    velocity_compensation: bool = False
    encoding: str = "32FC1"
    with_inputs: bool = False

    def of_cameras(self, types: Mapping[str, str], bag: str | Path) -> dict[str, DepthJobOptions]:
        """Return {camera: its options} with the topics that a bag of {topic: type} has; "" is the one without a name.

        Raises LircDepthError for cameras that are named twice, or that the bag does not have.
        """
        options = self
        if self.radar_topics == (ALL,):
            found = (topic for topic in sorted(types) if "radar" in topic.lower() and types[topic] in RADAR_TYPES)
            options = replace(options, radar_topics=tuple(found))
        if not self.cameras:
            return {"": options}
        present = cameras_of(types)
        names = present if self.cameras == (ALL,) else list(self.cameras)
        for name in names:
            if names.count(name) > 1:
                raise LircDepthError(f"--cameras: {name} is there twice")
            if name not in present:
                raise LircDepthError(
                    f"{bag} has no images of a camera {name!r}; it has {', '.join(present) or 'no NAME/image_rect'}"
                )
        if not names:
            raise LircDepthError(f"{bag} has no topic NAME/image_rect[/compressed]; it has {', '.join(sorted(types))}")
        return {
            name: replace(
                options,
                cameras=(),
                image_topic=f"/{name}/image_rect",
                camera_info_topic=f"/{name}/camera_info",
                depth_topic=f"/{name}/depth",
            )
            for name in names
        }


def cameras_of(types: Mapping[str, str]) -> list[str]:
    """Return the names of the cameras that a bag of {topic: type} has: those with NAME/image_rect[/compressed]."""
    found = (_IMAGE_OF_CAMERA.fullmatch(topic) for topic, kind in sorted(types.items()) if kind in IMAGE_TYPES)
    return list(dict.fromkeys(match[1] for match in found if match))


def find_image_topic(types: Mapping[str, str], wanted: str, bag: str | Path) -> str:
    """Return ``wanted``, with /compressed or without, whichever a bag of {topic: type} has. Raises LircDepthError."""
    for topic in (f"{wanted}/compressed", wanted):
        if types.get(topic) in IMAGE_TYPES:
            return topic
    for topic in (f"{wanted}/compressed", wanted):
        if topic in types:
            require_type(types, topic, *IMAGE_TYPES)
    raise LircDepthError(f"{bag} has no image topic {wanted}[/compressed]; it has {', '.join(sorted(types))}")


def calibration_of(bag: str | Path, given: str | None) -> Calibration | None:
    """Return the calibration file that was given, or the one that the converter writes into each bag, or None."""
    beside = Path(bag) / "calibration.yaml"
    path: Any = given or (beside if beside.is_file() else None)
    return Calibration.load(path) if path else None


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the names of frames that tools for bags follow."""
    default = DepthJobOptions()
    parser.add_argument(
        "--fixed-frame", default="", help="frame in which the world stands still (default: odom, or the frames' root)"
    )
    parser.add_argument(
        "--base-frame",
        default=default.base_frame,
        help="the vehicle's frame: the calibration's parent, and odometry's where that names none "
        "(default: %(default)s)",
    )
