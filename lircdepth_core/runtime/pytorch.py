"""The network in eager PyTorch."""

import ctypes
import resource
from pathlib import Path

import torch

from lircdepth_core.errors import LircDepthError

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h


def choose_device(name="auto"):
    """Return the torch.device for "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Raises LircDepthError when a device is demanded that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise LircDepthError(f"device '{name}': expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise LircDepthError(f"device '{name}': expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise LircDepthError(f"device '{name}' was asked for, but PyTorch sees {torch.cuda.device_count()} GPUs")
    return device


def is_out_of_memory(error):
    """Whether a RuntimeError of PyTorch means that the device's memory, or the machine's, is exhausted."""
    refusals = ("can't allocate memory", "could not create a primitive")  # of PyTorch's allocator, and of oneDNN
    return isinstance(error, torch.OutOfMemoryError) or any(refusal in str(error) for refusal in refusals)


def _keep_freed_memory():
    """Have glibc keep what a forward pass frees for the next one.

    By default it gives every large block back to the kernel, and a frame spends more time on page faults than on
    arithmetic. Elsewhere than on glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)


class PyTorchBackend:
    """Runs a network in eval mode on one device, in float32.

    Activations are laid out channels-last, which is what convolutions are fastest in, on CPU and GPU.
    """

    def __init__(self, network, device="auto"):
        self.device = choose_device(device)
        if self.device.type == "cpu":
            _keep_freed_memory()
        self._network = network.eval().to(self.device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def infer(self, image, radar):
        """Return depth [N, 1, H, W] in metres, on the device; image and radar as LiRCDepth.forward takes them."""
        image = image.to(self.device, memory_format=torch.channels_last)
        radar = radar.to(self.device, memory_format=torch.channels_last)
        return self._network(image, radar).depth

    def warm_up(self, height, width):
        """Run once at a size, so that the first real frame does not pay for lazy initialisation."""
        self.infer(torch.zeros(1, 3, height, width), torch.zeros(1, 4, height, width))

    def memory(self):
        """Return the bytes in use: on a GPU by tensors, on a CPU by the process."""
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def release(self):
        """Free the network and what the device keeps for it."""
        self._network = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def describe(self):
        """Return one line for logs and diagnostics."""
        return f"PyTorch {torch.__version__} eager float32 on {self.device}"
