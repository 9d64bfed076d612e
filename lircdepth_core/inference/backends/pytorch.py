# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in PyTorch: eager, or compiled and, on a GPU, captured as a CUDA graph."""

import copy
import ctypes
import functools
import os
import tempfile

import torch
from torch import nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Backend
from lircdepth_core.inference.cache import pack_folder, unpack_folder
from lircdepth_core.inference.graph import rewriting

# Asked before torchvision is imported, which has PyTorch name its own default there.
_COMPILERS_FOLDER_IS_NAMED = "TORCHINDUCTOR_CACHE_DIR" in os.environ
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
    """Whether a RuntimeError of a backend means that the device's memory, or the machine's, is exhausted."""
    refusals = (  # of PyTorch's allocator, oneDNN, C++, and both ONNX Runtime and OpenVINO
        "can't allocate memory", "could not create a primitive", "std::bad_alloc", "Failed to allocate",
    )  # fmt: skip
    return isinstance(error, torch.OutOfMemoryError) or any(refusal in str(error) for refusal in refusals)


def keep_freed_memory():
    """Have glibc keep what a forward pass frees for the next one.

    By default it gives every large block back to the kernel, and a frame spends more time on page faults than on
    arithmetic. Elsewhere than on glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)


class PyTorchBackend(Backend):
    """Runs a module in eager PyTorch.

    network: LiRCDepth, or a module that returns depth alone, as rewriting.rewritten gives it; in eval mode.
    precision: float32, bfloat16 or float16, in which everything but the last convolution is computed. Activations are
    laid out channels-last, which is what convolutions are fastest in, on CPU and GPU.
    """

    def __init__(self, network, device="auto", precision="float32"):
        super().__init__(choose_device(device))
        if self.device.type == "cpu":
            keep_freed_memory()
        else:
            torch.backends.cudnn.benchmark = True  # sizes are few and stay
        self._network = reduced(network.eval(), precision).to(self.device, memory_format=torch.channels_last)
        self._title = f"PyTorch {torch.__version__} eager {precision}"

    def _build(self, size):
        return self._run

    def _run(self, image, radar):
        channels_last = {"memory_format": torch.channels_last}
        output = self._network(image.contiguous(**channels_last), radar.contiguous(**channels_last))
        return getattr(output, "depth", output)

    def release(self):
        self._network = None
        super().release()


class CompiledBackend(PyTorchBackend):
    """Runs a module that returns depth alone through torch.compile; on CUDA as one CUDA graph for each size.

    cache, key: a cache.Cache that keeps what the compiler makes, and what that depends on besides the size.
    """

    def __init__(self, network, device, precision, cache, key):
        super().__init__(network, device, precision)
        self._cache, self._key, self._folder = cache, key, _compilers_folder()
        graph = " in a CUDA graph" if self.device.type == "cuda" else ""
        self._title = f"PyTorch {torch.__version__} compiled{graph} {precision}"

    def _build(self, size):
        inputs = [torch.zeros(size[0], channels, *size[1:], device=self.device) for channels in (3, 4)]
        inputs = [value.contiguous(memory_format=torch.channels_last) for value in inputs]
        # Exported first: code of its own for each size, so that sizes never count as recompilations of one function.
        program = torch.export.export(self._network, tuple(inputs)).module()
        compiled = torch.compile(program, dynamic=False)
        if self._folder is not None:
            folder = self._folder.name

            def compile_now():
                compiled(*inputs)
                return pack_folder(folder)

            self._cache.get(
                "inductor", {**self._key, "size": size}, compile_now, lambda data: unpack_folder(data, folder)
            )
        if self.device.type == "cuda":
            return captured(compiled, inputs)

        # On no other tensors: for other strides it would compile once more.
        return _buffered(lambda: compiled(*inputs), inputs)


@functools.cache
def _compilers_folder():
    """This process's own folder, in which PyTorch's compiler keeps what it makes; None if the user has named one.

    PyTorch's own default does not outlive a restart of the machine, and damaged files in it are run as they are.
    """
    if _COMPILERS_FOLDER_IS_NAMED:
        return None
    folder = tempfile.TemporaryDirectory(prefix="lircdepth-compiled-", ignore_cleanup_errors=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder.name
    return folder


def captured(function, inputs):
    """Return ``function`` of CUDA tensors shaped as ``inputs`` as one CUDA graph. ``inputs`` become its buffers."""
    stream = torch.cuda.Stream(inputs[0].device)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # compiles, and lets libraries choose their algorithms, which a capture must not
            function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = function(*inputs)

    def replay():
        graph.replay()
        return output.clone()

    return _buffered(replay, inputs)


def _buffered(run, buffers):
    """Return a function that copies its arguments into ``buffers`` and returns run(), which reads them."""

    def infer(*values):
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)
        return run()

    return infer


def reduced(network, precision):
    """Return a module that computes ``network`` in a precision, with float32 inputs and outputs.

    The last convolution stays in float32: what it gives, times 100, is depth in metres; beside bfloat16 also what
    rewriting.SENSITIVE names.
    """
    if precision == "float32":
        return network
    return _Reduced(network, getattr(torch, precision))


class _Reduced(nn.Module):
    def __init__(self, network, dtype):
        super().__init__()
        self.dtype = dtype
        self.network = copy.deepcopy(network).to(dtype)
        modules = dict(network.named_modules())  # of the original: its weights were never rounded
        sensitive = rewriting.SENSITIVE if dtype == torch.bfloat16 else ()
        kept = {name: dtype for name in sensitive if name in modules}
        *_, last = (name for name, layer in modules.items() if isinstance(layer, nn.Conv2d))
        for name, gives in (kept | {last: torch.float32}).items():
            self.network.set_submodule(name, _Float32(copy.deepcopy(modules[name]), gives))

    def forward(self, image, radar):
        return self.network(image.to(self.dtype), radar.to(self.dtype)).float()


class _Float32(nn.Module):
    def __init__(self, layer, dtype):
        super().__init__()
        self.layer, self.dtype = layer, dtype

    def forward(self, x):
        return self.layer(x.float()).to(self.dtype)
