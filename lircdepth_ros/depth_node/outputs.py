# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the depth node publishes: depth always; pictures, points and latencies while somebody listens."""

import array

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Float64

from lircdepth_core import radar
from lircdepth_ros.messages.depth import fill_depth_image

_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])


class DepthOutputs:
    """The publishers of one configured node.

    create: makes a publisher from (type, topic). Every method may be called from the worker's thread.
    """

    def __init__(self, create, settings):
        topic = settings["depth_topic"]
        self.depth = create(Image, f"{topic}/image")
        self._info = create(CameraInfo, f"{topic}/camera_info")
        self._color = create(Image, f"{topic}/color")
        self._points = create(PointCloud2, f"{topic}/points")
        self._overlay = create(Image, settings["overlay_topic"])
        self._processing = create(Float64, "~/debug/processing_time_ms")
        self._latency = create(Float64, "~/debug/pipeline_latency_ms")
        self.publishers = (
            self.depth,
            self._info,
            self._color,
            self._points,
            self._overlay,
            self._processing,
            self._latency,
        )

    def publish_depth(self, image, info):
        """Publish the messages of ``depth_messages``."""
        self.depth.publish(image)
        self._info.publish(info)

    def publish_views(self, header, depth, image, intrinsics, radars, settings):
        """Publish colour depth, points and radar overlay, each only while it has a subscriber."""
        if self._color.get_subscription_count():
            self._color.publish(_rgb_message(header, colorize(depth, settings["max_range"])))
        if self._points.get_subscription_count():
            self._points.publish(point_cloud(header, depth, image, intrinsics, settings["points_stride"]))
        if self._overlay.get_subscription_count():
            self._overlay.publish(_rgb_message(header, overlay(image, intrinsics, radars, settings["max_range"])))

    def publish_latency(self, processing, since_stamp):
        """Publish the time from the image's arrival, and from its stamp, to its depth [s], in milliseconds."""
        self._processing.publish(Float64(data=processing * 1e3))
        self._latency.publish(Float64(data=since_stamp * 1e3))


def depth_messages(header, depth, camera_info, encoding):
    """Return depth [H, W] as an Image, its CameraInfo, both with ``header``, and how many pixels did not fit."""
    image = Image(header=header)
    unrepresented = fill_depth_image(image, depth, encoding)
    info = CameraInfo(
        header=header,
        height=camera_info.height,
        width=camera_info.width,
        distortion_model=camera_info.distortion_model,
        d=camera_info.d,
        k=camera_info.k,
        r=camera_info.r,
        p=camera_info.p,
    )
    return image, info, unrepresented


def colorize(depth, max_range):
    """Return depth [H, W] metres as uint8 [H, W, 3] RGB, near red to far blue; black where there is none."""
    import cv2

    with np.errstate(invalid="ignore"):
        near = np.clip(255 * (1 - depth / max_range), 0, 255)
    near[np.isnan(near)] = 0
    picture = cv2.cvtColor(cv2.applyColorMap(near.astype(np.uint8), cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    picture[np.isnan(depth)] = 0
    return picture


def overlay(image, intrinsics, radars, max_range):
    """Return a copy of the image with each return in view as a disc, coloured by its distance as in ``colorize``."""
    import cv2

    picture = image.copy()
    height, width = image.shape[:2]
    for scan, camera_from_radar in radars:
        pixels, depth, _, _ = radar.project_scan(scan, camera_from_radar, intrinsics, width, height)
        colors = colorize(depth[None].astype(np.float32), max_range)[0]
        for (u, v), color in zip(np.rint(pixels).astype(int).tolist(), colors.tolist(), strict=True):
            cv2.circle(picture, (u, v), max(2, width // 200), color, thickness=-1)
    return picture


def point_cloud(header, depth, image, intrinsics, stride):
    """Return an organised PointCloud2 (x, y, z, rgb) of every ``stride``-th pixel, in the camera's optical frame.

    Points without finite depth are NaN, as in an organised cloud.
    """
    z = depth[::stride, ::stride]
    z = np.where(np.isfinite(z), z, np.nan)
    v, u = np.indices(z.shape) * stride
    points = np.empty(z.shape, _POINT)
    points["x"] = (u - intrinsics[0, 2]) / intrinsics[0, 0] * z
    points["y"] = (v - intrinsics[1, 2]) / intrinsics[1, 1] * z
    points["z"] = z
    red, green, blue = np.moveaxis(image[::stride, ::stride].astype(np.uint32), 2, 0)
    points["rgb"] = red << 16 | green << 8 | blue
    fields = [PointField(name=name, offset=4 * i, datatype=7, count=1) for i, name in enumerate(_POINT.names)]
    return PointCloud2(
        header=header,
        height=z.shape[0],
        width=z.shape[1],
        fields=fields,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * z.shape[1],
        data=_bytes(points),
        is_dense=False,
    )


def _rgb_message(header, picture):
    height, width = picture.shape[:2]
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=_bytes(picture))


def _bytes(values):
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
    return data
