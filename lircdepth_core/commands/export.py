# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth export`: weights become a file that another runtime loads, for one size of input."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import hidden_folder
from lircdepth_core.models.common.interface import STRIDE

# format: (suffix, precisions)
_FORMATS = {
    "onnx": (".onnx", ("float32", "float16", "int8")),
    "openvino": (".xml", ("float32", "int8")),
    "torch": (".pt2", ("float32", "bfloat16", "float16")),
    "tensorrt": (".engine", ("float32", "float16")),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("weights", metavar="WEIGHTS", help="weights file (.safetensors)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE",
                        help="file to write: .onnx, .xml (with a .bin beside it), .pt2 or .engine")  # fmt: skip
    parser.add_argument("--format", required=True, choices=_FORMATS, help="of ONNX, OpenVINO, torch.export or TensorRT")
    parser.add_argument("--size", required=True, nargs=2, type=int, metavar=("HEIGHT", "WIDTH"),
                        help=f"of the input, multiples of {STRIDE}")  # fmt: skip
    parser.add_argument("--batch", type=int, default=1, help="images in one input (default: %(default)s)")
    parser.add_argument("--precision", default="float32", help="float32 (default), bfloat16, float16 or int8; bfloat16 "
                        "in OpenVINO is a setting of the program that loads the file")  # fmt: skip
    parser.add_argument("--calibration", metavar="FILE",
                        help="packed frames for int8 (default: rendered from the synthetic street)")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the command. Raises LircDepthError."""
    output, kind, precision = arguments.output, arguments.format, arguments.precision
    suffix, precisions = _FORMATS[kind]
    if output.suffix != suffix:
        raise LircDepthError(f"{output}: expected an output name that ends in {suffix}")
    if not output.absolute().parent.is_dir():
        raise LircDepthError(f"{output.absolute().parent}: no such directory")
    if output.is_dir():
        raise LircDepthError(f"{output}: is a directory")
    if precision not in precisions:
        raise LircDepthError(f"precision '{precision}': format {kind} has {', '.join(precisions)}")
    if any(size < STRIDE or size % STRIDE for size in arguments.size) or arguments.batch < 1:
        height, width = arguments.size
        raise LircDepthError(f"size {height} {width}: expected multiples of {STRIDE}, and a batch of at least 1")
    size = (arguments.batch, *arguments.size)

    from lircdepth_core.data.calibration_frames import calibration_frames
    from lircdepth_core.inference.graph import rewriting
    from lircdepth_core.models import checkpoints

    network, header = checkpoints.load(arguments.weights)
    network = rewriting.rewritten(network)
    calibration = calibration_frames(arguments.calibration, header.focal_length) if precision == "int8" else None
    with hidden_folder(output) as folder:
        # Complete before anything bears its final name; OpenVINO's weights first, which its .xml speaks of.
        path = folder / output.name
        _WRITERS[kind](network, precision, size, calibration, path, _about(header, precision))
        for path in sorted(folder.glob("[!.]*")):
            os.replace(path, output.with_name(path.name))
    print(
        f"{output}: {header.model}, trained on {header.trained_on}, {kind} {precision}, image {_shape(size, 3)} "
        f"and radar {_shape(size, 4)} to depth {_shape(size, 1)}"
    )


def _about(header, precision):
    """Return what whoever feeds the file must know, as texts: they stand in its metadata."""
    from lircdepth_core.inference.input_plan import IMAGE_MEAN, IMAGE_STD

    about = {
        "focal_length_px": header.focal_length, "input_size": list(header.input_size), "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD), "image_channels": "RGB, 0 to 1, less the mean, divided by the deviation",
        "channel_order": "RGB", "radar_channels": "depth [m], RCS [dBsm], vx, vy [m/s]; 0 = no return",
        "depth": "metres along the optical axis", "model": header.model, "trained_on": header.trained_on,
        "precision": precision,
    }  # fmt: skip
    if header.focal_length_range:
        about["focal_length_range_px"] = list(header.focal_length_range)
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}


def _shape(size, channels):
    return [size[0], channels, *size[1:]]


def _graph(network, precision, size, calibration):
    from lircdepth_core.inference.graph.onnx_export import onnx_graph
    from lircdepth_core.inference.graph.precision import reduced
    from lircdepth_core.inference.graph.quantisation import quantised

    if precision != "int8":
        return onnx_graph(reduced(network, precision), size)
    # The frames to calibrate on have another size, so that the size is fixed afterwards.
    return quantised(onnx_graph(network), calibration.samples(), size)


def _write_onnx(network, precision, size, calibration, path, about):
    import onnx

    model = onnx.load_from_string(_graph(network, precision, size, calibration))
    onnx.helper.set_model_props(model, about)
    path.write_bytes(model.SerializeToString())


def _write_openvino(network, precision, size, calibration, path, about):
    from lircdepth_core.inference.backends.openvino import load_openvino, read_graph

    openvino = load_openvino()
    model = read_graph(openvino.Core(), _graph(network, precision, size, calibration))
    for name, value in about.items():
        model.set_rt_info(value, ["lircdepth", name])
    openvino.save_model(model, path, compress_to_fp16=False)


def _write_torch(network, precision, size, calibration, path, about):
    import torch

    from lircdepth_core.inference.graph.precision import reduced

    inputs = tuple(torch.zeros(_shape(size, channels)) for channels in (3, 4))
    program = torch.export.export(reduced(network, precision), inputs)
    torch.export.save(program, path, extra_files={"lircdepth.json": json.dumps(about, indent=1)})


def _write_tensorrt(network, precision, size, calibration, path, about):
    from lircdepth_core.packages import import_package

    tensorrt = import_package("tensorrt")
    builder = tensorrt.Builder(tensorrt.Logger(tensorrt.Logger.WARNING))
    definition = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(definition, builder.logger)
    if not parser.parse(_graph(network, precision, size, calibration)):
        raise LircDepthError(f"TensorRT {tensorrt.__version__} cannot read the graph: {parser.get_error(0)}")
    engine = builder.build_serialized_network(definition, builder.create_builder_config())
    if engine is None:
        raise LircDepthError(f"TensorRT {tensorrt.__version__} cannot build an engine on this machine")
    path.write_bytes(engine)


_WRITERS = {"onnx": _write_onnx, "openvino": _write_openvino, "torch": _write_torch, "tensorrt": _write_tensorrt}
