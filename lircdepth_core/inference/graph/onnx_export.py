# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rewritten network as an ONNX graph, in float32 or quantised to int8."""

import io
import tempfile
import warnings
from pathlib import Path

import torch

from lircdepth_core.data.augmentation import prepare
from lircdepth_core.inference.backends.backend import library
from lircdepth_core.inference.graph import rewriting

VERSION = 2  # part of the key of cached graphs; to be raised with each change of this file
_OPSET = 17
_INPUTS, _OUTPUT = ("image", "radar"), "depth"
_CALIBRATION_FRAMES = 16
_STREET_FRAMES, _CROP = 8, (352, 704)  # a second each to render, or several
_EXAMPLE = (64, 96)  # traced at this size; the graph holds no size


def onnx_graph(network, size=None):
    """Return a module's ONNX file as bytes: inputs image [N, 3, H, W] and radar [N, 4, H, W], output depth.

    network: gives depth alone, see rewriting. size: (N, H, W) to fix; by default they are the dimensions n, h, w.
    Raises LircDepthError when the package onnx is missing.
    """
    library("onnx")  # the exporter's words for its absence are a stack trace
    batch, height, width = size or (1, *_EXAMPLE)
    inputs = tuple(torch.zeros(batch, channels, height, width) for channels in (3, 4))
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # that this exporter is the older one: the newer one needs onnxscript
        torch.onnx.export(
            network, inputs, file, dynamo=False, opset_version=_OPSET,
            input_names=list(_INPUTS), output_names=[_OUTPUT],
            dynamic_axes=None if size else {name: {0: "n", 2: "h", 3: "w"} for name in (*_INPUTS, _OUTPUT)},
        )  # fmt: skip
    return file.getvalue()


def is_sensitive(node):
    """Whether a node of this name, in an ONNX graph of onnx_graph, is of a module that rewriting.SENSITIVE names."""
    return node.startswith(tuple(f"/{name.replace('.', '/', 1)}/" for name in rewriting.SENSITIVE))


def calibration_frames(path=None, focal_length=None):
    """Return up to 16 samples, spread over a file of packed frames; without one they are rendered from the street.

    focal_length: pixels, for which they are rendered: that of the weights (default: of the street's camera).
    """
    if path is None:
        from lircdepth_core.synthetic.sensors.dataset import StreetDataset
        from lircdepth_core.synthetic.sensors.rig import CameraModel

        camera = CameraModel()
        camera = camera.scaled(camera.scale_for(focal_length or camera.fx))
        crop = tuple(map(min, _CROP, (camera.height, camera.width)))
        street = StreetDataset(seed=16, batch_size=1, crop=crop, camera=camera, reuse=2)
        batches = (street.batch(number) for number in range(_STREET_FRAMES))
        return [prepare({"image": batch["image"][0], "radar": batch["radar"][0]}) for batch in batches]
    from lircdepth_core.data.packed import PackedFrames

    frames = PackedFrames(path)
    step = max(1, len(frames) // _CALIBRATION_FRAMES)
    return [prepare(frames.frame(index)) for index in range(0, len(frames), step)][:_CALIBRATION_FRAMES]


def quantised(graph, samples, size=None):
    """Return an ONNX file (bytes) in int8: weights by channel, activations by the range that samples have on average.

    graph: of no fixed size. size: (N, H, W) to fix afterwards. samples: dicts with image [3, H, W] and radar
    [4, H, W], as the network takes them. The first convolution on the radar and the last one stay in float32 (256 steps
    between 0 and 100 m would be 0.4 m each), and what rewriting.SENSITIVE names.
    Raises LircDepthError when the package onnx or onnxruntime is missing.
    """
    onnx, quantization = library("onnx"), library("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._rows = ({name: sample[name][None].numpy() for name in _INPUTS} for sample in samples)

        def get_next(self):
            return next(self._rows, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, output = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        model = onnx.load_from_string(graph)
        quantization.quant_pre_process(model, prepared, skip_symbolic_shape=True)
        model = onnx.load(prepared)
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        kept = [node.name for node in convolutions if "radar" in node.input] + [convolutions[-1].name]
        kept += [node.name for node in model.graph.node if is_sensitive(node.name)]
        quantization.quantize_static(
            model, output, Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept, extra_options={"CalibMovingAverage": True},
        )  # fmt: skip
        model = onnx.load(output)
    for value in [*model.graph.input, *model.graph.output] if size else ():
        for index, length in zip((0, 2, 3), size, strict=True):
            value.type.tensor_type.shape.dim[index].dim_value = length
    return model.SerializeToString()
