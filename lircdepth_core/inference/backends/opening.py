# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A backend by name or by the path of its class, opened on a network: the one place that knows which there are."""

import functools
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.auto import AutoBackend
from lircdepth_core.inference.backends.backend import Backend
from lircdepth_core.inference.backends.compiled import CompiledBackend
from lircdepth_core.inference.backends.onnxruntime import OnnxRuntimeBackend
from lircdepth_core.inference.backends.openvino import OpenVINOBackend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.cache import Cache, state_sha256
from lircdepth_core.inference.device import choose_device, cpu_name
from lircdepth_core.inference.graph import onnx_export, rewriting
from lircdepth_core.inference.graph.precision import reduced
from lircdepth_core.inference.graph.quantisation import Calibration, quantised
from lircdepth_core.models.cafnet import CaFNet
from lircdepth_core.packages import import_class, require_allowed

# The precisions of each backend on each kind of device. PyTorch's float32 on a GPU multiplies in TF32.
PRECISIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {"cpu": ("float32",), "cuda": ("float32",)},
    "eager": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
    "compiled": {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")},
    "onnxruntime": {"cpu": ("float32", "int8"), "cuda": ("float32", "float16")},
    "openvino": {"cpu": ("float32", "bfloat16", "int8")},
}
BACKENDS = ("auto", *PRECISIONS)
_OWN_VARIABLE = "LIRCDEPTH_BACKENDS"  # environment variable: packages of one's own backends, separated by colons
_PACKAGES_NEEDED = {"onnxruntime": ("onnxruntime", "onnx"), "openvino": ("openvino", "onnx")}
# The backends that auto measures. torch.compile is left out on a CPU: it needs a C++ compiler and 40 to 60 s at every
# new size.
_CANDIDATES = {"cpu": ("openvino", "onnxruntime", "eager"), "cuda": ("compiled", "onnxruntime", "eager")}


def open_backend(
    network: nn.Module | Callable[[], nn.Module],
    *,
    name: str = "auto",
    precision: str = "float32",
    device: str = "auto",
    threads: int = 0,
    weights_sha256: str = "",
    cache: str | Path | Cache | None = None,
    calibration: Calibration | None = None,
) -> Backend:
    """Return the backend ``name`` on a network in eval mode, on the CPU.

    network: an nn.Module; or, with weights_sha256, a function that returns it, which is only called where no engine is
    kept: importing and building it takes longer than reading an engine.
    name: plain (the network as it is, in eager PyTorch), eager (rewritten, as for all that follow), compiled
    (torch.compile; on a GPU in a CUDA graph), onnxruntime, openvino; auto measures those that suit at the first size
    that it is warmed up for; or the path of a class of one's own such as "my_package.MyBackend", derived from Backend,
    whose constructor takes (network, device, precision). precision: see PRECISIONS. device: see choose_device. threads:
    of the CPU; 0 leaves PyTorch's choice. weights_sha256: of the weights' file; when empty, one is computed of the
    network's state. cache: a Cache or its folder. calibration: the frames that int8 needs.
    Raises LircDepthError for an unknown name or precision, for a device or a library that is missing, and for int8
    without frames.
    """
    if "." in name:
        return _own(name, network, choose_device(device), precision, threads)
    if name not in BACKENDS:
        raise LircDepthError(f"backend '{name}': expected {', '.join(BACKENDS)}, or the path of a class")
    chosen_device = choose_device(device)
    _check_precision(name, precision, chosen_device.type)
    if precision == "int8" and calibration is None:
        raise LircDepthError("precision 'int8' needs frames to calibrate on")
    if threads:
        torch.set_num_threads(threads)
    opener = _Opener(
        functools.cache((lambda: network) if isinstance(network, nn.Module) else network),
        precision,
        chosen_device,
        weights_sha256,
        cache,
        calibration,
    )
    return opener.auto() if name == "auto" else opener.open(name)


def require_allowed_backend(name: str) -> None:
    """Raise LircDepthError for a class of one's own, unless LIRCDEPTH_BACKENDS names its package.

    For a name that a file may hold, such as a node's parameter file: importing the class runs its code.
    """
    if "." in name:
        require_allowed("backend", name, _OWN_VARIABLE)


def _own(
    path: str, network: nn.Module | Callable[[], nn.Module], device: torch.device, precision: str, threads: int
) -> Backend:
    """Return a backend of one's own on a network."""
    made: Callable[..., Backend] = import_class("backend", path, Backend)  # type: ignore[type-abstract]  # derived from it
    if threads:
        torch.set_num_threads(threads)
    loaded = network if isinstance(network, nn.Module) else network()
    try:
        return made(loaded, device, precision)
    except TypeError as error:
        raise LircDepthError(f"backend {path}: {error}; it is made of (network, device, precision)") from error


def _check_precision(name: str, precision: str, device_type: str) -> None:
    """Raise LircDepthError unless the backend, or for auto any, computes in a precision on a kind of device."""
    names = _CANDIDATES[device_type] if name == "auto" else (name,)
    offered = {kind: None for name in names for kind in PRECISIONS[name].get(device_type, ())}
    if not offered:
        raise LircDepthError(f"backend '{name}' has no {device_type}, only {', '.join(PRECISIONS[name])}")
    if precision not in offered:
        raise LircDepthError(f"precision '{precision}': backend {name} on {device_type} has {', '.join(offered)}")


class _Opener:
    """Opens backends on one network, in one precision, on one device. Arguments as for open_backend, checked."""

    def __init__(
        self,
        load_network: Callable[[], nn.Module],
        precision: str,
        device: torch.device,
        weights_sha256: str,
        cache: str | Path | Cache | None,
        calibration: Calibration | None,
    ) -> None:
        self._load_network = load_network
        self._precision = precision
        self._device = device
        self._given_sha256 = weights_sha256
        self._given_cache = cache
        self._calibration = calibration

    def open(self, name: str) -> Backend:
        """Return the backend ``name``, one of PRECISIONS."""
        precision, device = self._precision, self._device
        if name == "plain":
            return PyTorchBackend(self._load_network(), device)
        if name == "eager":
            return PyTorchBackend(rewriting.rewritten(self._load_network()), device, precision)
        if name == "compiled":
            key = self._machine_key([_version("triton")])
            return CompiledBackend(rewriting.rewritten(self._load_network()), device, precision, self._cache, key)
        if name == "openvino":
            if precision == "int8" and isinstance(self._load_network(), CaFNet):
                # OpenVINO 2026.4 ends the process with a segmentation fault where it compiles the teacher's decoder.
                raise LircDepthError("precision 'int8': OpenVINO cannot compile the teacher in it, onnxruntime can")
            return OpenVINOBackend(self._cached_graph, self._graph_key(), self._cache, precision)
        key = self._machine_key([onnx_export.VERSION, _version("onnxruntime"), _version("tensorrt")])
        return OnnxRuntimeBackend(self._cached_graph, device, precision, self._cache, key)

    def auto(self) -> Backend:
        """Return a backend that measures the candidates which suit the device, the precision and this installation."""
        names = [
            name
            for name in _CANDIDATES[self._device.type]
            if self._precision in PRECISIONS[name].get(self._device.type, ())
            and all(_version(package) for package in _PACKAGES_NEEDED.get(name, ()))
        ]
        key = self._machine_key([onnx_export.VERSION, *map(_version, _PACKAGES_NEEDED)])
        candidates = {name: functools.partial(self.open, name) for name in names}
        return AutoBackend(self._device, candidates, key, self._cache, self._load_network)

    @functools.cached_property
    def _cache(self) -> Cache:
        return self._given_cache if isinstance(self._given_cache, Cache) else Cache(self._given_cache)

    @functools.cached_property
    def _weights_sha256(self) -> str:
        return self._given_sha256 or state_sha256(self._load_network())

    def _cached_graph(self) -> bytes:
        return self._cache.get("onnx", self._graph_key(), self._graph, bytes)

    def _graph(self) -> bytes:
        """Return the network as an ONNX file, in the precision that the backend needs of it."""
        network = rewriting.rewritten(self._load_network())
        if self._precision == "int8" and self._calibration is not None:
            return quantised(onnx_export.onnx_graph(network), self._calibration.samples())
        return onnx_export.onnx_graph(reduced(network, "float16") if self._precision == "float16" else network)

    def _graph_key(self) -> dict[str, object]:
        """Return all that the ONNX file depends on. OpenVINO's bfloat16 is a setting beside a graph in float32."""
        key: dict[str, object] = {
            "weights": self._weights_sha256,
            "torch": torch.__version__,
            "versions": [rewriting.VERSION, onnx_export.VERSION],
            "precision": "float32" if self._precision == "bfloat16" else self._precision,
        }
        if self._precision == "int8" and self._calibration is not None:
            key |= {"calibration": self._calibration.key, "quantiser": _version("onnxruntime")}
        return key

    def _machine_key(self, versions: Sequence[object]) -> dict[str, object]:
        """Return all that measurements, and code that is made for a machine, depend on."""
        on_cpu = self._device.type == "cpu"
        return {
            "weights": self._weights_sha256,
            "precision": self._precision,
            "threads": torch.get_num_threads(),
            "device": cpu_name() if on_cpu else torch.cuda.get_device_name(self._device),
            "versions": [torch.__version__, rewriting.VERSION, *versions],
        }


def _version(package: str) -> str | None:
    """Return the version of an installed package or of its variant for GPUs, without importing it, or None."""
    for name in (package, f"{package}-gpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
