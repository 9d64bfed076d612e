# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A source of frames from nuScenes' key frames: image, radar and ground truth of each (see data.frame)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry, radar
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.frame import Frame
from lircdepth_core.data.nuscenes.matching import key_frame_match
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.inference.input_plan import same_focal_length
from lircdepth_core.inference.resizing import resized
from lircdepth_core.losses.teacher import confidence_label
from lircdepth_core.matching.radar_inputs import radar_inputs
from lircdepth_core.pictures import decode_picture

_IMAGE_WIDTH_PX = 1600  # of nuScenes' cameras
_MIN_BOX_DEPTH_M = 0.1  # an annotated box with a nearer corner is left out: it has no outline in the image


class NuScenesFrames:
    """Key frames of one camera and one radar of a split, with their ground truth.

    split: a split's name, or "all". dense: folder of `lircdepth ground-truth`; None leaves the dense maps unknown, so
    that training has the single scan alone. scale: images are resized by it as DepthPipeline resizes them, and radar
    and lidar are drawn at the new size; a scale within 1.5 % of 1 leaves images as they are, as there. labels: add
    "confidence_label" for the teacher. accumulate_sweeps, velocity_compensation: as the node's parameters.
    """

    def __init__(
        self,
        dataroot: str | Path,
        version: str = "v1.0-trainval",
        split: str = "train",
        dense: str | Path | None = None,
        scale: float = 1.0,
        labels: bool = False,
        camera: str = "CAM_FRONT",
        radar: str = "RADAR_FRONT",
        lidar: str = "LIDAR_TOP",
        accumulate_sweeps: int = 0,
        velocity_compensation: bool = False,
    ) -> None:
        self._arguments = (
            dataroot, version, split, dense, scale, labels, camera, radar, lidar, accumulate_sweeps,
            velocity_compensation,
        )  # fmt: skip
        self.nusc = nuscenes.open_nuscenes(dataroot, version)
        scenes = self.nusc.scene if split == "all" else nuscenes.scenes_of_split(self.nusc, split)
        self.channels = camera, radar, lidar
        self.samples = [
            sample
            for scene in scenes
            for sample in nuscenes.scene_samples(self.nusc, scene)
            if {camera, radar, lidar} <= sample["data"].keys()
        ]
        if not self.samples:
            raise LircDepthError(f"{version}, split {split}: no key frame has {camera}, {radar} and {lidar}")
        scale = 1.0 if same_focal_length(scale, 1.0) else scale
        self._dense, self._scale, self._labels = dense, scale, labels
        self._sweeps, self._velocity_compensation = accumulate_sweeps, velocity_compensation
        record = self._record(self.samples[0], camera)
        self.size = round(record["height"] * scale), round(record["width"] * scale)
        self.focal_length = self._intrinsics(record)[0, 0] * scale
        self.focal_length_range = self._focal_length_range()
        self.description = f"{version} {split}, {len(self.samples)} key frames of {camera} and {radar}"

    def __reduce__(self) -> tuple[Any, ...]:
        return NuScenesFrames, self._arguments  # whoever gets the source opens the tables for itself

    def __len__(self) -> int:
        return len(self.samples)

    def sha256(self) -> str:
        """Return the SHA-256 of what names the frames: tables, key frames, sensors, size, and the dense maps' folder.

        The files themselves, terabytes of them, are not read.
        """
        tokens = [sample["token"] for sample in self.samples]
        named = [self.nusc.version, tokens, self.channels, self.size, str(self._dense), self._labels]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()

    def frame(self, index: int) -> Frame:
        """Return a key frame's raw frame, see data.frame. Raises LircDepthError when one of its files is missing."""
        sample = self.samples[index]
        camera, _, lidar = self.channels
        record = self._record(sample, camera)
        dense = np.zeros(self.size, np.float32)
        if self._dense is not None:
            path = ground_truth.depth_path(self._dense, self.nusc, sample, camera)
            dense = self._resized(ground_truth.read_depth(path))
        single = ground_truth.single_scan_depth(self.nusc, sample, camera, lidar, self.size)
        frame = {
            "image": torch.from_numpy(self.image(record)).permute(2, 0, 1),
            "radar": torch.from_numpy(self._radar(sample, record)),
            "dense": torch.from_numpy(dense)[None],
            "single": torch.from_numpy(single)[None],
        }
        if self._labels:
            scale = self.size[1] / _IMAGE_WIDTH_PX
            label = confidence_label(frame["radar"][0], frame["dense"][0], self._boxes(record), scale)
            frame["confidence_label"] = label[None]
        return frame

    def image(self, record: Record) -> npt.NDArray[np.uint8]:
        """Return a camera record's image, resized: uint8 [H, W, 3]. Raises LircDepthError."""
        path = Path(self.nusc.dataroot, record["filename"])
        return resized(decode_picture(nuscenes.read_sensor_file(path), path), *self.size)

    def pipeline_input(
        self, sample: Record
    ) -> tuple[npt.NDArray[np.uint8], Float64Array, list[tuple[radar.RadarScan, Float64Array]]]:
        """Return (image uint8 [H, W, 3], intrinsics [3, 3], [(RadarScan, camera_from_radar)]) for a DepthPipeline."""
        record = self._record(sample, self.channels[0])
        return self.image(record), self._intrinsics(record), self.radar_inputs(sample)

    def scene_description(self, sample: Record) -> str:
        """Return nuScenes' description of a sample's scene."""
        description: str = self.nusc.get("scene", sample["scene_token"])["description"]
        return description

    def radar_inputs(self, sample: Record) -> list[tuple[radar.RadarScan, Float64Array]]:
        """Return [(RadarScan, camera_from_radar)] of a key frame. Raises LircDepthError when a file is missing."""
        camera, channel, _ = self.channels
        match, poses = key_frame_match(self.nusc, sample, camera, channel, self._sweeps)
        return radar_inputs(match, camera, poses, self._velocity_compensation, _refuse).scans

    def _radar(self, sample: Record, record: Record) -> npt.NDArray[np.float32]:
        intrinsics, whole = self._intrinsics(record), np.array([record["width"], record["height"]])
        height, width = self.size
        # Which returns count is decided in the original image, as DepthPipeline does.
        seen = radar.project_scans(self.radar_inputs(sample), intrinsics, *whole)
        return radar.rasterize(*seen.resampled((width, height) / whole, width, height), width, height)

    def _resized(self, depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return a dense map at the frames' size; nearest, since a mean across an edge is a depth of no surface."""
        rows, columns = (
            ((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(self.size, depth.shape, strict=True)
        )
        return depth[np.ix_(rows, columns)]

    def _boxes(self, record: Record) -> list[tuple[int, int, int, int, float, float]]:
        """Return the annotated objects in the image: [(top, bottom, left, right, near, far)].

        The first four are pixels of the resized image, the others metres.
        """
        _, boxes, intrinsics = self.nusc.get_sample_data(record["token"])
        found: list[tuple[int, int, int, int, float, float]] = []
        for box in boxes:
            corners = box.corners().T
            if corners[:, 2].min() > _MIN_BOX_DEPTH_M:
                pixels, depth = geometry.project(corners, intrinsics)
                left, top = np.floor(pixels.min(axis=0) * self._scale).astype(int).clip(min=0)
                right, bottom = np.ceil(pixels.max(axis=0) * self._scale).astype(int) + 1
                found.append((top, bottom, left, right, depth.min(), depth.max()))
        return found

    def _record(self, sample: Record, channel: str) -> Record:
        record: Record = self.nusc.get("sample_data", sample["data"][channel])
        return record

    def _focal_length_range(self) -> tuple[float, ...]:
        """Return the least and the greatest focal length [px], or nothing where there is one camera only.

        Their images are used as they are. Raises LircDepthError where that would be wrong.
        """
        tokens = {self._record(sample, self.channels[0])["calibrated_sensor_token"] for sample in self.samples}
        rows = [self.nusc.get("calibrated_sensor", token) for token in tokens]
        found = {float(row["camera_intrinsic"][0][0]) * self._scale for row in rows}
        if not all(same_focal_length(value, self.focal_length) for value in found):
            raise LircDepthError(
                f"{self.channels[0]} has focal lengths from {min(found):.1f} to {max(found):.1f} px, expected one"
            )
        return (min(found), max(found)) if len(found) > 1 else ()

    def _intrinsics(self, record: Record) -> Float64Array:
        return np.array(self.nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"])


def _refuse(_radar: str, error: LircDepthError) -> None:
    """Raise the error that makes a radar scan unusable: an incomplete data set is an error."""
    raise error
