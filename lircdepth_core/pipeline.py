# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""DepthPipeline: the one path from image, intrinsics and radar scans to depth.

The node, the tools for bags, the evaluation and the demo all call it, so that what is measured offline is what drives.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lircdepth_core import radar
from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.errors import LircDepthError, is_opencv_out_of_memory
from lircdepth_core.files import file_sha256
from lircdepth_core.inference.backends.backend import Backend
from lircdepth_core.inference.backends.opening import open_backend
from lircdepth_core.inference.device import is_out_of_memory
from lircdepth_core.inference.input_plan import IMAGE_MEAN, IMAGE_STD, InputPlan
from lircdepth_core.inference.resizing import resized
from lircdepth_core.inference.upsampling import upsample
from lircdepth_core.models import checkpoints
from lircdepth_core.radar import RadarScan

_BYTE_MEAN, _BYTE_STD = 255 * np.array([IMAGE_MEAN, IMAGE_STD])
_RADAR_CHANNELS = 4
_SMALLEST_FOCAL_LENGTH, _LARGEST_FOCAL_LENGTH = 0.05, 50.0  # of the image's size: 169 and 1.1 degrees of view

RadarInput = tuple[RadarScan, npt.NDArray[np.float64]]  # a scan and camera_from_radar, 4x4


@dataclass(frozen=True)
class DepthFrame:
    """The result of one frame.

    depth: float32 [H, W] at the image's size, metres along the optical axis; NaN where the network saw nothing,
    +Inf beyond max_range (REP 117). returns_seen: radar returns inside the image, all radars; fused is whether there
    was any. rejected_returns: returns left out because a value was not finite.
    seconds: duration of each stage: resize, normalise (with the copy to the device), radar, network, restore (with the
    copy from the device), upsample.
    """

    depth: npt.NDArray[np.float32]
    returns_seen: int
    rejected_returns: int
    seconds: dict[str, float]

    @property
    def fused(self) -> bool:
        """Whether any radar return was seen; otherwise the depth is from the camera alone."""
        return self.returns_seen > 0


class DepthPipeline:
    """Image, intrinsics and radar scans to a depth image.

    backend: see lircdepth_core.inference.backends. header: checkpoints.Header of the weights; the input is resized so
    that the camera's focal lengths, along both axes, become that of their training. inference_scale multiplies that
    size, uncorrected: faster, less exact. upsampling: how depth of a smaller size comes to the image's, "nearest" or
    "edge_aware" (see lircdepth_core.inference.upsampling). max_range [m]: depth beyond it becomes +Inf.
    Buffers are kept from frame to frame: one frame at a time.
    """

    def __init__(
        self,
        backend: Backend,
        header: checkpoints.Header,
        inference_scale: float = 1.0,
        max_range: float = float("inf"),
        upsampling: str = "nearest",
    ) -> None:
        if not inference_scale > 0:
            raise LircDepthError(f"inference_scale is {inference_scale}, expected a positive number")
        self.backend = backend
        self.header = header
        self.inference_scale = inference_scale
        self.max_range = max_range
        self.upsampling = upsampling
        self.weights_sha256 = ""  # of the weights file; empty for untrained weights
        self._table = ((np.arange(256)[:, None, None] - _BYTE_MEAN) / _BYTE_STD).astype(np.float32)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=backend.device).view(1, 3, 1, 1)
            for values in (_BYTE_MEAN, _BYTE_STD)
        )
        self._buffers: dict[str, Tensor] = {}
        self._drawn: Tensor | None = None  # places of the radar image that are not zero

    @classmethod
    def from_weights(
        cls,
        weights: str | Path,
        *,
        device: str = "auto",
        threads: int = 0,
        backend: str = "auto",
        precision: str = "float32",
        cache: str | Path | None = None,
        **options: Any,
    ) -> DepthPipeline:
        """Return a pipeline on weights: a file, or a name, see checkpoints.load.

        device, threads, backend, precision, cache: see inference.backends.opening. options: as for the constructor.
        Raises LircDepthError for weights that do not load, and for a device or backend that is not there.
        """
        header = checkpoints.read_header(weights)
        digest = "" if str(weights) in checkpoints.UNTRAINED else file_sha256(checkpoints.file_of(weights))

        def network() -> nn.Module:
            network: nn.Module = checkpoints.load(weights)[0]
            return network

        opened = open_backend(
            network, name=backend, precision=precision, device=device, threads=threads, weights_sha256=digest,
            cache=cache, calibration=calibration_frames(focal_length=header.focal_length),
        )  # fmt: skip
        pipeline = cls(opened, header, **options)
        pipeline.weights_sha256 = digest
        return pipeline

    def warm_up(self) -> None:
        """Run the network at the size that a camera like that of the weights' training gives, and what goes before it.

        The first time on a machine a backend may measure and compile here, for seconds to minutes.
        Raises MemoryError when the device's memory does not suffice.
        """
        plan = self.nominal_plan()
        with _memory_errors():
            self.backend.warm_up(plan.crop_height, plan.crop_width)
            self._image_tensor(np.zeros((plan.height, plan.width, 3), np.uint8), plan)

    def nominal_plan(self) -> InputPlan:
        """Return the InputPlan for a camera like that of the weights' training."""
        return InputPlan.make(*self.header.input_size, self.inference_scale)

    def plan(self, height: int, width: int, intrinsics: npt.ArrayLike) -> InputPlan:
        """Return the InputPlan for a camera. Raises LircDepthError when its intrinsics are not those of its images."""
        matrix = np.asarray(intrinsics, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not (np.diag(matrix) > 0).all():
            raise LircDepthError(
                f"intrinsics {matrix.tolist()} are not those of a calibrated pinhole camera: expected 3x3 with "
                "positive focal lengths"
            )
        _check_view(matrix, height, width)
        # Along each axis, so that a camera whose pixels are not square looks as one of the weights' training.
        horizontal, vertical = self.inference_scale * self.header.focal_length / np.diag(matrix)[:2]
        return InputPlan.make(height, width, float(horizontal), float(vertical))

    @torch.inference_mode()
    def __call__(
        self,
        image: npt.NDArray[np.uint8],
        intrinsics: npt.ArrayLike,
        radars: Sequence[RadarInput] = (),
    ) -> DepthFrame:
        """Estimate depth.

        image: uint8 [H, W, 3], RGB, rectified. intrinsics: [3, 3] px of that image.
        radars: pairs (RadarScan, camera_from_radar 4x4); the transform includes the ego motion between the stamps
        (matching.radar_inputs). Without any, or without a return in view, depth is from the camera alone.
        Returns a DepthFrame. Raises LircDepthError for an image or intrinsics of another form, and MemoryError when the
        device's memory is exhausted.
        """
        with _memory_errors():
            return self._estimate(image, intrinsics, radars)

    def _estimate(
        self, image: npt.NDArray[np.uint8], intrinsics: npt.ArrayLike, radars: Sequence[RadarInput]
    ) -> DepthFrame:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise LircDepthError(f"image is {form}, expected uint8 [H, W, 3]")
        height, width = image.shape[:2]
        plan = self.plan(height, width, intrinsics)
        clock = _StageClock()
        small = resized(image, plan.height, plan.width)
        clock.lap("resize")
        pixels = self._image_tensor(small, plan)
        clock.lap("normalise")
        channels, seen = self._radar_channels(plan, intrinsics, height, width, radars)
        clock.lap("radar")
        output = self.backend.infer(pixels, channels)[0, 0]
        if output.is_cuda:
            torch.cuda.synchronize(output.device)  # so that the stage's time is the network's
        clock.lap("network")
        depth = self._restored(output, plan)
        clock.lap("restore")
        if depth.shape != (height, width):
            method = self.upsampling if plan.height < height else "nearest"
            depth = upsample(depth, (height, width), method, image, small)
        with np.errstate(invalid="ignore"):
            depth[depth > self.max_range] = np.inf
        clock.lap("upsample")
        return DepthFrame(depth, seen, sum(scan.rejected for scan, _ in radars), clock.seconds)

    def _image_tensor(self, image: npt.NDArray[np.uint8], plan: InputPlan) -> Tensor:
        """Return uint8 [H, W, 3] at the plan's size as the normalised and cropped [1, 3, h, w] on the device.

        The layout is channels last. On a CPU each value is looked up in a table: PyTorch would share these few
        operations among threads, and wait for the last of them longer than they take. A GPU is sent the bytes.
        """
        import cv2

        image = image[plan.top :, plan.left : plan.left + plan.crop_width]
        device = self.backend.device
        if device.type == "cpu":
            return torch.from_numpy(cv2.LUT(image, self._table)).permute(2, 0, 1)[None]
        staged = self._buffer("image", image.shape, torch.uint8, pin_memory=True)
        np.copyto(staged.numpy(), image)
        pixels = staged.to(device, non_blocking=True).permute(2, 0, 1)[None]
        return (pixels.float() - self._mean) / self._std

    def _radar_channels(
        self, plan: InputPlan, intrinsics: npt.ArrayLike, height: int, width: int, radars: Sequence[RadarInput]
    ) -> tuple[Tensor, int]:
        """Return the channels [1, 4, h, w] of the cropped input and how many returns of all radars were seen.

        They lie on the device, channels last. The nearest return wins a pixel.
        """
        # Which returns count is decided in the original image.
        seen = radar.project_scans(radars, intrinsics, width, height)
        scale = np.array([plan.width / width, plan.height / height])
        inside = seen.resampled(scale, plan.crop_width, plan.crop_height, plan.left, plan.top)
        places, values = radar.nearest_returns(*inside, plan.crop_width)
        # An image of 23 MB is nearly all zeros: it stays on the device, where only the returns change.
        device, size = self.backend.device, (plan.crop_height, plan.crop_width)
        if self._drawn is not None and self._buffers["radar"].shape[:2] == size:
            self._buffers["radar"].view(-1, _RADAR_CHANNELS)[self._drawn] = 0
        else:
            self._buffers["radar"] = torch.zeros(*size, _RADAR_CHANNELS, device=device)
        channels = self._buffers["radar"]
        self._drawn = torch.from_numpy(places).to(device)
        channels.view(-1, _RADAR_CHANNELS)[self._drawn] = torch.from_numpy(values).to(device)
        return channels.permute(2, 0, 1)[None], len(inside.depth)

    def _restored(self, depth: Tensor, plan: InputPlan) -> npt.NDArray[np.float32]:
        """Return depth [h, w] of the cropped input at the plan's size, in main memory; NaN where it was cropped."""
        if depth.is_cuda:
            landed = self._buffer("depth", depth.shape, torch.float32, pin_memory=True)
            depth = landed.copy_(depth)
        full = np.full((plan.height, plan.width), np.nan, np.float32)
        full[plan.top :, plan.left : plan.left + plan.crop_width] = depth.numpy()
        return full

    def _buffer(self, name: str, shape: Sequence[int], dtype: torch.dtype, **options: Any) -> Tensor:
        """Return a tensor that is kept from frame to frame while its shape stays the same."""
        if name not in self._buffers or self._buffers[name].shape != tuple(shape):
            self._buffers[name] = torch.empty(tuple(shape), dtype=dtype, **options)
        return self._buffers[name]


def _check_view(intrinsics: npt.NDArray[np.float64], height: int, width: int) -> None:
    """Raise LircDepthError for intrinsics that are those of another image size, or of no camera."""
    cx, cy = intrinsics[0, 2], intrinsics[1, 2]
    if not (0 <= cx <= width and 0 <= cy <= height):
        raise LircDepthError(
            f"the principal point ({cx:g}, {cy:g}) lies outside the image of {width}x{height}: the intrinsics are "
            "those of another image size, or the image was cropped"
        )
    for focal_length, size in ((intrinsics[0, 0], width), (intrinsics[1, 1], height)):
        if not _SMALLEST_FOCAL_LENGTH * size < focal_length < _LARGEST_FOCAL_LENGTH * size:
            raise LircDepthError(
                f"the focal length of {focal_length:g} px is impossible for an image of {width}x{height}: check the "
                "camera's intrinsics"
            )


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise MemoryError where PyTorch or OpenCV raise an error of their own for exhausted memory."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error) and not is_opencv_out_of_memory(error):
            raise
        raise MemoryError(
            f"out of memory at this size; lower inference_scale ({str(error).splitlines()[0]})"
        ) from error


class _StageClock:
    """Durations of consecutive stages, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
