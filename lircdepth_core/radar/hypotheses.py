# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a radar's velocities mean, decided by its own recording: most of what it sees stands still.

Each field that may be a velocity is read in every way. The right way is the one in which most returns have the speed of
a standing thing, as the vehicle's own motion gives it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lircdepth_core.geometry.transforms import Float64Array
from lircdepth_core.radar.measured import VelocityKind

TOLERANCE_M_S = 0.5  # of a standing return's speed
_EQUAL_SHARE = 0.02  # shares of standing returns that differ by less are alike; the earlier kind is then preferred
_PREFERRED = (VelocityKind.RELATIVE, VelocityKind.RADIAL, VelocityKind.OVER_GROUND, VelocityKind.COMPENSATED_RADIAL)
_SPEED_NAME = re.compile(r"vel|speed|doppler|rate|^v(_|x|y|r|rel|abs|$)")
_AXES = re.compile(r"^(.*?)(x)(_?[a-z]*)$")
_COARSE, _FINE = np.radians(2.0), np.radians(0.25)  # steps in which a mounting's heading is searched


@dataclass(frozen=True)
class Hypothesis:
    """One way to read velocities: fields of a kind, with a sign."""

    kind: VelocityKind
    fields: tuple[str, ...]
    sign: float = 1.0

    def excess(self, returns: Returns) -> Float64Array:
        """Return by how much each return's speed along the line of sight exceeds that of a standing thing [N] m/s."""
        values = [self.sign * returns.columns[name] for name in self.fields]
        if self.kind in (VelocityKind.RADIAL, VelocityKind.COMPENSATED_RADIAL):
            along = values[0]
        else:
            along = (np.column_stack(values) * returns.sight[:, :2]).sum(axis=1)
        if self.kind in (VelocityKind.RADIAL, VelocityKind.RELATIVE):
            along = along + (returns.sight * returns.own).sum(axis=1)
        return along


@dataclass(frozen=True)
class Returns:
    """The returns of a recording's scans, while the vehicle drove.

    columns: {field: [N]} as the driver gives them. sight [N, 3]: unit vectors from the sensor. own [N, 3]: the sensor's
    own velocity over ground at the time of the scan, m/s; both in the sensor's frame.
    """

    columns: Mapping[str, Float64Array]
    sight: Float64Array
    own: Float64Array

    def turned(self, angle: float) -> Returns:
        """Return the same with the sensor mounted ``angle`` [rad] further to the left."""
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1.0]])
        return Returns(self.columns, self.sight, self.own @ rotation.T)


@dataclass(frozen=True)
class Verdict:
    """A hypothesis and the share of returns that stand by it.

    heading [rad]: how much further to the left the sensor would have to look for the greatest share, ``best_share``.
    """

    hypothesis: Hypothesis
    share: float
    heading: float
    best_share: float


def speed_fields(names: Sequence[str]) -> list[str]:
    """Return the fields whose names say that they may be velocities."""
    return [name for name in names if _SPEED_NAME.search(name.lower())]


def judge(returns: Returns) -> list[Verdict]:
    """Return a verdict on each way to read the fields that may be velocities, the likeliest first."""
    names = speed_fields(list(returns.columns))
    pairs = [(name, _other_axis(name)) for name in names if _other_axis(name) in returns.columns]
    alone = [name for name in names if not any(name in pair for pair in pairs)]
    ways = [
        *(Hypothesis(VelocityKind.RELATIVE, pair, sign) for pair in pairs for sign in (1.0, -1.0)),
        *(Hypothesis(VelocityKind.OVER_GROUND, pair) for pair in pairs),
        *(Hypothesis(VelocityKind.RADIAL, (name,), sign) for name in alone for sign in (1.0, -1.0)),
        *(Hypothesis(VelocityKind.COMPENSATED_RADIAL, (name,)) for name in alone),
    ]
    verdicts = [Verdict(way, _standing(way, returns), *_best_heading(way, returns)) for way in ways]
    best = max((verdict.share for verdict in verdicts), default=0.0)

    def rank(verdict: Verdict) -> tuple[int, float]:
        alike = verdict.share >= best - _EQUAL_SHARE
        return (_PREFERRED.index(verdict.hypothesis.kind) if alike else len(_PREFERRED), -verdict.share)

    return sorted(verdicts, key=rank)


def _other_axis(name: str) -> str:
    """Return the name of the y component where ``name`` is that of an x component, or an empty text."""
    match = _AXES.match(name)
    return f"{match.group(1)}y{match.group(3)}" if match else ""


def _standing(way: Hypothesis, returns: Returns) -> float:
    return float((np.abs(way.excess(returns)) < TOLERANCE_M_S).mean())


def _best_heading(way: Hypothesis, returns: Returns) -> tuple[float, float]:
    """Return (heading [rad], share) of the mounting with the greatest share of standing returns."""
    if way.kind not in (VelocityKind.RADIAL, VelocityKind.RELATIVE):
        return 0.0, _standing(way, returns)

    def search(headings: npt.NDArray[np.float64]) -> tuple[float, float]:
        shares = [_standing(way, returns.turned(float(heading))) for heading in headings]
        best = max(shares)
        middle = np.median(headings[np.asarray(shares) >= best - 1e-9])  # a plateau has its middle
        return float(middle), best

    coarse, _ = search(np.arange(-np.pi, np.pi, _COARSE))
    return search(coarse + np.arange(-_COARSE, _COARSE + _FINE, _FINE))
