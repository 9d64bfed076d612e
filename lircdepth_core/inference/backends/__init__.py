# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Inference backends behind one small interface (backend.Backend), by name: see ``open_backend``."""

import functools
from importlib import metadata

import torch
from torch import nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.auto import AutoBackend
from lircdepth_core.inference.backends.onnxruntime import OnnxRuntimeBackend
from lircdepth_core.inference.backends.openvino import OpenVINOBackend
from lircdepth_core.inference.backends.pytorch import CompiledBackend, PyTorchBackend, choose_device, reduced
from lircdepth_core.inference.cache import Cache, cpu_name, file_sha256, state_sha256
from lircdepth_core.inference.graph import onnx_export as graphs
from lircdepth_core.inference.graph import rewriting

# What each can compute in, on each kind of device. PyTorch's float32 on a GPU multiplies in TF32.
PRECISIONS = {
    "plain": {"cpu": ("float32",), "cuda": ("float32",)},
    "eager": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
    "compiled": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
    "onnxruntime": {"cpu": ("float32", "int8"), "cuda": ("float32", "float16")},
    "openvino": {"cpu": ("float32", "bfloat16", "int8")},
}
BACKENDS = ("auto", *PRECISIONS)
_LIBRARIES = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}  # packages that they need
# On a CPU torch.compile is no candidate: it needs a C++ compiler and 40 to 60 s at every new size.
_CANDIDATES = {"cpu": ("openvino", "onnxruntime", "eager"), "cuda": ("compiled", "onnxruntime", "eager")}


def open_backend(
    network, *, name="auto", precision="float32", device="auto", threads=0, weights_sha256="", cache=None,
    calibration=None, focal_length=None,
):  # fmt: skip
    """Return the backend.Backend ``name`` on a network in eval mode, on the CPU.

    network: an nn.Module; or, with weights_sha256, a function that returns it, which is only called where no engine is
    kept: importing and building it takes longer than reading an engine.
    name: plain (the network as it is, in eager PyTorch), eager (rewritten, as for all that follow), compiled
    (torch.compile; on a GPU in a CUDA graph), onnxruntime, openvino; auto measures those that suit at the first size
    that it is warmed up for. precision: see PRECISIONS. device: see choose_device. threads: of the CPU; 0 leaves
    PyTorch's choice. weights_sha256: of the weights' file, "" computes one of the network's state. cache: folder, see
    cache.Cache. calibration: file of packed frames for int8; without one, frames of the synthetic street for a
    camera of focal_length [px], that of the weights.
    Raises LircDepthError for a name or a precision that there is not, and for a device or a library that is missing.
    """
    if name not in BACKENDS:
        raise LircDepthError(f"backend '{name}': expected {', '.join(BACKENDS)}")
    device = choose_device(device)
    _check_precision(name, precision, device.type)
    if threads:
        torch.set_num_threads(threads)
    made = functools.cache((lambda: network) if isinstance(network, nn.Module) else network)
    if name == "plain":
        return PyTorchBackend(made(), device)
    if name == "eager":
        return PyTorchBackend(rewriting.rewritten(made()), device, precision)
    cache = cache if isinstance(cache, Cache) else Cache(cache)
    weights_sha256 = weights_sha256 or state_sha256(made())
    if name == "auto":
        return _auto(made, precision, device, weights_sha256, cache, calibration, focal_length)
    if name == "compiled":
        key = _machine_key(weights_sha256, precision, device, _version("triton"))
        return CompiledBackend(rewriting.rewritten(made()), device, precision, cache, key)
    key = {
        "weights": weights_sha256, "torch": torch.__version__,
        "versions": [rewriting.VERSION, graphs.VERSION],
        "precision": "float32" if precision == "bfloat16" else precision,  # of the graph
    }  # fmt: skip
    if precision == "int8":
        key |= {"calibration": _frames_sha256(calibration) or focal_length, "quantiser": _version("onnxruntime")}

    def graph():
        return cache.get("onnx", key, lambda: _graph(made(), precision, calibration, focal_length), bytes)

    if name == "openvino":
        return OpenVINOBackend(graph, key, cache, precision)
    versions = (graphs.VERSION, _version("onnxruntime"), _version("tensorrt"))
    engine_key = _machine_key(weights_sha256, precision, device, *versions)
    return OnnxRuntimeBackend(graph, device, precision, cache, engine_key)


def _check_precision(name, precision, device_type):
    """Raise LircDepthError unless the backend, or for auto any, computes in a precision on a kind of device."""
    names = _CANDIDATES[device_type] if name == "auto" else (name,)
    offered = {kind: None for name in names for kind in PRECISIONS[name].get(device_type, ())}
    if not offered:
        raise LircDepthError(f"backend '{name}' has no {device_type}, only {', '.join(PRECISIONS[name])}")
    if precision not in offered:
        raise LircDepthError(f"precision '{precision}': backend {name} on {device_type} has {', '.join(offered)}")


def _auto(network, precision, device, weights_sha256, cache, calibration, focal_length):
    suited = [name for name in _CANDIDATES[device.type] if precision in PRECISIONS[name].get(device.type, ())]
    suited = [name for name in suited if all(map(_version, _LIBRARIES.get(name, ())))]
    key = _machine_key(weights_sha256, precision, device, graphs.VERSION, *map(_version, _LIBRARIES))

    def opener(name):
        return lambda: open_backend(
            network, name=name, precision=precision, device=str(device), weights_sha256=weights_sha256,
            cache=cache, calibration=calibration, focal_length=focal_length,
        )  # fmt: skip

    return AutoBackend(device, {name: opener(name) for name in suited}, key, cache, network)


def _graph(network, precision, calibration, focal_length):
    network = rewriting.rewritten(network)
    if precision != "int8":
        return graphs.onnx_graph(reduced(network, precision) if precision == "float16" else network)
    return graphs.quantised(graphs.onnx_graph(network), graphs.calibration_frames(calibration, focal_length))


def _machine_key(weights_sha256, precision, device, *versions):
    """What depends on the machine, for the cache: times, and code that is made for it."""
    return {
        "weights": weights_sha256, "precision": precision, "threads": torch.get_num_threads(),
        "device": cpu_name() if device.type == "cpu" else torch.cuda.get_device_name(device),
        "versions": [torch.__version__, rewriting.VERSION, *versions],
    }  # fmt: skip


def _version(package):
    """The version of an installed package, or of its variant for GPUs, without importing it; None if there is none."""
    for name in (package, f"{package}-gpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _frames_sha256(path):
    try:
        return None if path is None else file_sha256(path)
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such file of frames") from error
