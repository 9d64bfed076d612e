# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in OpenVINO, on the CPU."""

import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias
from xml.etree import ElementTree

import torch
from torch import Tensor

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Engine, EngineBackend, InputSize
from lircdepth_core.inference.cache import Cache
from lircdepth_core.inference.device import cpu_name
from lircdepth_core.inference.graph.onnx_export import is_sensitive
from lircdepth_core.packages import import_package

# By precision of the network. With int8 the hint is for the operators that are not quantised.
_PRECISION_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}

_OpenVINOObject: TypeAlias = Any  # of the package openvino, which has no types


def load_openvino() -> ModuleType:
    """Return the package openvino. Raises LircDepthError when it is missing.

    Its import sends a report to its maker over the network and writes to the home directory, unless the package that
    does so is missing; for that case OpenVINO has a substitute. Software that drives a vehicle must not report.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes the import fail
    return import_package("openvino")


def read_graph(core: _OpenVINOObject, graph: bytes) -> _OpenVINOObject:
    """Return OpenVINO's model of an ONNX file, its sensitive nodes marked to be computed in float32.

    The mark matters where the precision is set to bfloat16. Only OpenVINO's own files, in their XML, can hold it.
    """
    with tempfile.TemporaryDirectory() as folder:
        text, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
        load_openvino().serialize(core.read_model(graph), text, weights)
        tree = ElementTree.parse(text).getroot()
        for layer in tree.iter("layer"):
            if is_sensitive(layer.get("name", "")):
                info = layer.find("rt_info")
                info = ElementTree.SubElement(layer, "rt_info") if info is None else info
                ElementTree.SubElement(info, "attribute", name="precise", version="0")
        return core.read_model(ElementTree.tostring(tree), weights.read_bytes())


class OpenVINOBackend(EngineBackend):
    """graph: returns an ONNX file (see graph.onnx_export). key: all that it depends on, as JSON can write it.

    cache: keeps the compiled models. Raises LircDepthError for bfloat16 where the CPU has no instructions for it.
    """

    def __init__(
        self, graph: Callable[[], bytes], key: Mapping[str, object], cache: Cache, precision: str = "float32"
    ) -> None:
        super().__init__(torch.device("cpu"))
        openvino = load_openvino()
        self._core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise LircDepthError("precision 'bfloat16': this CPU has no instructions for it, expected float32 or int8")
        self._graph, self._cache = graph, cache
        self._key = {**key, "openvino": openvino.__version__, "cpu": cpu_name()}
        # The hint is always given: OpenVINO's own default is bfloat16 where the CPU has it.
        self._config = {
            "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        self._title = f"OpenVINO {openvino.__version__.partition('-')[0]} {precision}"

    def _build(self, size: InputSize) -> Engine:
        key = {**self._key, "size": size, **self._config}
        request = self._cache.get("openvino", key, lambda: self._compiled(size), self._loaded).create_infer_request()

        def infer(image: Tensor, radar: Tensor) -> Tensor:
            arrays = [image.contiguous().numpy(), radar.contiguous().numpy()]
            return torch.from_numpy(request.infer(arrays, share_inputs=True, share_outputs=True)[0].copy())

        return infer

    def _compiled(self, size: InputSize) -> bytes:
        """Return the model, compiled for a size, as OpenVINO exports it."""
        model = read_graph(self._core, self._graph())
        batch, height, width = size
        model.reshape({"image": [batch, 3, height, width], "radar": [batch, 4, height, width]})
        blob = self._core.compile_model(model, "CPU", self._config).export_model()
        return bytes(blob.getbuffer())

    def _loaded(self, blob: bytes) -> _OpenVINOObject:
        return self._core.import_model(io.BytesIO(blob), "CPU", self._config)
