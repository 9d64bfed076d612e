# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph in float32 becomes one in int8, by the ranges that its activations have on frames of a street."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lircdepth_core.inference.graph.onnx_export import INPUT_NAMES, is_sensitive
from lircdepth_core.packages import import_package


@dataclass(frozen=True)
class Calibration:
    """The frames on which quantisation measures the ranges of activations.

    key: identifies the frames in the keys of cached graphs, as JSON can write it. samples: returns the frames as the
    network takes them: image [3, H, W] and radar [4, H, W], float32. It is only called where no graph is kept, since
    it may read or render for seconds.
    """

    key: str | float | None
    samples: Callable[[], Iterable[Mapping[str, Tensor]]]


def quantised(graph: bytes, samples: Iterable[Mapping[str, Tensor]], size: tuple[int, int, int] | None = None) -> bytes:
    """Return an ONNX file in int8: weights by channel, activations by the range that samples have on average.

    graph: an ONNX file of no fixed size. samples: see Calibration; their size need not be ``size``. size: (N, H, W) to
    fix afterwards. The first convolution on the radar and the last one stay in float32 (256 steps between 0 and 100 m
    would be 0.4 m each), and so do the modules that rewriting.SENSITIVE names.
    Raises LircDepthError when the package onnx or onnxruntime is missing.
    """
    onnx, quantization = import_package("onnx"), import_package("onnxruntime.quantization")
    rows = ({name: sample[name][None].numpy() for name in INPUT_NAMES} for sample in samples)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]  # of a package without types
        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            return next(rows, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, output = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quantization.quant_pre_process(onnx.load_from_string(graph), prepared, skip_symbolic_shape=True)
        model = onnx.load(prepared)
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        kept = [node.name for node in convolutions if "radar" in node.input] + [convolutions[-1].name]
        kept += [node.name for node in model.graph.node if is_sensitive(node.name)]
        quantization.quantize_static(
            model,
            output,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"CalibMovingAverage": True},
        )
        model = onnx.load(output)
    if size is not None:
        for value in [*model.graph.input, *model.graph.output]:
            for index, length in zip((0, 2, 3), size, strict=True):
                value.type.tensor_type.shape.dim[index].dim_value = length
    serialised: bytes = model.SerializeToString()
    return serialised
