# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth prepare`: measure backends and build engines in the garage, so that the depth node starts at once."""

from __future__ import annotations

import argparse
import dataclasses
import time

from lircdepth_core import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_arguments(parser, without=("max_range", "upsampling"))
    parser.add_argument(
        "--params-file", metavar="FILE", help="a parameter file of the depth node, whose network is prepared instead"
    )
    parser.add_argument("--node", default="/depth_node", help="the node's full name in it (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Prepare the network, and print what the node will run. Raises LircDepthError where it cannot be prepared."""
    chosen = options.from_arguments(arguments)
    if arguments.params_file:
        from lircdepth_ros.parameter_files import parameters_of

        known = {option.name: option for option in options.PIPELINE_OPTIONS}
        given = parameters_of(arguments.params_file, arguments.node)
        fitted = {name: known[name].fitted(value) for name, value in given.items() if name in known}
        chosen = options.PipelineOptions(**fitted)
    from lircdepth_core.inference.backends.opening import require_allowed_backend
    from lircdepth_core.pipeline import DepthPipeline

    if arguments.params_file:
        require_allowed_backend(chosen.backend)  # a parameter file alone runs no code

    began = time.perf_counter()
    settings = dataclasses.asdict(chosen)
    pipeline = DepthPipeline.from_weights(settings.pop("weights"), **settings)
    plan = pipeline.nominal_plan()
    print(f"preparing the network for {plan.crop_width}x{plan.crop_height}", flush=True)
    pipeline.warm_up()
    print(f"{pipeline.backend.describe()}: ready after {time.perf_counter() - began:.1f} s")
    pipeline.backend.release()
