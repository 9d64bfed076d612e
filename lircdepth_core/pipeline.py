# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""DepthPipeline: the one path from (image, intrinsics, radar scans, transforms) to depth.

The node, the offline tools, the evaluation and the demo all call it, so that what is measured offline drives.
"""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

# Before PyTorch starts its threads: by default they spin while they wait for each other, and where other processes use
# the same cores a frame takes several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from lircdepth_core import radar as radar_module
from lircdepth_core.data.calibration_frames import calibration_frames
from lircdepth_core.errors import LircDepthError, is_opencv_out_of_memory
from lircdepth_core.inference import upsampling as upsampling_module
from lircdepth_core.inference.backends.opening import open_backend
from lircdepth_core.inference.cache import file_sha256
from lircdepth_core.inference.device import is_out_of_memory
from lircdepth_core.inference.input_plan import IMAGE_MEAN, IMAGE_STD, InputPlan
from lircdepth_core.models import checkpoints

_IMAGE_MEAN, _IMAGE_STD = 255 * np.array([IMAGE_MEAN, IMAGE_STD])  # of bytes


@dataclass(frozen=True)
class DepthFrame:
    """The result of one frame.

    depth: float32 [H, W] at the image's size, metres along the optical axis; NaN where the network saw nothing,
    +Inf beyond max_range (REP 117). returns_seen: radar returns inside the image, all radars; fused is whether there
    was any. rejected_returns: returns left out because a value was not finite.
    seconds: duration of each stage: resize, normalise (with the copy to the device), radar, network, restore (with the
    copy from the device), upsample.
    """

    depth: np.ndarray
    returns_seen: int
    rejected_returns: int
    seconds: dict[str, float]

    @property
    def fused(self):
        return self.returns_seen > 0


class DepthPipeline:
    """Image, intrinsics and radar scans to a depth image.

    backend: see lircdepth_core.inference.backends. header: checkpoints.Header of the weights; the input is resized so
    that the camera's focal length becomes that of their training. inference_scale multiplies that size, uncorrected:
    faster, less exact. upsampling: how depth of a smaller size comes to the image's, "nearest" or "edge_aware" (see
    lircdepth_core.inference.upsampling). max_range [m]: depth beyond it becomes +Inf.
    Buffers are kept from frame to frame: one frame at a time.
    """

    def __init__(self, backend, header, inference_scale=1.0, max_range=float("inf"), upsampling="nearest"):
        if not inference_scale > 0:
            raise LircDepthError(f"inference_scale is {inference_scale}, expected a positive number")
        self.backend = backend
        self.header = header
        self.inference_scale = inference_scale
        self.max_range = max_range
        self.upsampling = upsampling
        self.weights_sha256 = ""  # of the weights file; empty for untrained weights
        self._table = ((np.arange(256)[:, None, None] - _IMAGE_MEAN) / _IMAGE_STD).astype(np.float32)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=backend.device).view(1, 3, 1, 1)
            for values in (_IMAGE_MEAN, _IMAGE_STD)
        )
        self._buffers = {}
        self._drawn = None  # places of the radar image that are not zero

    @classmethod
    def from_weights(
        cls, weights, *, device="auto", threads=0, backend="auto", precision="float32", cache=None, **options
    ):
        """Return a pipeline on weights: a file, or one of checkpoints.SHIPPED and checkpoints.UNTRAINED.

        device, threads, backend, precision, cache: see inference.backends.opening. options: as for the constructor.
        Raises LircDepthError for weights that do not load, and for a device or backend that is not there.
        """
        header = checkpoints.read_header(weights)
        digest = "" if weights in checkpoints.UNTRAINED else file_sha256(checkpoints.file_of(weights))

        def network():
            return checkpoints.load(weights)[0]

        opened = open_backend(
            network, name=backend, precision=precision, device=device, threads=threads, weights_sha256=digest,
            cache=cache, calibration=calibration_frames(focal_length=header.focal_length),
        )  # fmt: skip
        pipeline = cls(opened, header, **options)
        pipeline.weights_sha256 = digest
        return pipeline

    def warm_up(self):
        """Run the network at the size that a camera like that of the weights' training gives, and what goes before it.

        The first time on a machine a backend may measure and compile here, for seconds to minutes.
        Raises MemoryError when the device's memory does not suffice.
        """
        plan = self.nominal_plan()
        with _memory_errors():
            self.backend.warm_up(plan.crop_height, plan.crop_width)
            self._image_tensor(np.zeros((plan.height, plan.width, 3), np.uint8), plan)

    def nominal_plan(self):
        """Return the InputPlan for a camera like that of the weights' training."""
        return InputPlan.make(*self.header.input_size, self.inference_scale)

    def plan(self, height, width, intrinsics):
        """Return the InputPlan for a camera. Raises LircDepthError when its intrinsics are not a pinhole camera's."""
        intrinsics = np.asarray(intrinsics, dtype=np.float64)
        if intrinsics.shape != (3, 3) or not np.isfinite(intrinsics).all() or not (np.diag(intrinsics) > 0).all():
            raise LircDepthError(
                f"intrinsics {intrinsics.tolist()} are not those of a calibrated pinhole camera: expected 3x3 with "
                "positive focal lengths"
            )
        return InputPlan.make(height, width, self.inference_scale * self.header.focal_length / intrinsics[0, 0])

    @torch.inference_mode()
    def __call__(self, image, intrinsics, radars=()):
        """Estimate depth.

        image: uint8 [H, W, 3], RGB, rectified. intrinsics: [3, 3] px of that image.
        radars: pairs (RadarScan, camera_from_radar 4x4); the transform includes the ego motion between the stamps
        (geometry.sensor_to_sensor). None, or no return in view: camera-only depth, ``fused`` is False.
        Returns a DepthFrame. Raises LircDepthError for an image or intrinsics of another form, and MemoryError when the
        device's memory is exhausted.
        """
        with _memory_errors():
            return self._estimate(image, intrinsics, radars)

    def _estimate(self, image, intrinsics, radars):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise LircDepthError(f"image is {form}, expected uint8 [H, W, 3]")
        height, width = image.shape[:2]
        plan = self.plan(height, width, intrinsics)
        clock = _StageClock()
        small = _resized(image, plan.height, plan.width)
        clock.lap("resize")
        pixels = self._image_tensor(small, plan)
        clock.lap("normalise")
        channels, seen = self._radar_channels(plan, intrinsics, height, width, radars)
        clock.lap("radar")
        depth = self.backend.infer(pixels, channels)[0, 0]
        if depth.is_cuda:
            torch.cuda.synchronize(depth.device)  # so that the stage's time is the network's
        clock.lap("network")
        depth = self._restored(depth, plan)
        clock.lap("restore")
        if depth.shape != (height, width):
            smaller = plan.height < height
            method = self.upsampling if smaller else "nearest"
            depth = upsampling_module.upsample(depth, (height, width), method, image, small)
        with np.errstate(invalid="ignore"):
            depth[depth > self.max_range] = np.inf
        clock.lap("upsample")
        return DepthFrame(depth, seen, sum(scan.rejected for scan, _ in radars), clock.seconds)

    def _image_tensor(self, image, plan):
        """uint8 [H, W, 3] at the plan's size to the normalised and cropped [1, 3, h, w] on the device.

        Channels last. A CPU takes each value from a table: PyTorch would share these few operations among threads, and
        wait for the last of them longer than they take. To a GPU go the bytes.
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

    def _radar_channels(self, plan, intrinsics, height, width, radars):
        """Returns of all radars, nearest first, as channels [1, 4, h, w] of the cropped input on the device, channels
        last; and how many were seen."""
        # Which returns count is decided in the original image.
        seen = radar_module.project_scans(radars, intrinsics, width, height)
        scale = np.array([plan.width / width, plan.height / height])
        inside = seen.resampled(scale, plan.crop_width, plan.crop_height, plan.left, plan.top)
        places, values = radar_module.nearest_returns(*inside, plan.crop_width)
        # An image of 23 MB is nearly all zeros: it stays on the device, where only the returns change.
        device, size = self.backend.device, (plan.crop_height, plan.crop_width)
        if self._drawn is not None and self._buffers["radar"].shape[:2] == size:
            self._buffers["radar"].view(-1, 4)[self._drawn] = 0
        else:
            self._buffers["radar"] = torch.zeros(*size, 4, device=device)
        channels = self._buffers["radar"]
        self._drawn = torch.from_numpy(places).to(device)
        channels.view(-1, 4)[self._drawn] = torch.from_numpy(values).to(device)
        return channels.permute(2, 0, 1)[None], len(inside.depth)

    def _restored(self, depth, plan):
        """Depth [h, w] of the cropped input to float32 of the plan's size in main memory, NaN where it was cropped."""
        if depth.is_cuda:
            landed = self._buffer("depth", depth.shape, torch.float32, pin_memory=True)
            depth = landed.copy_(depth)
        full = np.full((plan.height, plan.width), np.nan, np.float32)
        full[plan.top :, plan.left : plan.left + plan.crop_width] = depth.numpy()
        return full

    def _buffer(self, name, shape, dtype, **options):
        """A tensor that is kept from frame to frame while its shape stays the same."""
        if name not in self._buffers or self._buffers[name].shape != shape:
            self._buffers[name] = torch.empty(shape, dtype=dtype, **options)
        return self._buffers[name]


def _resized(image, height, width):
    """uint8 [H, W, 3] at another size: the mean over each new pixel's area, as a smaller camera would take it; linear
    where the image grows."""
    import cv2

    while min(image.shape[0] / height, image.shape[1] / width) >= 2 and image.shape[0] % 2 == image.shape[1] % 2 == 0:
        size = image.shape[1] // 2, image.shape[0] // 2
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # the one step for which OpenCV has fast code
    if image.shape[:2] == (height, width):
        return image
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=interpolation)


@contextmanager
def _memory_errors():
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

    def __init__(self):
        self.seconds = {}
        self._last = time.perf_counter()

    def lap(self, stage):
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
