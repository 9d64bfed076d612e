# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What only rendered depth can tell of a network: whether it knows the sky, and how sharp its edges are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

FAR_M = 80.0  # a depth from here on says "nothing in range"
_TOO_FAR = 2.0  # times the true depth: what is nearer is taken for the background or the sky
_STEP = 1.25  # of depth between neighbours, from which on one hides the other
_EDGE_PX = 3

Depth = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]


class RenderedFigures:
    """Collects, by variant, the shares of pixels over all images and the mean over images of the errors at edges.

    sky_beyond_range: share of the sky's pixels at FAR_M or more. taken_for_far: share of the other pixels at more than
    twice their depth. edge_mae: mean absolute error [m] of the pixels nearer than FAR_M that lie within 3 pixels of an
    occlusion edge. labelled_mae, unlabelled_mae: of those that lidar labels and that it does not, of frames with lidar.
    """

    def __init__(self) -> None:
        self._counts: dict[str, npt.NDArray[np.int64]] = {}
        self._errors: dict[str, dict[str, list[float]]] = {}

    def add(self, variant: str, depth: Depth, truth: Depth, sky: Mask, labelled: Mask | None = None) -> None:
        """Take one image: depth and true depth [H, W] metres, and where the sky and the lidar's labels are [H, W]."""
        known = ~sky & (truth > 0)
        counts = [(depth[sky] >= FAR_M).sum(), sky.sum(), (depth > _TOO_FAR * truth)[known].sum(), known.sum()]
        self._counts[variant] = self._counts.get(variant, np.zeros(4, np.int64)) + np.array(counts)
        near = known & (truth < FAR_M)
        parts = {"edge_mae": near & near_edges(np.where(sky, np.inf, truth))}
        if labelled is not None:
            parts |= {"labelled_mae": near & labelled, "unlabelled_mae": near & ~labelled}
        errors = self._errors.setdefault(variant, {})
        for name, part in parts.items():
            if part.any():
                error = np.abs(np.clip(depth[part], None, FAR_M) - truth[part])
                errors.setdefault(name, []).append(float(error.mean()))

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return {variant: {figure: value}}, without the figures that no pixel gives."""
        result = {}
        for variant, (far, sky, taken, known) in self._counts.items():
            figures = {}
            if sky:
                figures["sky_beyond_range"] = float(far / sky)
            if known:
                figures["taken_for_far"] = float(taken / known)
            result[variant] = figures | {name: float(np.mean(each)) for name, each in self._errors[variant].items()}
        return result

    def lines(self) -> Iterator[str]:
        """Yield a line for each variant."""
        for variant, figures in self.as_dict().items():
            parts = []
            if "sky_beyond_range" in figures:
                parts.append(f"{figures['sky_beyond_range']:.1%} of the sky is at {FAR_M:g} m or more")
            if "taken_for_far" in figures:
                parts.append(f"{figures['taken_for_far']:.1%} of the rest at more than twice its depth")
            if "edge_mae" in figures:
                parts.append(f"MAE {figures['edge_mae']:.3f} m within {_EDGE_PX} pixels of an edge")
            if "labelled_mae" in figures and "unlabelled_mae" in figures:
                with_label, without = figures["labelled_mae"], figures["unlabelled_mae"]
                parts.append(f"MAE {with_label:.3f} m where lidar has a label and {without:.3f} m where it has none")
            yield f"{variant}: {', '.join(parts)}"


def near_edges(truth: Depth) -> Mask:
    """Return which pixels of a depth map [H, W] lie within 3 pixels (rows and columns) of an occlusion edge."""
    edge = np.zeros(truth.shape, bool)
    for axis in (0, 1):
        first, second = (np.moveaxis(values, axis, 0) for values in (truth, edge))
        nearer, farther = np.minimum(first[1:], first[:-1]), np.maximum(first[1:], first[:-1])
        steps = farther > _STEP * nearer
        second[1:] |= steps
        second[:-1] |= steps
    # A pixel beside the step counts as being on it: so the mask grows by one less.
    for axis in (0, 1):
        grown = edge.copy()
        for shift in range(1, _EDGE_PX):
            ahead, behind = np.moveaxis(grown, axis, 0), np.moveaxis(edge, axis, 0)
            ahead[shift:] |= behind[:-shift]
            ahead[:-shift] |= behind[shift:]
        edge = grown
    return edge
