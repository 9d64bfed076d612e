"""DepthPipeline: the one path from (image, intrinsics, radar scans, transforms) to depth.

The node, the offline tools, the evaluation and the demo all call it, so that what is measured offline drives.
"""

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from lircdepth_core import radar as radar_module
from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints
from lircdepth_core.models.lircdepth import STRIDE
from lircdepth_core.runtime.pytorch import PyTorchBackend, is_out_of_memory

_IMAGE_MEAN = (0.485, 0.456, 0.406)  # ImageNet, RGB
_IMAGE_STD = (0.229, 0.224, 0.225)
_SAME_SCALE = 0.005  # a focal length this near to that of training is not worth a resampling


@dataclass(frozen=True)
class InputPlan:
    """How an image becomes the network's input: resized to (height, width), then cropped to multiples of 32.

    Rows are cropped at the top, where the sky is (900 rows: 4), columns on both sides.
    """

    height: int
    width: int
    top: int
    left: int
    crop_height: int
    crop_width: int

    @classmethod
    def make(cls, height, width, scale):
        """Plan for an image of height x width at ``scale``. Raises LircDepthError when less than 32 pixels are left."""
        resized = (height, width) if abs(scale - 1) < _SAME_SCALE else (round(height * scale), round(width * scale))
        crop = [size // STRIDE * STRIDE for size in resized]
        if 0 in crop:
            raise LircDepthError(
                f"image of {width}x{height} becomes {resized[1]}x{resized[0]} for the network, which needs at least "
                f"{STRIDE}x{STRIDE}; check the camera's focal length and inference_scale"
            )
        return cls(*resized, resized[0] - crop[0], (resized[1] - crop[1]) // 2, *crop)


@dataclass(frozen=True)
class DepthFrame:
    """The result of one frame.

    depth: float32 [H, W] at the image's size, metres along the optical axis; NaN where the network saw nothing,
    +Inf beyond max_range (REP 117). returns_seen: radar returns inside the image, all radars; fused is whether there
    was any. rejected_returns: returns left out because a value was not finite.
    seconds: duration of each stage.
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

    backend: see lircdepth_core.runtime. header: checkpoints.Header of the weights; the input is resized so that the
    camera's focal length becomes that of their training. inference_scale multiplies that size, uncorrected: faster,
    less exact. max_range [m]: depth beyond it becomes +Inf.
    """

    def __init__(self, backend, header, inference_scale=1.0, max_range=float("inf")):
        if not inference_scale > 0:
            raise LircDepthError(f"inference_scale is {inference_scale}, expected a positive number")
        self.backend = backend
        self.header = header
        self.inference_scale = inference_scale
        self.max_range = max_range
        self.weights_sha256 = ""  # of the weights file; empty for untrained weights
        self._mean = torch.tensor(_IMAGE_MEAN, device=backend.device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(_IMAGE_STD, device=backend.device).view(1, 3, 1, 1) * 255

    @classmethod
    def from_weights(cls, weights, *, model="lircdepth", device="auto", threads=0, **options):
        """Return a pipeline on a weights file, or on untrained weights of ``model`` when ``weights`` is "random".

        threads: CPU threads of the network, 0 leaves PyTorch's choice. options: as for the constructor.
        Raises LircDepthError for weights that do not load or a device that is not there.
        """
        if threads:
            torch.set_num_threads(threads)
        if weights == "random":
            network, header = checkpoints.random_weights(model)
        else:
            network, header = checkpoints.load(weights)
        pipeline = cls(PyTorchBackend(network, device), header, **options)
        if weights != "random":
            pipeline.weights_sha256 = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
        return pipeline

    def warm_up(self):
        """Run the network once at the size that a camera like that of the weights' training gives.

        Raises MemoryError when the device's memory does not suffice.
        """
        plan = InputPlan.make(*self.header.input_size, self.inference_scale)
        with _memory_errors():
            self.backend.warm_up(plan.crop_height, plan.crop_width)

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
        pixels = self._image_tensor(image, plan)
        clock.lap("preprocess")
        channels, seen = self._radar_channels(plan, intrinsics, height, width, radars)
        clock.lap("radar")
        depth = self.backend.infer(pixels, torch.from_numpy(channels)[None])[0, 0]
        if depth.is_cuda:
            torch.cuda.synchronize(depth.device)  # so that the stage's time is the network's
        clock.lap("network")
        depth = self._restore(depth, plan, height, width)
        clock.lap("postprocess")
        return DepthFrame(depth, seen, sum(scan.rejected for scan, _ in radars), clock.seconds)

    def _image_tensor(self, image, plan):
        """uint8 [H, W, 3] to the normalised, resized and cropped [1, 3, h, w] on the device."""
        if not image.flags.writeable:
            image = image.copy()  # torch refuses to wrap memory that it could not write to
        pixels = torch.from_numpy(image).to(self.backend.device).permute(2, 0, 1)[None]
        if (plan.height, plan.width) != image.shape[:2]:
            pixels = functional.interpolate(
                pixels.float(), size=(plan.height, plan.width), mode="bilinear", antialias=True, align_corners=False
            )
        pixels = pixels[..., plan.top :, plan.left : plan.left + plan.crop_width]
        return (pixels.float() - self._mean) / self._std

    def _radar_channels(self, plan, intrinsics, height, width, radars):
        """Returns of all radars, nearest first, as channels [4, h, w] of the cropped input; and how many were seen."""
        seen = [
            radar_module.project_scan(scan, transform, intrinsics, width, height) for scan, transform in radars
        ] or [radar_module.NOTHING_SEEN]
        pixels, depth, rcs, velocity = map(np.concatenate, zip(*seen, strict=True))
        # Which returns count is decided in the original image; pixel centres map as in the image's resampling.
        scale = np.array([plan.width / width, plan.height / height])
        pixels = (pixels + 0.5) * scale - 0.5 - (plan.left, plan.top)
        rounded = np.rint(pixels)
        inside = ((rounded >= 0) & (rounded < (plan.crop_width, plan.crop_height))).all(axis=1)
        channels = radar_module.rasterize(
            pixels[inside], depth[inside], rcs[inside], velocity[inside], plan.crop_width, plan.crop_height
        )
        return channels, int(inside.sum())

    def _restore(self, depth, plan, height, width):
        """Depth [h, w] of the cropped input to float32 [H, W] of the image, NaN where it was cropped."""
        full = torch.full((plan.height, plan.width), torch.nan, device=depth.device)
        full[plan.top :, plan.left : plan.left + plan.crop_width] = depth
        full[full > self.max_range] = torch.inf
        if full.shape != (height, width):  # nearest: a mean across an edge is a depth that nothing has
            full = functional.interpolate(full[None, None], size=(height, width), mode="nearest-exact")[0, 0]
        return full.cpu().numpy()


@contextmanager
def _memory_errors():
    """Raise MemoryError where PyTorch raises a RuntimeError for exhausted memory."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
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
