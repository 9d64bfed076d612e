# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth view`: a bag in a browser on one's own machine, or a running node's topics for Foxglove."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lircdepth_core import options
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import add_scale_arguments, scale_of
from lircdepth_ros.bags.depth_options import DepthJobOptions
from lircdepth_ros.commands.bag_inputs import add_input_arguments, job_options

if TYPE_CHECKING:
    from lircdepth_ros.viewing.frames import Moment

_BROWSER_PORT, _FOXGLOVE_PORT = 8080, 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    default = DepthJobOptions()
    parser.add_argument("bag", nargs="?", metavar="BAG", help="bag with camera and radars; without depth it is made")
    parser.add_argument("--reference", metavar="BAG", help="bag with all but the depth (default: the same)")
    parser.add_argument("--live", action="store_true", help="instead of a bag: serve a running node to Foxglove")
    parser.add_argument("--node", default="/depth_node", help="with --live: its full name (default: %(default)s)")
    parser.add_argument("--cameras", nargs="+", default=(), metavar="NAME", help="several at once, or all")
    parser.add_argument("--layout", metavar="FILE", help="with --live: Foxglove's layout, in place of one for the node")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 serves other machines, too (default: %(default)s)")
    parser.add_argument("--port", type=int, help=f"default: {_BROWSER_PORT}; with --live {_FOXGLOVE_PORT}")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="show each N-th image (default: all)")
    parser.add_argument("--stride", type=int, default=4, metavar="N", help="of depth's pixels (default: %(default)s)")
    parser.add_argument("--depth-topic", default=default.depth_topic, help="default: %(default)s")
    add_scale_arguments(parser)
    add_input_arguments(parser)
    options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted. Raises LircDepthError."""
    if arguments.live == bool(arguments.bag):
        raise LircDepthError("name a BAG, or say --live for a running node")
    for name in ("every", "stride"):
        if getattr(arguments, name) < 1:
            raise LircDepthError(f"--{name} is {getattr(arguments, name)}, expected at least 1")
    if arguments.live:
        _serve_node(arguments)
        return
    scale = scale_of(arguments)
    from lircdepth_core.packages import import_package
    from lircdepth_ros.viewing.browser import BrowserView

    import_package("viser")  # before the depth is made
    shown = _moments(arguments)
    view = BrowserView(shown, scale, arguments.host, arguments.port or _BROWSER_PORT)
    print(f"{len(shown)} images: open {view.address} in a browser; Ctrl-C ends", flush=True)
    view.run()


def _serve_node(arguments: argparse.Namespace) -> None:
    from lircdepth_ros.viewing import live  # isort: skip - first: its rclpy starts Python once more
    from lircdepth_ros import layouts
    from lircdepth_ros.depth_node.settings import Settings

    layout = arguments.layout
    if layout is None:
        chosen = job_options(arguments)
        settings = Settings(image_topic=arguments.image_topic, radar_topics=chosen.radar_topics)
        if chosen.cameras:
            settings = Settings(cameras=chosen.cameras)
        with tempfile.NamedTemporaryFile("w", prefix="lircdepth_", suffix=".foxglove.json", delete=False) as file:
            file.write(layouts.foxglove(layouts.shown(arguments.node, settings)))
        layout = file.name
    live.serve(arguments.host, arguments.port or _FOXGLOVE_PORT, layout)


def _moments(arguments: argparse.Namespace) -> list[Moment]:
    """Return what is shown, of one camera or several; the depth is made first where the bag has none."""
    from lircdepth_ros.bags.reading import open_bag

    with closing(open_bag(arguments.bag)) as reader:
        types = {connection.topic: connection.msgtype for connection in reader.connections}
    reference = arguments.reference or arguments.bag
    with closing(open_bag(reference)) as reader:
        types |= {connection.topic: connection.msgtype for connection in reader.connections}
    by_camera = list(job_options(arguments).of_cameras(types, reference).values())
    if any(f"{chosen.depth_topic}/image{end}" in types for chosen in by_camera for end in ("", "/compressedDepth")):
        return _read(arguments, arguments.bag, reference, by_camera)
    with tempfile.TemporaryDirectory(prefix="lircdepth_view_") as folder:
        made = Path(folder, "depth")
        print(f"{arguments.bag} has no depth: it is made first", flush=True)
        _make_depth(arguments, made)
        return _read(arguments, made, arguments.bag, by_camera)


def _read(
    arguments: argparse.Namespace, bag: str | Path, reference: str, by_camera: list[DepthJobOptions]
) -> list[Moment]:
    from lircdepth_ros.viewing.frames import moments, read_frames

    return moments([read_frames(bag, reference, chosen, arguments.stride, arguments.every) for chosen in by_camera])


def _make_depth(arguments: argparse.Namespace, output: Path) -> None:
    from lircdepth_core.pipeline import DepthPipeline
    from lircdepth_ros.bags.depth_job import DepthJob
    from lircdepth_ros.bags.reading import open_bag
    from lircdepth_ros.bags.writing import new_bag

    pipeline = DepthPipeline.from_weights(**asdict(options.from_arguments(arguments)))
    with closing(open_bag(arguments.bag)) as reader, new_bag(output) as writer:
        DepthJob(reader, arguments.bag, job_options(arguments)).process(pipeline, writer, None)
