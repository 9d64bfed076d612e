# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One's own drive as a source of frames to train on: images, radar and lidar of a bag, moved by its poses.

Images and lidar scans are read when a frame is made, so that memory does not grow with the drive, and any process may
make any frame.
"""

from __future__ import annotations

import copy
import functools
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.data.frame import Frame
from lircdepth_core.data.ground_truth.consistency import SeenDirections, standing
from lircdepth_core.data.ground_truth.gaps import dense_from_accumulated
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.inference.input_plan import same_focal_length
from lircdepth_core.inference.resizing import resized
from lircdepth_core.matching.account import Account
from lircdepth_core.radar import project_scans, rasterize
from lircdepth_ros.bags.drive_index import DriveImage, DriveOptions, DriveReader, LidarScan
from lircdepth_ros.bags.reading import BagAccount, open_bag, read_messages
from lircdepth_ros.messages.camera_info import require_size
from lircdepth_ros.messages.clouds import cloud_to_points
from lircdepth_ros.messages.images import any_image_to_rgb
from lircdepth_ros.messages.stamps import NANOSECONDS_PER_SECOND

_MIN_DEPTH_M = 1.0  # nearer points are of the vehicle itself, or of its hood


class DriveFrames:
    """The frames of one bag, see data.frame: image, radar, single lidar scan, and depth accumulated from many.

    account: of the images; those that are no frames have a cause. Raises LircDepthError where the bag lacks camera,
    radar, lidar or poses, or gives no frame.
    """

    def __init__(self, bag: str | Path, options: DriveOptions) -> None:
        self._bag, self._options = str(bag), options
        self.account, self.bag_account = Account(), BagAccount()
        with closing(open_bag(bag)) as reader:
            drive = DriveReader(reader, self._bag, options, self.account, self.bag_account)
            self._index, self.cautions = drive.read(), drive.cautions
        if not self._index.images:
            first = f"; the first: {self.account.reasons[0]}" if self.account.reasons else ""
            raise LircDepthError(f"{bag} gives no frame ({self.account.causes() or 'it has no image'}){first}")
        first_key = self._index.images[0]
        for key in self._index.images:
            if key.size != first_key.size or not np.allclose(key.intrinsics, first_key.intrinsics, rtol=1e-3):
                raise LircDepthError(f"{bag}: the camera changes at {key.stamp}: pack the parts one by one")
        self._measure()

    def _measure(self) -> None:
        """Set size and focal length."""
        first, scale = self._index.images[0], self._options.scale
        width, height = first.size
        horizontal, vertical = np.diag(first.intrinsics)[:2]
        # As the pipeline does, so that the pixels of all cameras are square.
        rows = 1.0 if same_focal_length(horizontal, vertical) else float(horizontal / vertical)
        self.size = round(height * scale * rows), round(width * scale)
        self.focal_length = float(first.intrinsics[0, 0] * scale)
        self.description = f"{Path(self._bag).name}, {len(self)} frames of {self._options.job.image_topic}"

    def __len__(self) -> int:
        return len(self._index.images)

    def frame(self, index: int) -> Frame:
        """Return the raw frame ``index``, see data.frame. Raises LircDepthError where a message is damaged."""
        key = self._index.images[index]
        height, width = self.size
        message = self._message(self._index.image_topic, key.log_time)
        image = any_image_to_rgb(message)
        require_size(image, key.size)
        scale = np.array([width / key.size[0], height / key.size[1]])
        seen = project_scans(key.radars, key.intrinsics, *key.size).resampled(scale, width, height)
        single, dense = self._depths(key)
        return {
            "image": torch.tensor(resized(image, height, width)).permute(2, 0, 1),  # a copy: a message is read-only
            "radar": torch.from_numpy(rasterize(*seen, width, height)),
            "dense": torch.from_numpy(dense)[None],
            "single": torch.from_numpy(single)[None],
        }

    def _depths(self, key: DriveImage) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return (depth of the nearest scan, depth of many scans), float32 [H, W] metres, 0 = unknown."""
        reach = round(self._options.accumulate * NANOSECONDS_PER_SECOND)
        near = [
            i
            for i, scan in enumerate(self._index.scans)
            if scan.fixed_from_lidar is not None and (abs(scan.stamp - key.stamp) <= reach or i == key.scan)
        ]
        scans = [self._index.scans[i] for i in near]
        sensors = [scan.fixed_from_lidar for scan in scans if scan.fixed_from_lidar is not None]
        clouds = [self._points(scan) for scan in scans]
        directions = [SeenDirections(points) for points in clouds]
        camera_from_fixed = geometry.invert(key.fixed_from_camera)
        own = near.index(key.scan)
        parts = []
        for i, (points, fixed_from_lidar) in enumerate(zip(clouds, sensors, strict=True)):
            fixed = geometry.transform_points(fixed_from_lidar, points)
            in_camera = geometry.transform_points(camera_from_fixed, fixed)
            seen = self._in_view(key, in_camera)
            if i != own:  # what moves is where it is at the time of the image, and nowhere else
                seen[seen] = standing(fixed[seen].astype(np.float32), i, own, sensors, directions)
            parts.append(in_camera[seen])
        return self._drawn(key, parts[own]), dense_from_accumulated(
            self._drawn(key, np.concatenate(parts)), self.focal_length
        )

    def _in_view(self, key: DriveImage, points: Float64Array) -> npt.NDArray[np.bool_]:
        pixels, depth = geometry.project(points, key.intrinsics)
        with np.errstate(invalid="ignore"):
            return (depth > _MIN_DEPTH_M) & ((pixels >= 0) & (pixels < key.size)).all(axis=1)

    def _drawn(self, key: DriveImage, points: Float64Array) -> npt.NDArray[np.float32]:
        height, width = self.size
        pixels, depth = geometry.project(points, key.intrinsics)
        scale = np.array([width / key.size[0], height / key.size[1]])
        return geometry.splat_depth((pixels + 0.5) * scale - 0.5, depth, width, height)

    def _points(self, scan: LidarScan) -> npt.NDArray[np.float32]:
        points = cloud_to_points(self._message(self._options.lidar_topic, scan.log_time))
        return points[np.abs(points).max(axis=1) > _MIN_DEPTH_M] if len(points) else points

    def _message(self, topic: str, log_time: int) -> Any:
        return _message(self._bag, topic, log_time, os.getpid())

    def between(self, first: int, last: int) -> DriveFrames:
        """Return the frames whose stamps [ns] lie from ``first`` up to ``last``, that one not included."""
        part = copy.copy(self)
        part._index = replace(self._index, images=[key for key in self._index.images if first <= key.stamp < last])
        if part._index.images:
            part._measure()
        return part

    def scaled(self, scale: float) -> DriveFrames:
        """Return the same frames, resized by ``scale``. Raises LircDepthError where they would be enlarged."""
        if scale > 1 and not same_focal_length(scale, 1.0):
            raise LircDepthError(f"{self._bag}: images would be enlarged by {scale:.2f}: the camera sees too little")
        part = copy.copy(self)
        part._options = replace(self._options, scale=self._options.scale * scale)
        part._measure()
        return part

    @property
    def span(self) -> tuple[int, int]:
        """The stamps [ns] of the first and the last frame."""
        return self._index.images[0].stamp, self._index.images[-1].stamp


@functools.lru_cache(maxsize=2)
def _reader(bag: str, _process: int) -> Any:
    """Return a bag that stays open. Each process has its own: a forked one would share the place in the file."""
    return open_bag(bag)


@functools.lru_cache(maxsize=64)
def _message(bag: str, topic: str, log_time: int, process: int) -> Any:
    """Return a topic's message of a log time. The last ones are kept: neighbouring frames share lidar scans."""
    reader = _reader(bag, process)
    connections = [c for c in reader.connections if c.topic == topic]
    account = BagAccount()
    for connection, logged, data in read_messages(reader, connections, start=log_time, stop=log_time + 1):
        message = account.decode(connection, logged, data)
        if message is not None:
            return message
    raise LircDepthError(f"{bag}: the message of {topic} at {log_time} is damaged")
