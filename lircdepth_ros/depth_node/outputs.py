# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node's publishers: depth always; pictures and points while somebody listens; latencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import Point, Vector3
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import ColorRGBA, Float64, Header
from visualization_msgs.msg import Marker, MarkerArray

from lircdepth_core.evaluation.colours import DepthScale, colorize, draw_returns, scale_within
from lircdepth_ros.depth_node.frames import RadarInputs
from lircdepth_ros.depth_node.settings import Settings, published_topics
from lircdepth_ros.depth_node.surround import SurroundCloud, cloud_message
from lircdepth_ros.depth_node.views import organised_points, return_arrows
from lircdepth_ros.messages.depth import (
    COMPRESSED_DEPTH_FORMAT,
    byte_array,
    compressed_depth_data,
    fill_depth_image,
    to_millimetres,
)

_RETURN_M, _LINE_M = 0.5, 0.1  # of the markers of radar returns


class DepthOutputs:
    """The publishers of one camera of a configured node.

    create: makes a publisher from (type, topic). surround: takes the points, too, where a node has several cameras.
    Every method may be called from the worker's thread.
    """

    def __init__(
        self,
        create: Callable[[type, str], Publisher[Any]],
        settings: Settings,
        surround: SurroundCloud | None = None,
    ) -> None:
        image, info, compressed, color, points, arrows, overlay, processing, latency = published_topics(settings)
        self.depth = create(Image, image)
        self._info = create(CameraInfo, info)
        self._compressed = create(CompressedImage, compressed)
        self._color = create(Image, color)
        self._points = create(PointCloud2, points)
        self._arrows = create(MarkerArray, arrows)
        self._overlay = create(Image, overlay)
        self._processing = create(Float64, processing)
        self._latency = create(Float64, latency)
        self._surround = surround

    def publish_depth(self, image: Image, info: CameraInfo) -> None:
        """Publish the messages of ``depth_messages``."""
        self.depth.publish(image)
        self._info.publish(info)

    def publish_views(
        self,
        header: Header,
        depth: npt.NDArray[np.float32],
        image: npt.NDArray[np.uint8],
        intrinsics: npt.NDArray[np.float64],
        offset: npt.NDArray[np.float64],
        radars: RadarInputs,
        settings: Settings,
    ) -> None:
        """Publish views of depth [H, W] m, each only while it has a subscriber.

        They are: depth as compressedDepth, coloured depth, points, the radar's arrows and overlay. offset:
        camera_info.projection_offset.
        """
        if self._compressed.get_subscription_count():
            self._compressed.publish(compressed_depth_message(header, depth))
        scale = scale_within(settings.max_range, settings.color_spacing)
        if self._color.get_subscription_count():
            self._color.publish(rgb_message(header, colorize(depth, scale)))
        alone = self._points.get_subscription_count() > 0
        surround = self._surround if self._surround is not None and self._surround.is_wanted() else None
        if alone or surround is not None:
            points = organised_points(depth, image, intrinsics, settings.points_stride)
            points["x"] -= offset[0]
            points["y"] -= offset[1]
            if alone:
                self._points.publish(cloud_message(header, points))
            if surround is not None:
                surround.add(settings.camera, header, points)
        if self._arrows.get_subscription_count():
            starts, ends = (places - offset for places in return_arrows(radars))
            self._arrows.publish(arrows_message(header, starts, ends, scale))
        if self._overlay.get_subscription_count():
            picture = draw_returns(image, intrinsics, radars, scale, labels=True)
            self._overlay.publish(rgb_message(header, picture))

    def publish_latency(self, processing: float, since_stamp: float) -> None:
        """Publish the time from the image's arrival, and from its stamp, to its depth [s], in milliseconds."""
        self._processing.publish(Float64(data=processing * 1e3))
        self._latency.publish(Float64(data=since_stamp * 1e3))


def depth_messages(
    header: Header, depth: npt.NDArray[np.float32], camera_info: CameraInfo, encoding: str
) -> tuple[Image, CameraInfo, int]:
    """Return depth [H, W] m as an Image, its CameraInfo, both with ``header``, and how many pixels did not fit."""
    image = Image(header=header)
    beyond_encoding = fill_depth_image(image, depth, encoding)
    info = CameraInfo(
        header=header,
        height=camera_info.height,
        width=camera_info.width,
        distortion_model=camera_info.distortion_model,
        d=camera_info.d,
        k=camera_info.k,
        r=camera_info.r,
        p=camera_info.p,
        binning_x=camera_info.binning_x,
        binning_y=camera_info.binning_y,
        roi=camera_info.roi,
    )
    return image, info, beyond_encoding


def compressed_depth_message(header: Header, depth: npt.NDArray[np.float32]) -> CompressedImage:
    """Return depth [H, W] m as compressed_depth_image_transport writes it: 16UC1 in a PNG."""
    data = byte_array(compressed_depth_data(to_millimetres(depth)[0]))
    return CompressedImage(header=header, format=COMPRESSED_DEPTH_FORMAT, data=data)


def rgb_message(header: Header, picture: npt.NDArray[np.uint8]) -> Image:
    """Return a picture uint8 [H, W, 3] RGB as an Image."""
    height, width = picture.shape[:2]
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=byte_array(picture))


def arrows_message(
    header: Header, starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], scale: DepthScale
) -> MarkerArray:
    """Return radar returns as spheres, and their motion as lines, both in the colours of their depth.

    starts, ends: [N, 3] metres in the camera's optical frame, which ``header`` names.
    """
    shades = colorize(starts[None, :, 2], scale)[0] / 255
    colors = [ColorRGBA(r=red, g=green, b=blue, a=1.0) for red, green, blue in shades.tolist()]
    points = [Point(x=x, y=y, z=z) for x, y, z in starts.tolist()]
    tips = [Point(x=x, y=y, z=z) for x, y, z in ends.tolist()]
    spheres = Marker(header=header, ns="returns", id=0, type=Marker.SPHERE_LIST, action=Marker.ADD)
    spheres.scale = Vector3(x=_RETURN_M, y=_RETURN_M, z=_RETURN_M)
    spheres.points, spheres.colors = points, colors
    lines = Marker(header=header, ns="motion", id=0, type=Marker.LINE_LIST, action=Marker.ADD)
    lines.scale.x = _LINE_M
    lines.points = [point for pair in zip(points, tips, strict=True) for point in pair]
    lines.colors = [color for color in colors for _ in range(2)]
    for marker in (spheres, lines):
        marker.pose.orientation.w = 1.0
    return MarkerArray(markers=[spheres, lines])
