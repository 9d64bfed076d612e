# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth as colours, and radar returns drawn over an image: arrays in, arrays out.

Every picture of depth takes its colours from here: those of the node, of the commands, of reports and of training.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.radar import RadarScan

SPACINGS = ("log", "inverse", "linear")
SCALE_END_M = 80.0  # the published evaluation ends here, too
COLOUR_MAP = "plasma_r"  # perceptually even, matplotlib's name for it: near is yellow, far is dark blue
SKY_RGB = (190, 222, 245)
ERROR_END_M = 10.0
ERROR_RGB = ((33, 102, 172), (247, 247, 247), (178, 24, 43))  # too near, right, too far
CHECKER_RGB = ((120, 120, 120), (165, 165, 165))
_CHECKERS_A_ROW = 100
_TICKS_M = (1, 2, 5, 10, 20, 30, 50, 80, 100, 150, 200, 300, 500)
_STEPS = 255  # of the colours; one more of 8 bits is the sky

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DepthScale:
    """Which depth has which colour: from ``nearest`` to ``farthest`` [m], evenly by a spacing.

    spacing: "log" (a step of colour is a ratio of depths), "inverse" (as disparity: most colours are near) or "linear".
    What is nearer has the first colour; what is farther, +Inf included, is drawn as sky: nothing is in range.
    """

    farthest: float = SCALE_END_M
    nearest: float = 2.0
    spacing: str = "log"

    def __post_init__(self) -> None:
        if not 0 < self.nearest < self.farthest < float("inf"):
            raise LircDepthError(
                f"a scale of depth from {self.nearest:g} to {self.farthest:g} m: expected 0 < nearest < farthest"
            )
        if self.spacing not in SPACINGS:
            raise LircDepthError(f"spacing of depth is {self.spacing!r}, expected one of {', '.join(SPACINGS)}")

    def fractions(self, depth: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return where depths [m] lie on the scale: 0 nearest, 1 farthest; NaN stays NaN."""
        with np.errstate(invalid="ignore"):
            bounded = np.clip(np.asarray(depth, np.float32), self.nearest, self.farthest)
        near, far = (self._spaced(np.float32(end)) for end in (self.nearest, self.farthest))
        fractions: npt.NDArray[np.float32] = (self._spaced(bounded) - near) / (far - near)
        return fractions

    def depths(self, fractions: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the depths [m] at fractions of the scale: the inverse of ``fractions``."""
        near, far = (float(self._spaced(np.float32(end))) for end in (self.nearest, self.farthest))
        spaced = near + np.asarray(fractions, np.float64) * (far - near)
        if self.spacing == "linear":
            return spaced
        return np.asarray(np.exp(spaced) if self.spacing == "log" else -1 / spaced)

    def ticks(self) -> list[float]:
        """Return the depths [m] that a legend names: the scale's ends, and round numbers between with room for them."""
        chosen = [self.nearest, self.farthest]
        for tick in _TICKS_M:
            gap = min(abs(self.fractions(tick) - self.fractions(other)) for other in chosen)
            if self.nearest < tick < self.farthest and gap > 0.08:
                chosen.append(float(tick))
        return sorted(chosen)

    def _spaced(self, depth: npt.NDArray[np.float32] | np.float32) -> npt.NDArray[np.float32]:
        if self.spacing == "log":
            return np.log(depth)
        return np.asarray(-1 / depth if self.spacing == "inverse" else depth)


DEFAULT_SCALE = DepthScale()


def add_scale_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how pictures spread depth over their colours."""
    default = DEFAULT_SCALE
    parser.add_argument(
        "--spacing", choices=SPACINGS, default=default.spacing, help="of depth in colours (default: %(default)s)"
    )
    parser.add_argument(
        "--farthest",
        type=float,
        default=default.farthest,
        metavar="M",
        help="depth at which the colours end; what is farther is drawn as sky (default: %(default)g)",
    )


def scale_of(arguments: argparse.Namespace) -> DepthScale:
    """Return the scale that ``add_scale_arguments`` parsed. Raises LircDepthError for an end that cannot be."""
    return DepthScale(farthest=arguments.farthest, spacing=arguments.spacing)


def scale_within(max_range: float, spacing: str = DEFAULT_SCALE.spacing) -> DepthScale:
    """Return the scale for depth that ends at ``max_range`` [m]: to there, or to SCALE_END_M where that is nearer."""
    farthest = min(max_range, SCALE_END_M)
    return DepthScale(farthest, min(DEFAULT_SCALE.nearest, farthest / 2), spacing)


@functools.cache
def colour_table() -> Picture:
    """Return the colours of the scale, uint8 [255, 3] RGB, nearest first."""
    import cv2

    steps = np.rint(np.linspace(255, 0, _STEPS)).astype(np.uint8)[:, None]
    table = cv2.applyColorMap(steps, cv2.COLORMAP_PLASMA)[:, 0, ::-1]
    return np.ascontiguousarray(table).view(np.uint8)


def colorize(depth: npt.NDArray[np.floating[Any]], scale: DepthScale = DEFAULT_SCALE) -> Picture:
    """Return depth [H, W] m as uint8 [H, W, 3] RGB.

    Near is yellow and far is blue; beyond the scale it is the sky's colour; where it is NaN there is a checkerboard.
    """
    import cv2

    if not depth.size:  # OpenCV divides by zero, which ends the process, where it colours an empty array
        return np.zeros((*depth.shape, 3), np.uint8)
    table = np.vstack([colour_table(), [SKY_RGB]]).astype(np.uint8)[:, None]
    invalid = np.isnan(depth)
    places = scale.fractions(depth)
    places *= _STEPS - 1
    with np.errstate(invalid="ignore"):
        indices = np.rint(places, out=places).astype(np.uint8)
    indices[depth > scale.farthest] = _STEPS
    picture = cv2.applyColorMap(indices, table)
    if invalid.any():
        np.copyto(picture, checkerboard(*depth.shape), where=invalid[..., None])
    return picture.view(np.uint8)


def colorize_error(error: npt.NDArray[np.floating[Any]], limit: float = ERROR_END_M) -> Picture:
    """Return errors [H, W] m, estimate less truth, as uint8 [H, W, 3] RGB: too near is blue, too far is red.

    The colours end at -limit and limit [m]; where the error is NaN the picture is white.
    """
    with np.errstate(invalid="ignore"):
        places = np.nan_to_num(np.clip(error / limit, -1, 1) + 1) / 2
    ends = np.array(ERROR_RGB, np.float32)
    picture = np.stack([np.interp(places, (0, 0.5, 1), ends[:, channel]) for channel in range(3)], axis=-1)
    picture[np.isnan(error)] = 255
    rounded: Picture = np.rint(picture).astype(np.uint8)
    return rounded


def checkerboard(height: int, width: int) -> Picture:
    """Return what is drawn where there is no depth, uint8 [height, width, 3] RGB."""
    square = max(2, width // _CHECKERS_A_ROW)
    parity = (np.arange(height)[:, None] // square + np.arange(width) // square) % 2
    board: Picture = np.array(CHECKER_RGB, np.uint8)[parity]
    return board


def draw_returns(
    image: Picture,
    intrinsics: npt.NDArray[np.float64],
    radars: Iterable[tuple[RadarScan, npt.NDArray[np.float64]]],
    scale: DepthScale = DEFAULT_SCALE,
    *,
    labels: bool = False,
) -> Picture:
    """Return a copy of an image uint8 [H, W, 3] RGB with each radar return in view as a disc.

    radars: (scan, camera_from_radar 4x4). A disc is coloured by its distance as in ``colorize``, the nearest lies on
    top. labels: beside a disc stand its depth and its speed along the line of sight, relative to the vehicle and
    negative where it comes nearer, as far as there is room; the nearest first.
    """
    import cv2

    picture = image.copy()
    height, width = image.shape[:2]
    seen = radar.project_scans(radars, intrinsics, width, height)
    radius = max(2, width // 200)
    colors = colorize(seen.depth[None], scale)[0].tolist()
    places = np.rint(seen.pixels).astype(int).tolist()
    order = np.argsort(seen.depth)
    for i in reversed(order):
        cv2.circle(picture, places[i], radius + max(1, radius // 3), (0, 0, 0), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, places[i], radius, colors[i], cv2.FILLED, cv2.LINE_AA)
    if labels:
        speeds = line_of_sight_speeds(seen, np.asarray(intrinsics))
        texts = [f"{seen.depth[i]:.0f} m {speeds[i]:+.0f} m/s" for i in order]
        _write_beside(picture, [places[i] for i in order], texts, radius)
    return picture


def line_of_sight_speeds(seen: radar.ProjectedReturns, intrinsics: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the speeds [N] m/s of projected returns along the line of sight, seen from above; away is positive."""
    left = (intrinsics[0, 2] - seen.pixels[:, 0]) / intrinsics[0, 0]  # of a point 1 m ahead
    speeds: npt.NDArray[np.float64] = (seen.velocity[:, 0] + left * seen.velocity[:, 1]) / np.hypot(1, left)
    return speeds


def text_scale(width: int) -> float:
    """Return the size of OpenCV's font that is legible on a picture of a width [px]."""
    return max(0.35, width / 1900)


def _write_beside(picture: Picture, places: list[list[int]], texts: list[str], radius: int) -> None:
    """Write texts beside places (u, v), dark on light; a text that would cover an earlier one is left out."""
    import cv2

    height, width = picture.shape[:2]
    font, size = cv2.FONT_HERSHEY_SIMPLEX, text_scale(width)
    margin = max(1, round(4 * size))
    taken: list[tuple[int, int, int, int]] = []
    for (u, v), text in zip(places, texts, strict=True):
        (text_width, text_height), baseline = cv2.getTextSize(text, font, size, 1)
        right = u + 2 * radius + text_width + 2 * margin < width
        left = u + 2 * radius if right else u - 2 * radius - text_width - 2 * margin
        top = min(max(v - text_height // 2 - margin, 0), height - text_height - baseline - 2 * margin)
        box = (left, top, left + text_width + 2 * margin, top + text_height + baseline + margin)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        cv2.rectangle(picture, box[:2], box[2:], (255, 255, 255), cv2.FILLED)
        cv2.putText(picture, text, (left + margin, top + margin + text_height), font, size, (0, 0, 0), 1, cv2.LINE_AA)
