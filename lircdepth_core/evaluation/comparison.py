# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Two results of `lircdepth eval` on the same images, compared image by image.

Images differ more from each other than networks do on one image, so that a difference of means says little: the
differences of pairs are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.report import IMAGES, RESULTS, WHOLE_RANGE

METRICS = ("mae", "abs_rel", "delta1")
_RESAMPLES = 10_000
_INTERVAL_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class Results:
    """A folder that `lircdepth eval` wrote. about: results.json. images: {name: line of images.jsonl}."""

    folder: Path
    about: dict[str, Any]
    images: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Difference:
    """The second result less the first one, over the images that have the group.

    first, second: means. low, high: 95 % bootstrap interval of the mean difference. p: of Wilcoxon's signed-rank test
    (two-sided), the probability of such differences where neither result is better; 1 where all are equal.
    """

    group: str
    metric: str
    images: int
    first: float
    second: float
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """Mean difference."""
        return self.second - self.first


def read(folder: str | Path) -> Results:
    """Return what `lircdepth eval` wrote into a folder. Raises LircDepthError where it wrote nothing there."""
    folder = Path(folder)
    try:
        about = json.loads((folder / RESULTS).read_text())
        lines = [json.loads(line) for line in (folder / IMAGES).read_text().splitlines()]
        return Results(folder, about, {line["image"]: line for line in lines})
    except FileNotFoundError as error:
        raise LircDepthError(f"{error.filename}: no such file; `lircdepth eval -o {folder}` writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LircDepthError(f"{folder}: not a whole result of `lircdepth eval`: {error!r}") from error


def compare(
    first: Results, second: Results, metrics: Sequence[str] = METRICS, variant: str = "radar"
) -> list[Difference]:
    """Return the difference of each metric in each group: caps, ranges and conditions.

    Raises LircDepthError where the results are of other data, truth or images, or have no such variant or metric.
    """
    for key in ("data_sha256", "truth"):
        values = [result.about.get(key) for result in (first, second)]
        if values[0] != values[1]:
            raise LircDepthError(
                f"{first.folder} and {second.folder} are of different data ({key} {values[0]} and {values[1]}): errors "
                "can only be compared on the same images"
            )
    if first.images.keys() != second.images.keys():
        alone = sorted(first.images.keys() ^ second.images.keys())
        raise LircDepthError(
            f"{len(alone)} images are in one of {first.folder} and {second.folder} only ({alone[0]} ...): evaluate "
            "both with the same --limit"
        )
    found = []
    for group in _groups(first, variant):
        for metric in metrics:
            pairs = _pairs(first, second, variant, group, metric)
            low, high = _interval(pairs[:, 1] - pairs[:, 0])
            means = pairs.mean(axis=0)
            p = _wilcoxon(pairs[:, 1] - pairs[:, 0])
            found.append(Difference(group, metric, len(pairs), float(means[0]), float(means[1]), low, high, p))
    return found


def worst_images(
    first: Results, second: Results, count: int, variant: str = "radar", metric: str = "mae"
) -> list[tuple[str, float, float]]:
    """Return (name, first's error, second's) of the images on which the two differ most over the whole range."""
    rows = []
    for name in first.images:
        values = [result.images[name]["errors"][variant].get(WHOLE_RANGE, {}) for result in (first, second)]
        if all(metric in value for value in values):
            rows.append((name, float(values[0][metric]), float(values[1][metric])))
    return sorted(rows, key=lambda row: -abs(row[1] - row[2]))[:count]


def lines(differences: Sequence[Difference]) -> list[str]:
    """Return the table."""
    from tabulate import tabulate

    header = ["group", "images", "metric", "A", "B", "B - A", "95 % from", "to", "Wilcoxon p"]
    rows = [
        [one.group, one.images, one.metric, one.first, one.second, one.difference, one.low, one.high, f"{one.p:.2g}"]
        for one in differences
    ]
    notes = ["mean over images; intervals by bootstrap over images, which are taken to be independent of each other"]
    return [*tabulate(rows, header, floatfmt=".3f", disable_numparse=[8]).splitlines(), *notes]


def _groups(result: Results, variant: str) -> list[str]:
    groups: dict[str, None] = {}
    for name, image in result.images.items():
        if variant not in image["errors"]:
            raise LircDepthError(f"{result.folder}: {name} has no '{variant}', expected {', '.join(image['errors'])}")
        groups |= dict.fromkeys(image["errors"][variant])
    return list(groups)


def _pairs(first: Results, second: Results, variant: str, group: str, metric: str) -> npt.NDArray[np.float64]:
    """Return the two errors of each image that has the group: [N, 2]."""
    pairs = []
    for name, image in first.images.items():
        values = [each["errors"].get(variant, {}).get(group) for each in (image, second.images[name])]
        if None in values:
            continue
        if metric not in values[0] or metric not in values[1]:
            raise LircDepthError(f"no metric '{metric}', expected some of {', '.join(values[0])}")
        pairs.append([value[metric] for value in values])
    if not pairs:
        raise LircDepthError(f"{second.folder}: no image has '{variant}', {group}")
    return np.array(pairs)


def _interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    # Block by block: for a large data set all resamples at once would not fit into memory.
    means = [differences[generator.integers(len(differences), size=len(differences))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, _INTERVAL_PERCENT)
    return float(low), float(high)


def _wilcoxon(differences: npt.NDArray[np.float64]) -> float:
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0
