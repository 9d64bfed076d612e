# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth eval`: errors of a network on a nuScenes split, or on packed frames."""

from pathlib import Path

from lircdepth_core.errors import LircDepthError

_OF_DATAROOT = {  # options that packed frames leave no choice of, and their defaults
    "version": "v1.0-trainval", "split": "val", "truth": "lidar", "published_offset": False, "limit": None,
    "inference_scale": 1.0, "backend": "auto", "precision": "float32",
}  # fmt: skip


def add_arguments(parser):
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--dataroot", type=Path, help="nuScenes data root, or one of `lircdepth synth`")
    data.add_argument("--packed", type=Path, metavar="FILE",
                      help="frames of `lircdepth pack` or `pack-street`, at their own size, in plain PyTorch; "
                      "their exact depth is the truth where they have it")  # fmt: skip
    parser.add_argument("--version", help="name of the tables' folder (default: %(default)s)")
    parser.add_argument("--split", help="val, test, mini_val ..., or all (default: %(default)s)")
    parser.add_argument(
        "--weights",
        default="street",
        help="file, or street (shipped), random or tiny (untrained); default: %(default)s",
    )
    parser.add_argument("--truth", choices=("lidar", "exact"),
                        help="the key frame's own scan, or the rendered depth of a synthetic data root")  # fmt: skip
    parser.add_argument("--published-offset", action="store_true",
                        help="put the radar 4 rows too low, as the published figures do")  # fmt: skip
    parser.add_argument("--limit", type=int, help="evaluate so many frames, spread over the split")
    parser.add_argument("--inference-scale", type=float)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--backend", help="auto, plain, eager, compiled, onnxruntime or openvino")
    parser.add_argument("--precision", help="float32, bfloat16, float16 or int8")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        help="folder for results.json, table.txt and, of a data root, eval.png",
    )
    parser.set_defaults(**_OF_DATAROOT)


def run(arguments):
    if arguments.packed is None:
        _on_dataroot(arguments)
    else:
        _on_packed(arguments)


def _report(arguments, results, about):
    from lircdepth_core.evaluation import split as evaluation

    evaluation.write(arguments.output, results, about)
    print("\n".join(evaluation.table(results)))
    if about["caution"]:
        print(about["caution"])
    if results["skipped"]:
        print(f"{results['skipped']} frames without ground truth were left out")


def _progress(indices):
    from tqdm import tqdm

    return tqdm(indices, unit="frame", disable=None)


def _on_packed(arguments):
    from lircdepth_core.data.packed import PackedFrames
    from lircdepth_core.evaluation import packed as packed_evaluation
    from lircdepth_core.inference.device import choose_device
    from lircdepth_core.models import checkpoints

    for name, default in _OF_DATAROOT.items():
        if getattr(arguments, name) != default:
            raise LircDepthError(f"--{name.replace('_', '-')} goes with --dataroot, not with --packed")
    device = choose_device(arguments.device)
    network, header = checkpoints.load(arguments.weights)
    frames = PackedFrames(arguments.packed)
    about = {
        "weights": arguments.weights, "model": header.model, "trained_on": header.trained_on,
        "data": frames.description, "truth": "exact where packed", "caution": header.caution,
    }  # fmt: skip
    _report(arguments, packed_evaluation.evaluate(network, frames, device, _progress), about)


def _on_dataroot(arguments):
    from lircdepth_core.data.nuscenes.frames import NuScenesFrames
    from lircdepth_core.evaluation import split as evaluation
    from lircdepth_core.pipeline import DepthPipeline

    if arguments.limit is not None and arguments.limit < 1:
        raise LircDepthError(f"--limit {arguments.limit}: expected at least 1")
    pipeline = DepthPipeline.from_weights(
        arguments.weights, device=arguments.device, backend=arguments.backend,
        precision=arguments.precision, inference_scale=arguments.inference_scale,
    )  # fmt: skip
    frames = NuScenesFrames(arguments.dataroot, arguments.version, arguments.split)
    results = evaluation.evaluate(
        pipeline, frames, arguments.truth, arguments.published_offset, arguments.limit, _progress
    )
    about = {
        "weights": arguments.weights, "model": pipeline.header.model, "trained_on": pipeline.header.trained_on,
        "data": frames.description, "truth": arguments.truth, "published_offset": arguments.published_offset,
        "inference_scale": arguments.inference_scale, "backend": pipeline.backend.describe(),
        "caution": pipeline.header.caution,
    }  # fmt: skip
    _report(arguments, results, about)
    _picture(arguments.output / "eval.png", pipeline, frames, arguments.truth)


def _picture(path, pipeline, frames, truth):
    """Image with radar, depth with and without radar, and truth, of the middle frame."""
    import numpy as np

    from lircdepth_core import radar
    from lircdepth_core.evaluation import split as evaluation
    from lircdepth_core.evaluation.pictures import montage

    sample = frames.samples[len(frames) // 2]
    image, intrinsics, radars = frames.pipeline_input(sample)
    depth_truth = evaluation.truth_of(frames, sample, truth)
    pixels, depth, *_ = radar.project_scan(*radars[0], intrinsics, image.shape[1], image.shape[0])
    rows, columns = np.nonzero(depth_truth)
    sparse, known = len(rows) < depth_truth.size / 10, np.where(depth_truth > 0, depth_truth, np.nan)
    points = (np.column_stack([columns, rows]), depth_truth[rows, columns]) if sparse else None
    panels = [
        ("image and radar", image, None, (pixels, depth)),
        ("depth", None, pipeline(image, intrinsics, radars).depth, None),
        ("depth with radar zeroed", None, pipeline(image, intrinsics).depth, None),
        ("truth", image if sparse else None, None if sparse else known, points),
    ]
    montage(path, panels, frames.description)
