# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One picture of a frame for people: camera, radar, depth and a view from above, with the scale of depth in metres."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.evaluation.colours import (
    CHECKER_RGB,
    DEFAULT_SCALE,
    ERROR_END_M,
    SKY_RGB,
    DepthScale,
    Picture,
    colorize,
    colorize_error,
    colour_table,
    draw_returns,
    text_scale,
)
from lircdepth_core.evaluation.metrics import CAPS
from lircdepth_core.radar import RadarScan

Float64Array = npt.NDArray[np.float64]

_WHITE, _BLACK, _GREY = (255, 255, 255), (0, 0, 0), (150, 150, 150)
_ERROR_PANEL_PX = 800
_RING_M = 20
_LABEL_X, _LABEL_Y = 0.8, 0.6  # where on a ring its label stands: outside of the view of most cameras
_ABOVE_STRIDE = 4  # pixels: of depth that is drawn from above
_ABOVE_ROAD_M = 1.0  # of points that are drawn from above: what is higher than this below the camera


def frame_view(
    image: Picture,
    intrinsics: Float64Array,
    radars: Sequence[tuple[RadarScan, Float64Array]],
    depth: npt.NDArray[np.floating[Any]],
    scale: DepthScale = DEFAULT_SCALE,
) -> Picture:
    """Return camera, radar's returns, depth and a view from above side by side, with the scale: uint8 [h, w, 3] RGB.

    image: uint8 [H, W, 3] RGB. intrinsics: [3, 3] px. radars: (scan, camera_from_radar 4x4). depth: [H, W] metres.
    """
    height, width = image.shape[:2]
    panels = [
        captioned(image, "camera"),
        captioned(
            draw_returns(image, intrinsics, radars, scale, labels=True),
            "radar: depth, and speed along the line of sight",
        ),
        captioned(colorize(depth, scale), "depth"),
        captioned(from_above(depth, intrinsics, radars, scale, (height, width)), "from above: depth, and radar"),
    ]
    grid = np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])])
    return np.hstack([grid, scale_strip(grid.shape[0], scale, text_scale(width))])


def error_view(
    depth: npt.NDArray[np.floating[Any]],
    truth: npt.NDArray[np.floating[Any]],
    image: Picture | None = None,
    returns: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    scale: DepthScale = DEFAULT_SCALE,
) -> Picture:
    """Return camera with radar, depth, truth and the error side by side, with both scales: uint8 [h, w, 3] RGB.

    depth, truth: [H, W] metres; NaN in depth and 0 in truth are unknown. image: uint8 [H, W, 3] RGB, where there is
    one. returns: the radar's in the image, (pixels [N, 2], depth [N] metres).
    """
    import cv2

    factor = min(1.0, _ERROR_PANEL_PX / depth.shape[1])
    size = (round(depth.shape[1] * factor), round(depth.shape[0] * factor))
    camera = np.full((size[1], size[0], 3), 255, np.uint8)
    if image is not None:
        camera = cv2.resize(image, size, interpolation=cv2.INTER_AREA).view(np.uint8)
    pale = (255 - (255 - camera.astype(np.uint16)) // 3).astype(np.uint8)
    seen, measured, wrong = camera.copy(), pale.copy(), pale.copy()
    if returns is not None and len(returns[1]):
        _dots(seen, returns[0] * factor, colorize(np.asarray(returns[1])[None], scale)[0], max(2, size[0] // 200))
    rows, columns = np.nonzero(truth)
    true, found = truth[rows, columns], depth[rows, columns]
    places = np.column_stack([columns, rows]) * factor
    radius = 0 if len(rows) > truth.size / 10 else 1
    _dots(measured, places, colorize(true[None], scale)[0], radius)
    far = min(scale.farthest, max(CAPS))
    counted = ~np.isnan(found) & (true < max(CAPS))
    error = np.clip(found, 0, far)[counted] - np.clip(true, 0, far)[counted]
    _dots(wrong, places[counted], colorize_error(error[None])[0], radius)
    small = cv2.resize(depth.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).view(np.float32)
    panels = [
        captioned(seen, "camera and radar"),
        captioned(colorize(small, scale), "depth"),
        captioned(measured, "truth"),
        captioned(wrong, "error: depth less truth"),
    ]
    upper, lower = np.hstack(panels[:2]), np.hstack(panels[2:])
    text = text_scale(size[0])
    right = [scale_strip(upper.shape[0], scale, text), error_strip(lower.shape[0], text)]
    return np.vstack([np.hstack([upper, right[0]]), np.hstack([lower, right[1]])])


def _dots(picture: Picture, places: npt.NDArray[Any], colours: Picture, radius: int) -> None:
    """Draw squares of 2 radius + 1 pixels at places (u, v), in the order given."""
    height, width = picture.shape[:2]
    columns, rows = np.rint(places).astype(int).T
    for shift_v in range(-radius, radius + 1):
        for shift_u in range(-radius, radius + 1):
            picture[np.clip(rows + shift_v, 0, height - 1), np.clip(columns + shift_u, 0, width - 1)] = colours


def depth_picture(depth: npt.NDArray[np.floating[Any]], scale: DepthScale = DEFAULT_SCALE) -> Picture:
    """Return depth [H, W] m in colours with the scale beside it, uint8 [H, w, 3] RGB."""
    return np.hstack([colorize(depth, scale), scale_strip(depth.shape[0], scale, text_scale(depth.shape[1]))])


def captioned(picture: Picture, caption: str) -> Picture:
    """Return a picture under a white strip with its caption."""
    import cv2

    size = text_scale(picture.shape[1])
    strip = np.full((round(30 * size), picture.shape[1], 3), 255, np.uint8)
    cv2.putText(
        strip,
        caption,
        (round(10 * size), round(22 * size)),
        cv2.FONT_HERSHEY_SIMPLEX,
        size * 0.8,
        _BLACK,
        1,
        cv2.LINE_AA,
    )
    return np.vstack([strip, picture])


@functools.lru_cache(maxsize=8)
def error_strip(height: int, size: float = 0.5) -> Picture:
    """Return the legend of errors, ``height`` px high and as wide as that of depth. size: of OpenCV's font."""
    import cv2

    margin, swatch = round(20 * size), round(34 * size)
    strip = np.full((height, round(165 * size), 3), 255, np.uint8)
    left, right = margin // 2, margin // 2 + swatch
    rows = height - 2 * margin
    errors = np.linspace(ERROR_END_M, -ERROR_END_M, rows)
    strip[margin:-margin, left:right] = colorize_error(errors[:, None])
    for tick in (ERROR_END_M, ERROR_END_M / 2, 0, -ERROR_END_M / 2, -ERROR_END_M):
        row = round(margin + (ERROR_END_M - tick) / (2 * ERROR_END_M) * (rows - 1))
        cv2.line(strip, (right, row), (right + margin // 4, row), _BLACK, max(1, round(2 * size)))
        place = (right + margin // 2, row + round(7 * size))
        cv2.putText(strip, f"{tick:+g} m", place, cv2.FONT_HERSHEY_SIMPLEX, 0.7 * size, _BLACK, 1, cv2.LINE_AA)
    return strip


@functools.lru_cache(maxsize=8)
def scale_strip(height: int, scale: DepthScale, size: float = 0.5) -> Picture:
    """Return the legend of a scale, ``height`` px high: colours with metres, the sky's and that of no depth.

    size: of OpenCV's font.
    """
    import cv2

    margin, swatch, line = round(20 * size), round(34 * size), max(1, round(2 * size))
    strip = np.full((height, round(165 * size), 3), 255, np.uint8)
    left, right = margin // 2, margin // 2 + swatch

    def write(text: str, row: int) -> None:
        place = (right + margin // 2, row + round(7 * size))
        cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7 * size, _BLACK, 1, cv2.LINE_AA)

    top, bottom = margin, height - margin - 3 * swatch
    bar = np.rint(np.linspace(254, 0, max(2, bottom - top))).astype(int)
    strip[top : top + len(bar), left:right] = colour_table()[bar][:, None]
    for tick in scale.ticks():
        row = round(bottom - float(scale.fractions(tick)) * (bottom - top))
        cv2.line(strip, (right, row), (right + margin // 4, row), _BLACK, line)
        write(f"{tick:g} m", row)
    for text, row, colours in (
        ("sky, far", bottom + swatch // 2, [SKY_RGB] * 2),
        ("none", bottom + 2 * swatch, CHECKER_RGB),
    ):
        middle = (left + right) // 2
        strip[row : row + swatch, left:middle], strip[row : row + swatch, middle:right] = colours
        cv2.rectangle(strip, (left, row), (right, row + swatch), _GREY, 1)
        write(text, row + swatch // 2)
    return strip


def from_above(
    depth: npt.NDArray[np.floating[Any]],
    intrinsics: Float64Array,
    radars: Sequence[tuple[RadarScan, Float64Array]],
    scale: DepthScale,
    size: tuple[int, int],
) -> Picture:
    """Return depth [H, W] m and the radar's returns from above, the camera at the bottom: uint8 [*size, 3] RGB.

    Points of depth are those higher than 1 m below the camera, so that the road is left out, in the colours of their
    depth; returns are discs. Rings stand every 20 m.
    """
    import cv2

    height, width = size
    picture = np.full((height, width, 3), 255, np.uint8)
    pixels_a_metre = (height - 1) / scale.farthest
    origin = (width // 2, height - 1)
    text = text_scale(width)
    for radius in range(_RING_M, int(scale.farthest) + 1, _RING_M):
        cv2.circle(picture, origin, round(radius * pixels_a_metre), (215, 215, 215), max(1, width // 800), cv2.LINE_AA)
    for side in (0, depth.shape[1] - 1):  # the edges of the camera's view
        slope = (side - intrinsics[0, 2]) / intrinsics[0, 0]
        end = (round(origin[0] + slope * height), 0)
        cv2.line(picture, origin, end, (215, 215, 215), max(1, width // 800), cv2.LINE_AA)
    sparse = depth[::_ABOVE_STRIDE, ::_ABOVE_STRIDE]
    rows, columns = np.mgrid[: sparse.shape[0], : sparse.shape[1]] * _ABOVE_STRIDE
    with np.errstate(invalid="ignore"):
        below = (rows - intrinsics[1, 2]) / intrinsics[1, 1] * sparse
        drawn = (sparse <= scale.farthest) & (below < _ABOVE_ROAD_M)
    ahead = sparse[drawn]
    right = (columns[drawn] - intrinsics[0, 2]) / intrinsics[0, 0] * ahead
    colours = colorize(ahead[None], scale)[0]
    x, y = np.rint(origin[0] + right * pixels_a_metre), np.rint(origin[1] - ahead * pixels_a_metre)
    inside = (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
    x, y, colours = x[inside].astype(int), y[inside].astype(int), colours[inside]
    for shift_x, shift_y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        picture[y + shift_y, x + shift_x] = colours
    for scan, camera_from_radar in radars:
        points = geometry.transform_points(camera_from_radar, scan.points)
        for side, distance in points[:, [0, 2]].tolist():
            place = (round(origin[0] + side * pixels_a_metre), round(origin[1] - distance * pixels_a_metre))
            if distance > 0 and 0 <= place[0] < width and 0 <= place[1] < height:
                cv2.circle(picture, place, max(3, width // 220), _BLACK, max(1, width // 600), cv2.LINE_AA)
    for radius in range(_RING_M, int(scale.farthest) + 1, _RING_M):
        aside, ahead_px = (round(share * radius * pixels_a_metre) for share in (_LABEL_X, _LABEL_Y))
        place = (origin[0] + aside, origin[1] - ahead_px)
        cv2.putText(picture, f"{radius} m", place, cv2.FONT_HERSHEY_SIMPLEX, 0.6 * text, _BLACK, 1, cv2.LINE_AA)
    return picture
