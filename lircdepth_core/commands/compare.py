# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth compare`: is B better than A on the same images, where, and by how much."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

if TYPE_CHECKING:
    from lircdepth_core.evaluation.comparison import Results
    from lircdepth_core.evaluation.pictures import Panel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("first", type=Path, metavar="A", help="folder that `lircdepth eval` wrote")
    parser.add_argument("second", type=Path, metavar="B", help="another one, on the same images")
    parser.add_argument("--variant", default="radar", help="radar, or 'no radar' (default: %(default)s)")
    parser.add_argument("--metrics", nargs="+", help="default: mae abs_rel delta1")
    parser.add_argument("--worst", type=int, default=3, metavar="N",
                        help="draw so many images on which the two differ most (default: %(default)s)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print comparison.json's content instead of the table")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR",
                        help="folder for comparison.json, table.txt and worst.png")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Compare, print the table, write it. Raises LircDepthError."""
    from lircdepth_core.evaluation import comparison

    first, second = comparison.read(arguments.first), comparison.read(arguments.second)
    metrics = arguments.metrics or comparison.METRICS
    differences = comparison.compare(first, second, metrics, arguments.variant)
    lines = [f"A: {_title(first)}", f"B: {_title(second)}", *comparison.lines(differences)]
    worst = comparison.worst_images(first, second, arguments.worst, arguments.variant)
    lines += [f"differ most: {name}, MAE {a:.3f} and {b:.3f} m" for name, a, b in worst]
    content = {
        "A": str(first.folder), "B": str(second.folder), "variant": arguments.variant,
        "differences": [asdict(one) | {"difference": one.difference} for one in differences],
        "worst": [{"image": name, "mae": [a, b]} for name, a, b in worst], "command": arguments.command_line,
    }  # fmt: skip
    print(json.dumps(content, indent=1) if arguments.json else "\n".join(lines))
    if arguments.output is None:
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    texts = {"comparison.json": json.dumps(content, indent=1), "table.txt": "\n".join(lines)}
    for name, text in texts.items():
        with written_whole(arguments.output / name) as partial:
            partial.write_text(text + "\n")
    if worst:
        from lircdepth_core.evaluation.pictures import montage

        try:
            panels = _panels([name for name, _, _ in worst], first, second, arguments.variant)
        except LircDepthError as error:  # the figures do not need the files any more
            print(f"no worst.png: {error}", file=sys.stderr)
            return
        montage(arguments.output / "worst.png", panels, "where A and B differ most")


def _title(result: Results) -> str:
    return f"{result.folder}: {result.about['weights']} ({result.about['trained_on']}) on {result.about['data']}"


def _panels(names: list[str], first: Results, second: Results, variant: str) -> list[Panel]:
    """Return image, truth and both depths of images, which are made anew.

    Raises LircDepthError where the data or weights are no longer those of the results.
    """
    from lircdepth_core.data.frame import sha256_of
    from lircdepth_core.data.nuscenes_frames import NuScenesFrames
    from lircdepth_core.data.packed import open_packed
    from lircdepth_core.evaluation import of_packed, of_split
    from lircdepth_core.evaluation.pictures import Panel
    from lircdepth_core.files import file_sha256
    from lircdepth_core.models import checkpoints
    from lircdepth_core.pipeline import DepthPipeline

    for result in (first, second):
        file, digest = checkpoints.file_of(result.about["weights"]), result.about["weights_sha256"]
        if digest and (not file.is_file() or file_sha256(file) != digest):
            raise LircDepthError(f"{file} is no longer the file of {result.folder}")
    source, captions = first.about["source"], {"A": first, "B": second}
    frames = open_packed(source["packed"]) if "packed" in source else NuScenesFrames(**source)
    if sha256_of(frames) != first.about["data_sha256"]:
        raise LircDepthError(f"{source} no longer holds the data of {first.folder}")
    panels: list[Panel] = []
    if not isinstance(frames, NuScenesFrames):
        networks = {caption: checkpoints.load(result.about["weights"])[0] for caption, result in captions.items()}
        for name in names:
            panels += of_packed.panels(networks, frames, int(name.split()[-1]), variant == "radar")
        return panels
    pipelines = {
        caption: DepthPipeline.from_weights(
            result.about["weights"], backend="eager", inference_scale=result.about["inference_scale"]
        )
        for caption, result in captions.items()
    }
    samples = {sample["token"]: sample for sample in frames.samples}
    for name in names:
        image, intrinsics, radars = frames.pipeline_input(samples[name])
        panels += of_split.input_panels(frames, samples[name], first.about["truth"])
        for caption, pipeline in pipelines.items():
            depth = pipeline(image, intrinsics, radars if variant == "radar" else ()).depth
            panels.append(Panel(f"{caption}: {name}", depth=depth))
    return panels
