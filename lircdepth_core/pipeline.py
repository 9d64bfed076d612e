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
from lircdepth_core.radar.drawing import ProjectedReturns

_BYTE_MEAN, _BYTE_STD = 255 * np.array([IMAGE_MEAN, IMAGE_STD])
_RADAR_CHANNELS = 4
_SMALLEST_FOCAL_LENGTH, _LARGEST_FOCAL_LENGTH = 0.05, 50.0  # of the image's size: 169 and 1.1 degrees of view

RadarInput = tuple[RadarScan, npt.NDArray[np.float64]]  # a scan and camera_from_radar, 4x4


@dataclass(frozen=True)
class PreparedFrame:
    """A frame before the network: see DepthPipeline.prepare.

    image: uint8 [H, W, 3]; small: the same at the plan's size. returns: those that fall into the network's input.
    seconds: duration of each stage so far.
    """

    plan: InputPlan
    image: npt.NDArray[np.uint8]
    small: npt.NDArray[np.uint8]
    returns: ProjectedReturns
    rejected_returns: int
    seconds: dict[str, float]

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input. Frames of one size can be computed together."""
        return self.plan.crop_height, self.plan.crop_width


@dataclass(frozen=True)
class DepthFrame:
    """The result of one frame.

    depth: float32 [H, W] at the image's size, metres along the optical axis; NaN where the network saw nothing,
    +Inf beyond max_range (REP 117). returns_seen: radar returns inside the image, all radars; fused is whether there
    was any. rejected_returns: returns left out because a value was not finite.
    seconds: duration of each stage: resize, normalise (with the copy to the device), radar, network, restore (with the
    copy from the device), upsample. Of frames that are computed together, normalise and network are those of all.
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
    Buffers are kept from frame to frame: one call at a time.
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

    def warm_up(self, batch: int = 1) -> None:
        """Run the network at the size that a camera like that of the weights' training gives, and what goes before it.

        batch: how many frames will be computed together, besides single ones. The first time on a machine a backend may
        measure and compile here, for seconds to minutes. Raises MemoryError when the device's memory does not suffice.
        """
        plan = self.nominal_plan()
        with _memory_errors():
            for count in sorted({1, batch}):
                self.backend.warm_up(plan.crop_height, plan.crop_width, count)
            self._image_tensor([np.zeros((plan.height, plan.width, 3), np.uint8)], [plan])

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

    def __call__(
        self,
        image: npt.NDArray[np.uint8],
        intrinsics: npt.ArrayLike,
        radars: Sequence[RadarInput] = (),
    ) -> DepthFrame:
        """Estimate depth of one frame: see ``prepare``, whose arguments these are, and ``estimate``."""
        return self.estimate([self.prepare(image, intrinsics, radars)])[0]

    def prepare(
        self,
        image: npt.NDArray[np.uint8],
        intrinsics: npt.ArrayLike,
        radars: Sequence[RadarInput] = (),
    ) -> PreparedFrame:
        """Return what the network needs of a frame.

        image: uint8 [H, W, 3], RGB, rectified. intrinsics: [3, 3] px of that image.
        radars: pairs (RadarScan, camera_from_radar 4x4); the transform includes the ego motion between the stamps
        (matching.radar_inputs). Without any, or without a return in view, depth is from the camera alone.
        Raises LircDepthError for an image or intrinsics of another form, and MemoryError when memory is exhausted.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise LircDepthError(f"image is {form}, expected uint8 [H, W, 3]")
        height, width = image.shape[:2]
        plan = self.plan(height, width, intrinsics)
        clock = _StageClock()
        with _memory_errors():
            small = resized(image, plan.height, plan.width)
            clock.lap("resize")
            # Which returns count is decided in the original image.
            seen = radar.project_scans(radars, intrinsics, width, height)
            scale = np.array([plan.width / width, plan.height / height])
            inside = seen.resampled(scale, plan.crop_width, plan.crop_height, plan.left, plan.top)
            clock.lap("radar")
        return PreparedFrame(plan, image, small, inside, sum(scan.rejected for scan, _ in radars), clock.seconds)

    @torch.inference_mode()
    def estimate(self, frames: Sequence[PreparedFrame]) -> list[DepthFrame]:
        """Run the network once on frames of one ``input_size``; return a DepthFrame for each.

        Raises LircDepthError for frames of several sizes, and MemoryError when the device's memory is exhausted.
        """
        sizes = {frame.input_size for frame in frames}
        if len(sizes) != 1:
            raise LircDepthError(f"frames of {len(sizes)} input sizes, expected one: {sorted(sizes)}")
        with _memory_errors():
            clock = _StageClock()
            pixels = self._image_tensor([frame.small for frame in frames], [frame.plan for frame in frames])
            clock.lap("normalise")
            channels = self._radar_channels(frames)
            clock.lap("radar")
            outputs = self.backend.infer(pixels, channels)[:, 0]
            if outputs.is_cuda:
                torch.cuda.synchronize(outputs.device)  # so that the stage's time is the network's
            clock.lap("network")
            return [self._depth(frame, output, clock.seconds) for frame, output in zip(frames, outputs, strict=True)]

    def _depth(self, frame: PreparedFrame, output: Tensor, network_seconds: dict[str, float]) -> DepthFrame:
        """Return the result of a frame from the network's output [h, w]."""
        clock = _StageClock()
        plan, (height, width) = frame.plan, frame.image.shape[:2]
        depth = self._restored(output, plan)
        clock.lap("restore")
        if depth.shape != (height, width):
            method = self.upsampling if plan.height < height else "nearest"
            depth = upsample(depth, (height, width), method, frame.image, frame.small)
        with np.errstate(invalid="ignore"):
            depth[depth > self.max_range] = np.inf
        clock.lap("upsample")
        seconds = {"resize": frame.seconds["resize"], **network_seconds, **clock.seconds}
        seconds["radar"] += frame.seconds["radar"]
        return DepthFrame(depth, len(frame.returns.depth), frame.rejected_returns, seconds)

    def _image_tensor(self, images: Sequence[npt.NDArray[np.uint8]], plans: Sequence[InputPlan]) -> Tensor:
        """Return uint8 [H, W, 3] at their plans' sizes as the normalised and cropped [N, 3, h, w] on the device.

        The layout is channels last. On a CPU each value is looked up in a table: PyTorch would share these few
        operations among threads, and wait for the last of them longer than they take. A GPU is sent the bytes.
        """
        import cv2

        cropped = [
            image[plan.top :, plan.left : plan.left + plan.crop_width]
            for image, plan in zip(images, plans, strict=True)
        ]
        device, shape = self.backend.device, (len(cropped), *cropped[0].shape)
        if device.type == "cpu":
            values = np.empty(shape, np.float32)
            for image, target in zip(cropped, values, strict=True):
                cv2.LUT(image, self._table, target)
            return torch.from_numpy(values).permute(0, 3, 1, 2)
        staged = self._buffer("image", shape, torch.uint8, pin_memory=True)
        np.stack(cropped, out=staged.numpy())
        pixels = staged.to(device, non_blocking=True).permute(0, 3, 1, 2)
        return (pixels.float() - self._mean) / self._std

    def _radar_channels(self, frames: Sequence[PreparedFrame]) -> Tensor:
        """Return the channels [N, 4, h, w] of frames of one size, on the device, channels last.

        The nearest return wins a pixel.
        """
        height, width = frames[0].input_size
        drawn = [radar.nearest_returns(*frame.returns, width) for frame in frames]
        places = np.concatenate([places + i * height * width for i, (places, _) in enumerate(drawn)])
        values = np.concatenate([values for _, values in drawn])
        # An image of 23 MB is nearly all zeros: it stays on the device, where only the returns change.
        device, shape = self.backend.device, (len(frames), height, width, _RADAR_CHANNELS)
        if self._drawn is not None and self._buffers["radar"].shape == shape:
            self._buffers["radar"].view(-1, _RADAR_CHANNELS)[self._drawn] = 0
        else:
            self._buffers["radar"] = torch.zeros(shape, device=device)
        channels = self._buffers["radar"]
        self._drawn = torch.from_numpy(places).to(device)
        channels.view(-1, _RADAR_CHANNELS)[self._drawn] = torch.from_numpy(values).to(device)
        return channels.permute(0, 3, 1, 2)

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
