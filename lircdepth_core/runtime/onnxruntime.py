"""The network in ONNX Runtime: on the CPU, or on a GPU by TensorRT or CUDA, whichever this installation has."""

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.runtime.backend import Backend, library

_GPU_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


class OnnxRuntimeBackend(Backend):
    """graph: function that returns an ONNX file (see graphs), in ``precision`` already.

    Raises LircDepthError for a GPU when this installation has no provider for it.
    """

    def __init__(self, graph, device, precision="float32"):
        super().__init__(device)
        self._graph = graph
        self._onnxruntime = onnxruntime = library("onnxruntime")
        self._providers = ["CPUExecutionProvider"]
        if device.type == "cuda":
            names = [name for name in _GPU_PROVIDERS if name in onnxruntime.get_available_providers()]
            if not names:
                raise LircDepthError("backend onnxruntime on a GPU needs the package onnxruntime-gpu")
            self._providers = [(name, {"device_id": device.index or 0}) for name in names]
        kind = self._providers[0] if device.type == "cpu" else self._providers[0][0]
        self._title = f"ONNX Runtime {onnxruntime.__version__} ({kind.removesuffix('ExecutionProvider')}) {precision}"

    def _build(self, size):
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        for name, value in zip("nhw", size, strict=True):
            options.add_free_dimension_override_by_name(name, value)
        # The graph as it is, not the optimised one, is what the cache keeps: optimising takes 0.2 s.
        session = self._onnxruntime.InferenceSession(self._graph(), options, providers=self._providers)
        run = self._run_on_cpu if self.device.type == "cpu" else self._run_on_gpu

        def infer(image, radar):
            try:
                return run(session, {"image": image.contiguous(), "radar": radar.contiguous()})
            except Exception as error:  # its own errors are no RuntimeError, which callers look for
                raise RuntimeError(f"ONNX Runtime: {error}") from error

        return infer

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
