# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rewritten network as an ONNX graph in float32 or float16."""

import io
import warnings

import torch
from torch import nn

from lircdepth_core.inference.graph import rewriting
from lircdepth_core.packages import import_package

VERSION = 2  # part of the key of cached graphs; to be raised when this module or quantisation gives other graphs
INPUT_NAMES, OUTPUT_NAME = ("image", "radar"), "depth"
_OPSET = 17
_EXAMPLE_SIZE = (64, 96)  # pixels, height and width at which the network is traced; the graph holds no size


def onnx_graph(network: nn.Module, size: tuple[int, int, int] | None = None) -> bytes:
    """Return a module's ONNX file: inputs image [N, 3, H, W] and radar [N, 4, H, W], output depth [N, 1, H, W].

    network: returns depth alone, see rewriting. size: (N, H, W) to fix; by default they are the dimensions n, h, w.
    Raises LircDepthError when the package onnx is missing.
    """
    import_package("onnx")  # without it the exporter raises a long stack trace of its own
    batch, height, width = size or (1, *_EXAMPLE_SIZE)
    inputs = tuple(torch.zeros(batch, channels, height, width) for channels in (3, 4))
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # PyTorch calls this exporter the older one: the newer one needs onnxscript
        torch.onnx.export(
            network,
            inputs,
            file,  # type: ignore[arg-type]  # this exporter takes a buffer, which the newer one's types leave out
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(INPUT_NAMES),
            output_names=[OUTPUT_NAME],
            dynamic_axes=None if size else {name: {0: "n", 2: "h", 3: "w"} for name in (*INPUT_NAMES, OUTPUT_NAME)},
        )
    return file.getvalue()


def is_sensitive(node: str) -> bool:
    """Return whether a node of this name, in a graph of onnx_graph, is of a module that rewriting.SENSITIVE names."""
    return node.startswith(tuple(f"/{name.replace('.', '/', 1)}/" for name in rewriting.SENSITIVE))
