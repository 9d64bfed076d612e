# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one report of depth errors: collected image by image, then a table, JSON and a picture.

Every command that measures depth makes it: `eval`, `eval-bag`, `infer-bag`, the demo, the ablation and the guesses
without a network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import version
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import Picture
from lircdepth_core.evaluation.metrics import CAPS, NAMES, Errors, depth_errors, mean_errors
from lircdepth_core.evaluation.pictures import Panel, montage
from lircdepth_core.evaluation.worst import WorstImage, WorstImages
from lircdepth_core.files import written_whole

RANGES = ((0.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 50.0), (50.0, 80.0))  # metres
NEAREST_TRUTH = 1e-3  # metres
RESULTS, IMAGES, WORST = "results.json", "images.jsonl", "worst"  # files and a folder in a report's folder
_REASONS_KEPT = 20


def cap_group(cap: float) -> str:
    """Return the name of the group of pixels whose true depth is below a cap [m]."""
    return f"0-{cap:g} m"


WHOLE_RANGE = cap_group(max(CAPS))


def has_truth(truth: npt.NDArray[np.floating[Any]]) -> bool:
    """Return whether a true depth map, or list of depths, in metres can be evaluated against at every cap."""
    return bool(((truth > NEAREST_TRUTH) & (truth < min(CAPS))).any())


@dataclass(frozen=True)
class Report:
    """Mean errors over images.

    about: what was measured (weights, data, truth ...). errors: {variant: {group: mean errors}}, where a variant is
    what gave the depth ("radar", "no radar", or the name of a guess) and a group is a cap ("0-50 m"), a range bin
    ("10-20 m bin") or a condition ("night"; to the greatest cap). left_out: images without a result; reasons: the
    first ones. notes: what a reader of the figures must know. images: the errors of each image, {"image": its name,
    "conditions": [...], "errors": as above without the mean, "seconds": of the pipeline, where measured}. worst: the
    images with the greatest errors of the first variant, as pictures.
    """

    about: dict[str, Any]
    errors: dict[str, dict[str, Errors]]
    left_out: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    images: tuple[dict[str, Any], ...] = ()
    worst: tuple[WorstImage, ...] = ()

    @property
    def frames(self) -> int:
        """How many images were evaluated."""
        return int(next(iter(self.errors.values()))[cap_group(min(CAPS))]["images"])

    def mean(self, name: str, variant: str | None = None, group: str = WHOLE_RANGE) -> float:
        """Return one figure; by default that of the first variant over the whole range."""
        errors = next(iter(self.errors.values())) if variant is None else self.errors[variant]
        return float(errors[group][name])

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the JSON file."""
        lists = {"reasons": self.reasons, "notes": self.notes}
        given = {name: list(texts) for name, texts in lists.items() if texts}
        code = {"version": version.version(), "commit": version.commit()}
        counts = {"frames": self.frames, "left_out": self.left_out}
        return self.about | code | counts | given | {"errors": self.errors}

    def _worst_files(self) -> dict[str, Any]:
        files = [
            {"image": worst.image, "mae": worst.mae, "picture": worst_name(number)}
            for number, worst in enumerate(self.worst, 1)
        ]
        return {"worst": files} if files else {}

    def lines(self) -> list[str]:
        """Return the table: a line for each group of the first variant, with the MAE of the second beside it.

        With more than two variants there is a line for each of them and each cap.
        """
        from tabulate import tabulate

        first, *others = self.errors
        if len(others) > 1:
            header = ["depth", "group", "images", *NAMES]
            rows = [
                [variant, group, groups[group]["images"], *(groups[group][name] for name in NAMES)]
                for variant, groups in self.errors.items()
                for group in map(cap_group, CAPS)
            ]
        else:
            header = ["group", "images", *NAMES, *others]
            rows = [
                [group, errors["images"], *(errors[name] for name in NAMES)]
                + [self.errors[other][group]["mae"] for other in others]
                for group, errors in self.errors[first].items()
            ]
        notes = ["mean over images; metres where not a ratio"]
        if len(others) == 1:
            notes.append(f"the last column is the MAE of the same images with {others[0]}")
        if self.left_out:
            why = f": {self.reasons[0]}" if self.reasons else ""
            notes.append(f"{self.left_out} images were left out{why}")
        notes += self.notes
        return [*tabulate(rows, header, floatfmt=".3f").splitlines(), *notes]

    def write(self, folder: str | Path, panels: Sequence[Panel] | None = None, title: str = "") -> None:
        """Write results.json, images.jsonl, table.txt and worst/, and with panels eval.png, into a folder.

        A missing folder is made. A line of images.jsonl is one image, see ``images``.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        texts = {
            RESULTS: json.dumps(self.as_dict() | self._worst_files(), indent=1),
            IMAGES: "\n".join(map(json.dumps, self.images)),
            "table.txt": "\n".join(self.lines()),
        }
        for name, text in texts.items():
            with written_whole(folder / name) as partial:
                partial.write_text(text + "\n")
        for number, worst in enumerate(self.worst, 1):
            (folder / WORST).mkdir(exist_ok=True)
            with written_whole(folder / worst_name(number)) as partial:
                partial.write_bytes(worst.jpeg)
        if panels is not None:
            montage(folder / "eval.png", panels, title)


class ErrorCollector:
    """Collects the errors of images, one after the other, for a Report."""

    def __init__(self) -> None:
        self._images: dict[str, dict[str, Any]] = {}
        self.left_out = 0
        self.reasons: list[str] = []
        self._worst = WorstImages()
        self._notes: dict[str, None] = {}  # each once, in the order in which they came

    def add(
        self,
        variant: str,
        depth: npt.NDArray[np.floating[Any]],
        truth: npt.NDArray[np.floating[Any]],
        conditions: Collection[str] = (),
        farthest: float = float("inf"),
        image: str | None = None,
        draw: Callable[[], Picture] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Take one image: depth and truth [H, W] or [N], metres; NaN in depth and 0 in truth are unknown.

        image: its name, by which several variants of one image belong together; None: its number among the variant's.
        farthest [m]: what the encoding of depth or truth can hold. Groups that reach beyond are not measured: of what
        is farther nothing is known. draw: returns a picture of it, for when it is one of the worst. seconds: how long
        the estimate took. Raises LircDepthError, and takes nothing of the image, when there is no pixel to evaluate at
        one of the caps.
        """
        found = _by_group(depth, truth, conditions, farthest)
        if image is None:
            image = f"image {sum(variant in taken['errors'] for taken in self._images.values())}"
        entry = {"image": image, "conditions": list(conditions), "errors": {}}
        self._images.setdefault(image, entry)["errors"][variant] = found
        if seconds is not None:
            self._images[image]["seconds"] = round(seconds, 5)
        if draw is not None:
            self._worst.offer(image, found[_widest(found)]["mae"], draw)

    def leave_out(self, reason: str) -> None:
        """Count an image that has no result."""
        self.left_out += 1
        if len(self.reasons) < _REASONS_KEPT:
            self.reasons.append(reason)

    def join(self, other: ErrorCollector) -> None:
        """Take what another one has collected, after what is here."""
        self._images |= other._images
        self.left_out += other.left_out
        self.reasons += other.reasons[: max(0, _REASONS_KEPT - len(self.reasons))]
        self._notes |= other._notes
        self._worst.join(other._worst)

    def note(self, text: str) -> None:
        """Add a line for the reader of the report, unless it is there already."""
        self._notes[text] = None

    def report(self, about: dict[str, Any]) -> Report:
        """Return the means. Raises LircDepthError when no image was taken."""
        if not self._images:
            reason = self.reasons[-1] if self.reasons else "there is none"
            raise LircDepthError(f"no image can be evaluated: {reason}")
        collected: dict[str, dict[str, list[Errors]]] = {}
        for image in self._images.values():
            for variant, groups in image["errors"].items():
                for group, errors in groups.items():
                    collected.setdefault(variant, {}).setdefault(group, []).append(errors)
        means = {
            variant: {group: mean_errors(errors) for group, errors in groups.items()}
            for variant, groups in collected.items()
        }
        return Report(
            about,
            means,
            self.left_out,
            tuple(self.reasons),
            tuple(self._notes),
            tuple(self._images.values()),
            self._worst.ordered(),
        )


def worst_name(number: int) -> str:
    """Return the file of the ``number``-th worst image's picture, in a report's folder."""
    return f"{WORST}/{number:02d}.jpg"


def _widest(found: dict[str, Errors]) -> str:
    """Return the cap group of an image that reaches farthest."""
    return [group for group in map(cap_group, CAPS) if group in found][-1]


def _by_group(
    depth: npt.NDArray[np.floating[Any]],
    truth: npt.NDArray[np.floating[Any]],
    conditions: Collection[str],
    farthest: float,
) -> dict[str, Errors]:
    found = {cap_group(cap): depth_errors(depth, truth, cap) for cap in CAPS if cap <= farthest}
    for near, far in RANGES:
        if far > farthest:
            continue
        inside = (truth > near) & (truth < far)
        if (inside & (truth > NEAREST_TRUTH) & ~np.isnan(depth)).any():
            # Depth is clamped to the whole range, not to the end of the bin.
            found[f"{near:g}-{far:g} m bin"] = depth_errors(depth, np.where(inside, truth, 0), max(CAPS))
    if max(CAPS) <= farthest:
        found |= {condition: depth_errors(depth, truth, max(CAPS)) for condition in conditions}
    return found
