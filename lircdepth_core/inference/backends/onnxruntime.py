# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in ONNX Runtime: on the CPU, or on a GPU by TensorRT or CUDA, whichever this installation has."""

import functools
import logging
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Engine, EngineBackend, InputSize
from lircdepth_core.inference.cache import Cache, pack_folder, unpack_folder
from lircdepth_core.packages import import_package

_log = logging.getLogger(__name__)
_TENSORRT, _CUDA = "TensorrtExecutionProvider", "CUDAExecutionProvider"
_LOG_ERRORS, _LOG_FATAL_ERRORS = 3, 4  # ONNX Runtime's severities: log these and worse ones

_Session: TypeAlias = Any  # an onnxruntime.InferenceSession, whose package has no types
_Providers: TypeAlias = Mapping[str, Mapping[str, object]]  # {name: settings}


class OnnxRuntimeBackend(EngineBackend):
    """graph: returns an ONNX file (see graph.onnx_export), in ``precision`` already.

    cache: keeps TensorRT's engines. key: all that these depend on besides the size, as JSON can write it.
    Raises LircDepthError for a GPU when this installation has no provider for it; or when the first engine is made, if
    the libraries of no provider load.
    """

    def __init__(
        self,
        graph: Callable[[], bytes],
        device: torch.device,
        precision: str,
        cache: Cache,
        key: Mapping[str, object],
    ) -> None:
        super().__init__(device)
        self._graph, self._precision, self._cache, self._key = graph, precision, cache, key
        self._onnxruntime = import_package("onnxruntime")
        if device.type == "cuda" and _CUDA not in self._onnxruntime.get_available_providers():
            raise LircDepthError("backend onnxruntime on a GPU needs the package onnxruntime-gpu")
        self._title = f"ONNX Runtime {self._onnxruntime.__version__} {precision}"

    def _build(self, size: InputSize) -> Engine:
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = _LOG_ERRORS
        for name, value in zip("nhw", size, strict=True):
            options.add_free_dimension_override_by_name(name, value)
        # The cache keeps the graph as it is, not the optimised one: optimising takes 0.2 s.
        open_session = functools.partial(self._session, self._graph(), options)
        session = self._on_gpu(size, open_session) if self.device.type == "cuda" else open_session({})
        provider = session.get_providers()[0].removesuffix("ExecutionProvider")
        self._title = f"ONNX Runtime {self._onnxruntime.__version__} ({provider}) {self._precision}"
        run = self._run_on_cpu if self.device.type == "cpu" else self._run_on_gpu

        def infer(image: Tensor, radar: Tensor) -> Tensor:
            try:
                return run(session, {"image": image.contiguous(), "radar": radar.contiguous()})
            except Exception as error:  # its own errors are no RuntimeError, which callers look for
                raise RuntimeError(f"ONNX Runtime: {error}") from error

        return infer

    def _on_gpu(self, size: InputSize, open_session: Callable[[_Providers], _Session]) -> _Session:
        """Return a session of TensorRT, or of CUDA where TensorRT's libraries are missing."""
        # With its default, ONNX Runtime logs many lines about each library that is missing.
        self._onnxruntime.set_default_logger_severity(_LOG_FATAL_ERRORS)
        if _TENSORRT in self._onnxruntime.get_available_providers():
            try:
                return self._tensorrt_session(size, open_session)
            except Exception as error:  # of its own kinds; an installation may well lack TensorRT's libraries
                _log.info("TensorRT is left out: %s", error)
        try:
            return open_session({_CUDA: {}})
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise LircDepthError(f"ONNX Runtime cannot use this GPU: {reason}") from error

    def _tensorrt_session(self, size: InputSize, open_session: Callable[[_Providers], _Session]) -> _Session:
        """Return a session of TensorRT. Its engine takes minutes to make, and comes from the cache."""
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "trt_engine_cache_enable": True,
                "trt_engine_cache_path": folder,
                "trt_fp16_enable": self._precision == "float16",
            }
            providers: _Providers = {_TENSORRT: settings, _CUDA: {}}

            def make() -> bytes:
                open_session(providers)
                return pack_folder(folder)

            self._cache.get("tensorrt", {**self._key, "size": size}, make, lambda data: unpack_folder(data, folder))
            return open_session(providers)

    def _session(self, graph: bytes, options: Any, providers: _Providers) -> _Session:
        """Return a session. providers: the GPU's in order of preference, {} for the CPU.

        Operators that the first provider does not have go to the next. Raises RuntimeError where ONNX Runtime would
        leave the first out.
        """
        names = list(providers) or ["CPUExecutionProvider"]
        settings = [{"device_id": self.device.index or 0, **providers[name]} if providers else {} for name in names]
        session = self._onnxruntime.InferenceSession(
            graph, options, providers=names, provider_options=settings, enable_fallback=0
        )
        if session.get_providers()[0] != names[0]:
            raise RuntimeError(f"the libraries of {names[0]} do not load")
        return session

    def _run_on_cpu(self, session: _Session, inputs: Mapping[str, Tensor]) -> Tensor:
        (depth,) = session.run(["depth"], {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(depth)

    def _run_on_gpu(self, session: _Session, inputs: Mapping[str, Tensor]) -> Tensor:
        image = inputs["image"]
        depth = image.new_empty(image.shape[0], 1, *image.shape[2:])
        binding, place = session.io_binding(), ("cuda", self.device.index or 0)
        for name, value in inputs.items():
            binding.bind_input(name, *place, "float32", tuple(value.shape), value.data_ptr())
        binding.bind_output("depth", *place, "float32", tuple(depth.shape), depth.data_ptr())
        torch.cuda.synchronize(self.device)  # the session runs in another stream
        session.run_with_iobinding(binding)
        return depth
