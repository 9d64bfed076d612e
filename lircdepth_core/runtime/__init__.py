"""Inference backends behind one small interface (backend.Backend), by name: see ``open_backend``."""

import importlib.util

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.runtime.cache import Cache, state_sha256
from lircdepth_core.runtime.pytorch import CompiledBackend, PyTorchBackend, choose_device
from lircdepth_core.runtime.rewriting import rewritten

# What each can compute in, on each kind of device.
PRECISIONS = {
    "plain": {"cpu": ("float32",), "cuda": ("float32",)},
    "eager": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
    "compiled": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
}
BACKENDS = ("auto", *PRECISIONS)


def open_backend(
    network, *, name="auto", precision="float32", device="auto", threads=0, weights_sha256="", cache=None,
    calibration=None,
):  # fmt: skip
    """Return the Backend ``name`` on a network in eval mode.

    name: plain (the network as it is, in eager PyTorch), eager (rewritten, as all that follow), compiled.
    precision: see PRECISIONS. device: see choose_device. threads: of the CPU; 0 leaves PyTorch's choice.
    weights_sha256: of the weights' file, "" computes one of the network's state. cache: folder, see cache.Cache.
    Raises LircDepthError for a name or a precision that there is not, and for a device or a library that is missing.
    """
    if name == "auto":
        name = "eager"
    if name not in PRECISIONS:
        raise LircDepthError(f"backend '{name}': expected {', '.join(BACKENDS)}")
    device = choose_device(device)
    offered = PRECISIONS[name].get(device.type, ())
    if precision not in offered:
        raise LircDepthError(f"precision '{precision}': backend {name} on {device.type} has {', '.join(offered)}")
    if threads:
        torch.set_num_threads(threads)
    if name == "plain":
        return PyTorchBackend(network, device)
    kind = {"eager": PyTorchBackend, "compiled": CompiledBackend}[name]
    return kind(rewritten(network), device, precision)
