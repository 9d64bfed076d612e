# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network in OpenVINO, on the CPU."""

import io
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.backend import Backend, library
from lircdepth_core.inference.cache import cpu_name
from lircdepth_core.inference.graph import onnx_export as graphs

_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}  # of int8: for what is not quantised


def load_openvino():
    """Return the package openvino. Raises LircDepthError when it is missing.

    Its import reports itself to its maker over the network, and writes to the home directory, unless the package that
    does so is missing, for which case OpenVINO has a substitute. What drives a vehicle tells nobody.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    return library("openvino")


def read_graph(core, graph):
    """Return OpenVINO's model of an ONNX file (bytes), its sensitive nodes marked to be computed in float32.

    That matters where the precision is set to bfloat16. Only in the text of OpenVINO's own files can it be said.
    """
    with tempfile.TemporaryDirectory() as folder:
        text, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
        load_openvino().serialize(core.read_model(graph), text, weights)
        tree = ElementTree.parse(text).getroot()
        for layer in tree.iter("layer"):
            if graphs.is_sensitive(layer.get("name")):
                info = layer.find("rt_info")
                info = ElementTree.SubElement(layer, "rt_info") if info is None else info
                ElementTree.SubElement(info, "attribute", name="precise", version="0")
        return core.read_model(ElementTree.tostring(tree), weights.read_bytes())


class OpenVINOBackend(Backend):
    """graph: function that returns an ONNX file (see graphs). key: what it depends on, for the cache.

    Raises LircDepthError for bfloat16 where the CPU has no instructions for it.
    """

    def __init__(self, graph, key, cache, precision="float32"):
        super().__init__(torch.device("cpu"))
        openvino = load_openvino()
        self._core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise LircDepthError("precision 'bfloat16': this CPU has no instructions for it, expected float32 or int8")
        self._graph, self._cache = graph, cache
        self._key = {**key, "openvino": openvino.__version__, "cpu": cpu_name()}
        # Always said: OpenVINO's own default is bfloat16 where the CPU has it.
        self._config = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        self._title = f"OpenVINO {openvino.__version__.partition('-')[0]} {precision}"

    def _build(self, size):
        key = {**self._key, "size": size, **self._config}
        request = self._cache.get("openvino", key, lambda: self._compiled(size), self._loaded).create_infer_request()

        def infer(image, radar):
            arrays = [image.contiguous().numpy(), radar.contiguous().numpy()]
            return torch.from_numpy(request.infer(arrays, share_inputs=True, share_outputs=True)[0].copy())

        return infer

    def _compiled(self, size):
        model = read_graph(self._core, self._graph())
        batch, height, width = size
        model.reshape({"image": [batch, 3, height, width], "radar": [batch, 4, height, width]})
        blob = self._core.compile_model(model, "CPU", self._config).export_model()
        return bytes(blob.getbuffer())

    def _loaded(self, blob):
        return self._core.import_model(io.BytesIO(blob), "CPU", self._config)
