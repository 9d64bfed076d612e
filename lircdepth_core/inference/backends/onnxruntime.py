# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in ONNX Runtime: on the CPU, or on a GPU by TensorRT or CUDA, whichever this installation has."""

import functools
import logging
import tempfile

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Backend, library
from lircdepth_core.inference.cache import pack_folder, unpack_folder

_log = logging.getLogger(__name__)
_TENSORRT, _CUDA = "TensorrtExecutionProvider", "CUDAExecutionProvider"


class OnnxRuntimeBackend(Backend):
    """graph: function that returns an ONNX file (see graphs), in ``precision`` already.

    cache, key: a cache.Cache that keeps TensorRT's engines, and what they depend on besides the size.
    Raises LircDepthError for a GPU when this installation has no provider for it; or when the first engine is made, if
    the libraries of none of them load.
    """

    def __init__(self, graph, device, precision, cache, key):
        super().__init__(device)
        self._graph, self._precision, self._cache, self._key = graph, precision, cache, key
        self._onnxruntime = library("onnxruntime")
        if device.type == "cuda" and _CUDA not in self._onnxruntime.get_available_providers():
            raise LircDepthError("backend onnxruntime on a GPU needs the package onnxruntime-gpu")
        self._title = f"ONNX Runtime {self._onnxruntime.__version__} {precision}"

    def _build(self, size):
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        for name, value in zip("nhw", size, strict=True):
            options.add_free_dimension_override_by_name(name, value)
        # The graph as it is, not the optimised one, is what the cache keeps: optimising takes 0.2 s.
        open_session = functools.partial(self._session, self._graph(), options)
        session = self._on_gpu(size, open_session) if self.device.type == "cuda" else open_session({})
        provider = session.get_providers()[0].removesuffix("ExecutionProvider")
        self._title = f"ONNX Runtime {self._onnxruntime.__version__} ({provider}) {self._precision}"
        run = self._run_on_cpu if self.device.type == "cpu" else self._run_on_gpu

        def infer(image, radar):
            try:
                return run(session, {"image": image.contiguous(), "radar": radar.contiguous()})
            except Exception as error:  # its own errors are no RuntimeError, which callers look for
                raise RuntimeError(f"ONNX Runtime: {error}") from error

        return infer

    def _on_gpu(self, size, open_session):
        """A session of TensorRT, or of CUDA where TensorRT's libraries are missing."""
        self._onnxruntime.set_default_logger_severity(4)  # it would tell at length of each library that is missing
        if _TENSORRT in self._onnxruntime.get_available_providers():
            try:
                return self._tensorrt_session(size, open_session)
            except Exception as error:  # of its own kinds; to lack its libraries is no mistake
                _log.info("TensorRT is left out: %s", error)
        try:
            return open_session({_CUDA: {}})
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise LircDepthError(f"ONNX Runtime cannot use this GPU: {reason}") from error

    def _tensorrt_session(self, size, open_session):
        """A session of TensorRT. Its engine takes minutes to make, and comes from the cache."""
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "trt_engine_cache_enable": True, "trt_engine_cache_path": folder,
                "trt_fp16_enable": self._precision == "float16",
            }  # fmt: skip
            providers = {_TENSORRT: settings, _CUDA: {}}

            def make():
                open_session(providers)
                return pack_folder(folder)

            self._cache.get("tensorrt", {**self._key, "size": size}, make, lambda data: unpack_folder(data, folder))
            return open_session(providers)

    def _session(self, graph, options, providers):
        """A session. providers: {name: settings} of the GPU's, or {} for the CPU; what the first cannot compute, the
        next does. Raises RuntimeError where ONNX Runtime would leave the first out.
        """
        wanted = [(name, {"device_id": self.device.index or 0, **more}) for name, more in providers.items()]
        session = self._onnxruntime.InferenceSession(
            graph, options, providers=wanted or ["CPUExecutionProvider"], enable_fallback=0
        )
        if wanted and session.get_providers()[0] != wanted[0][0]:
            raise RuntimeError(f"the libraries of {wanted[0][0]} do not load")
        return session

    @staticmethod
    def _run_on_cpu(session, inputs):
        (depth,) = session.run(["depth"], {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(depth)

    def _run_on_gpu(self, session, inputs):
        image = inputs["image"]
        depth = image.new_empty(image.shape[0], 1, *image.shape[2:])
        binding, place = session.io_binding(), ("cuda", self.device.index or 0)
        for name, value in inputs.items():
            binding.bind_input(name, *place, "float32", tuple(value.shape), value.data_ptr())
        binding.bind_output("depth", *place, "float32", tuple(depth.shape), depth.data_ptr())
        torch.cuda.synchronize(self.device)  # its stream is another one
        session.run_with_iobinding(binding)
        return depth
