# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth radar-check`: what the radars of a recording measure, and whether their mounting fits."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.radar.hypotheses import TOLERANCE_M_S
from lircdepth_ros.bags.depth_options import add_frame_arguments
from lircdepth_ros.bags.radar_check import RadarTopic, check, proposed_map, shipped_map, way_text

_WAYS_PRINTED = 6
_MOUNTING_TOLERANCE_DEG = 2.0
_POINTS_DRAWN = 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bag", metavar="BAG", help="recording in which the vehicle drives")
    parser.add_argument(
        "--radar-topics", nargs="+", default=(), help="default: every one with a field that may be a velocity"
    )
    parser.add_argument("--radar-frame", default="", help="the radar's own frame, where its driver stamps another one")
    parser.add_argument(
        "--calibration", metavar="YAML", help="sensors' mounting (default: the bag's, or its /tf_static)"
    )
    parser.add_argument("--odometry-topic", default="/odom", help="ego motion; without it /tf (default: %(default)s)")
    add_frame_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="PNG", help="picture: speeds against expected ones")
    parser.add_argument("--json", action="store_true", help="print what was found for machines")


def run(arguments: argparse.Namespace) -> None:
    """Check, print what was found. Raises LircDepthError."""
    radars, notes = check(
        arguments.bag,
        arguments.radar_topics,
        arguments.radar_frame,
        arguments.calibration,
        arguments.odometry_topic,
        arguments.fixed_frame,
        arguments.base_frame,
    )
    if arguments.json:
        print(json.dumps({radar.topic: _told(radar) for radar in radars}, indent=2))
    else:
        for radar in radars:
            _print(radar)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    drawn = [radar for radar in radars if radar.verdicts]
    if not drawn:
        raise LircDepthError(f"nothing can be decided from {arguments.bag}: {radars[0].topic}: {radars[0].unusable}")
    if arguments.output:
        _draw(drawn, arguments.output)
        if not arguments.json:
            print(f"\n{arguments.output}: speeds against those of standing things, and what is left of them by azimuth")


def _told(radar: RadarTopic) -> dict[str, Any]:
    """Return what ``_print`` says, and every reading."""
    told = {"type": radar.msgtype, "scans": radar.scans, "fields": radar.fields, "unusable": radar.unusable}
    if not radar.verdicts or radar.returns is None:
        return told
    readings = [
        {
            "read_as": way_text(verdict.hypothesis),
            "standing": verdict.share,
            "mounting_turned_deg": float(np.degrees(verdict.heading)),
            "standing_if_turned": verdict.best_share,
        }
        for verdict in radar.verdicts
    ]
    driver = shipped_map(radar)
    own = {} if driver else {"map": proposed_map(radar)}
    return told | {"returns": len(radar.returns.sight), "readings": readings, "radar_driver": driver} | own


def _print(radar: RadarTopic) -> None:
    print(f"\n{radar.topic}: {radar.msgtype}, {radar.scans} scans, fields {', '.join(radar.fields) or 'none'}")
    if not radar.verdicts or radar.returns is None:
        print(f"  no verdict: {radar.unusable or 'no field may be a velocity'}")
        return
    count = len(radar.returns.sight)
    print(f"  {count:,} returns while the vehicle drove; standing within {TOLERANCE_M_S:g} m/s, if read as")
    for verdict in radar.verdicts[:_WAYS_PRINTED]:
        turned = f"{np.degrees(verdict.heading):+.1f} degrees: {verdict.best_share:6.1%}"
        print(f"  {verdict.share:7.1%}  {way_text(verdict.hypothesis):64} mounting turned by {turned}")
    best = radar.verdicts[0]
    name = shipped_map(radar)
    if name:
        print(f"  radar_driver: {name}")
    else:
        print("  no shipped driver reads it so; a file for radar_driver:")
        print("\n".join(f"    {line}" for line in proposed_map(radar).splitlines()))
    heading = float(np.degrees(best.heading))
    if abs(heading) > _MOUNTING_TOLERANCE_DEG and best.best_share > best.share + 0.05:
        side = "left" if heading > 0 else "right"
        print(f"  the mounting does not fit: the radar looks {abs(heading):.1f} degrees further to the {side}")
    if best.share < 0.5 and best.best_share < 0.5:
        print("  few returns stand in any reading: is the ego motion right, and the clock?")


def _draw(radars: list[RadarTopic], path: Path) -> None:
    """Draw each radar's speeds against those of standing things."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5 * len(radars)), layout="constrained")
    axes = figure.subplots(len(radars), 2, squeeze=False)
    for (left, right), radar in zip(axes, radars, strict=True):
        returns, best = radar.returns, radar.verdicts[0]
        assert returns is not None, "verdicts are made of returns"
        step = max(1, len(returns.sight) // _POINTS_DRAWN)
        expected = -(returns.sight * returns.own).sum(axis=1)[::step]
        excess = best.hypothesis.excess(returns)[::step]
        azimuth = np.degrees(np.arctan2(returns.sight[:, 1], returns.sight[:, 0]))[::step]
        left.plot(expected, expected + excess, ".", markersize=2, alpha=0.5)
        left.plot([expected.min(), expected.max()], [expected.min(), expected.max()], "k-", linewidth=0.8)
        left.set_xlabel("speed of a standing thing there, from ego motion [m/s]")
        left.set_ylabel("measured, relative [m/s]")
        left.set_title(f"{radar.topic}: {way_text(best.hypothesis)}", fontsize="small")
        right.plot(azimuth, excess, ".", markersize=2, alpha=0.5)
        right.axhspan(-TOLERANCE_M_S, TOLERANCE_M_S, color="C2", alpha=0.2)
        right.set_xlabel("azimuth [degrees, to the left]")
        right.set_ylabel("speed over ground, along the line of sight [m/s]")
        right.set_title(f"{best.share:.1%} stand still within {TOLERANCE_M_S:g} m/s", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=90, format=path.suffix.lstrip(".").lower() or "png")
