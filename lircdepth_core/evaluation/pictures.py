# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of depth, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.evaluation.colours import COLOUR_MAP, DEFAULT_SCALE, DepthScale, colorize
from lircdepth_core.files import written_whole

_MANY_POINTS = 500  # from here on points are drawn small
_LARGE_MARKER, _SMALL_MARKER = 60, 3  # points squared


@dataclass(frozen=True)
class Panel:
    """One of a montage's pictures, drawn in this order where given.

    image: uint8 [H, W, 3]. depth: [H, W] metres; NaN is a checkerboard. points: (pixels [N, 2], depth [N] metres).
    """

    caption: str
    image: npt.NDArray[np.uint8] | None = None
    depth: npt.NDArray[np.floating[Any]] | None = None
    points: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None


def truth_panel(truth: npt.NDArray[np.floating[Any]], image: npt.NDArray[np.uint8] | None = None) -> Panel:
    """Return the panel of a true depth map [H, W], 0 = unknown: points over the image where few pixels are known."""
    rows, columns = np.nonzero(truth)
    if len(rows) < truth.size / 10:
        return Panel("truth", image, points=(np.column_stack([columns, rows]), truth[rows, columns]))
    return Panel("truth", depth=np.where(truth > 0, truth, np.nan))


def montage(path: str | Path, panels: Sequence[Panel], title: str, scale: DepthScale = DEFAULT_SCALE) -> None:
    """Write a picture of panels, two in a row. Depth shares one colour scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(16, 4.3 * rows), layout="constrained", squeeze=False)
    figure.suptitle(title)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, panel in zip(axes.flat, panels, strict=False):
        axis.set_title(panel.caption)
        if panel.image is not None:
            axis.imshow(panel.image)
        if panel.depth is not None:
            axis.imshow(colorize(panel.depth, scale), interpolation="nearest")
        if panel.points is not None:
            pixels, distances = panel.points
            size = _LARGE_MARKER if len(pixels) < _MANY_POINTS else _SMALL_MARKER
            colours = colorize(np.asarray(distances)[None], scale)[0] / 255
            axis.scatter(*np.asarray(pixels).T, c=colours, s=size, linewidths=0)
    spaced = matplotlib.colors.FuncNorm((scale.fractions, scale.depths), scale.nearest, scale.farthest)
    scalar = matplotlib.cm.ScalarMappable(spaced, COLOUR_MAP)
    bar = figure.colorbar(scalar, ax=axes, label="depth [m]; farther: as the sky; unknown: checked", shrink=0.6)
    bar.set_ticks(scale.ticks(), labels=[f"{tick:g}" for tick in scale.ticks()])
    bar.minorticks_off()
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=80)
    plt.close(figure)
