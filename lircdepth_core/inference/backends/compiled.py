# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network compiled by PyTorch and, on a GPU, captured as a CUDA graph."""

import functools
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from lircdepth_core.inference.backends.backend import Engine, InputSize
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.cache import Cache, pack_folder, unpack_folder

# Read before torchvision is imported: its import sets the variable to PyTorch's own default.
_COMPILERS_FOLDER_IS_NAMED = "TORCHINDUCTOR_CACHE_DIR" in os.environ
_RUNS_BEFORE_CAPTURE = 3


class CompiledBackend(PyTorchBackend):
    """Runs a module that returns depth alone through torch.compile; on CUDA as one CUDA graph for each size.

    cache: keeps the compiler's results. key: all that the results depend on besides the size, as JSON can write it.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, precision: str, cache: Cache, key: Mapping[str, object]
    ) -> None:
        super().__init__(network, device, precision)
        self._cache, self._key, self._folder = cache, key, _compilers_folder()
        graph = " in a CUDA graph" if self.device.type == "cuda" else ""
        self._title = f"PyTorch {torch.__version__} compiled{graph} {precision}"

    def _build(self, size: InputSize) -> Engine:
        inputs = tuple(
            torch.zeros(size[0], channels, *size[1:], device=self.device).contiguous(memory_format=torch.channels_last)
            for channels in (3, 4)
        )
        # Exported first: each size gets code of its own, so that sizes never count as recompilations of one function.
        program = torch.export.export(self.network, inputs).module()
        compiled = torch.compile(program, dynamic=False)
        if self._folder is not None:
            folder = self._folder.name

            def compile_now() -> bytes:
                compiled(*inputs)
                return pack_folder(folder)

            key = {**self._key, "size": size}
            self._cache.get("inductor", key, compile_now, lambda data: unpack_folder(data, folder))
        if self.device.type == "cuda":
            return captured(compiled, inputs)

        # Always with the same tensors: for other strides it would compile once more.
        return _buffered(lambda: compiled(*inputs), inputs)


@functools.cache
def _compilers_folder() -> tempfile.TemporaryDirectory[str] | None:
    """Return this process's own folder for the files of PyTorch's compiler, or None if the user has named one.

    PyTorch's own default does not outlive a restart of the machine, and damaged files in it are run as they are.
    """
    if _COMPILERS_FOLDER_IS_NAMED:
        return None
    folder = tempfile.TemporaryDirectory(prefix="lircdepth-compiled-", ignore_cleanup_errors=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder.name
    return folder


def captured(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Engine:
    """Return ``function`` of CUDA tensors shaped as ``inputs`` as one CUDA graph. ``inputs`` become its buffers."""
    stream = torch.cuda.Stream(inputs[0].device)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # The first runs compile, and let libraries choose their algorithms, which must not happen in a capture.
        for _ in range(_RUNS_BEFORE_CAPTURE):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        output = function(*inputs)

    def replay() -> Tensor:
        graph.replay()
        return output.clone()

    return _buffered(replay, inputs)


def _buffered(run: Callable[[], Tensor], buffers: Sequence[Tensor]) -> Engine:
    """Return a function that copies its arguments into ``buffers`` and returns run(), which reads them."""

    def infer(*values: Tensor) -> Tensor:
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)
        return run()

    return infer
