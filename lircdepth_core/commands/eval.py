"""`lircdepth eval`: errors of a network on a nuScenes split."""

from pathlib import Path

from lircdepth_core.errors import LircDepthError


def add_arguments(parser):
    parser.add_argument("--dataroot", required=True, type=Path, help="nuScenes data root, or one of `lircdepth synth`")
    parser.add_argument("--version", default="v1.0-trainval", help="name of the tables' folder (default: %(default)s)")
    parser.add_argument("--split", default="val", help="val, test, mini_val ..., or all (default: %(default)s)")
    parser.add_argument(
        "--weights",
        default="street",
        help="file, or street (shipped), random or tiny (untrained); default: %(default)s",
    )
    parser.add_argument("--truth", choices=("lidar", "exact"), default="lidar",
                        help="the key frame's own scan, or the rendered depth of a synthetic data root")  # fmt: skip
    parser.add_argument("--published-offset", action="store_true",
                        help="put the radar 4 rows too low, as the published figures do")  # fmt: skip
    parser.add_argument("--limit", type=int, help="evaluate so many frames, spread over the split")
    parser.add_argument("--inference-scale", type=float, default=1.0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--backend", default="auto", help="auto, plain, eager, compiled, onnxruntime or openvino")
    parser.add_argument("--precision", default="float32", help="float32, bfloat16, float16 or int8")
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder for results.json, table.txt, eval.png")


def run(arguments):
    from tqdm import tqdm

    from lircdepth_core import evaluation
    from lircdepth_core.data.dataset import NuScenesFrames
    from lircdepth_core.pipeline import DepthPipeline

    if arguments.limit is not None and arguments.limit < 1:
        raise LircDepthError(f"--limit {arguments.limit}: expected at least 1")
    pipeline = DepthPipeline.from_weights(
        arguments.weights, device=arguments.device, backend=arguments.backend,
        precision=arguments.precision, inference_scale=arguments.inference_scale,
    )  # fmt: skip
    frames = NuScenesFrames(arguments.dataroot, arguments.version, arguments.split)
    results = evaluation.evaluate(
        pipeline, frames, arguments.truth, arguments.published_offset, arguments.limit,
        lambda indices: tqdm(indices, unit="frame", disable=None),
    )  # fmt: skip
    about = {
        "weights": arguments.weights, "model": pipeline.header.model, "trained_on": pipeline.header.trained_on,
        "data": frames.description, "truth": arguments.truth, "published_offset": arguments.published_offset,
        "inference_scale": arguments.inference_scale, "backend": pipeline.backend.describe(),
        "caution": pipeline.header.caution,
    }  # fmt: skip
    evaluation.write(arguments.output, results, about)
    _picture(arguments.output / "eval.png", pipeline, frames, arguments.truth)
    print("\n".join(evaluation.table(results)))
    if pipeline.header.caution:
        print(pipeline.header.caution)
    if results["skipped"]:
        print(f"{results['skipped']} frames without ground truth were left out")


def _picture(path, pipeline, frames, truth):
    """Image with radar, depth with and without radar, and truth, of the middle frame."""
    import numpy as np

    from lircdepth_core import evaluation, radar
    from lircdepth_core.visualization import montage

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
