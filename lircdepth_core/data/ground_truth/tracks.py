# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotated objects that move, and their poses between annotations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.data import nuscenes
from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.transforms import Float64Array

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

_BOX_MARGIN_M = 0.1  # around an annotated box
_EXTRAPOLATION_US = 500_000  # half a second, the period of key frames
_STANDING_WITHIN_M = 0.5  # an object that is never farther than this from its first place belongs to the static world


@dataclass(frozen=True)
class Track:
    """An annotated object that moves.

    stamps: [T] microseconds, ascending. poses: [T, 4, 4] global <- object. half_size: [3] metres, along the object's x,
    y and z.
    """

    stamps: npt.NDArray[np.int64]
    poses: Float64Array
    half_size: Float64Array

    def pose(self, stamp: int) -> Float64Array | None:
        """Return global <- object at a time in microseconds.

        The pose is interpolated between annotations, and extrapolated for up to half a second before the first one and
        after the last. It is None farther away, where the object may be anywhere.
        """
        if not self.stamps[0] - _EXTRAPOLATION_US <= stamp <= self.stamps[-1] + _EXTRAPOLATION_US:
            return None
        if len(self.stamps) == 1:
            only: Float64Array = self.poses[0]
            return only
        after = int(np.clip(np.searchsorted(self.stamps, stamp), 1, len(self.stamps) - 1))
        fraction = (stamp - self.stamps[after - 1]) / (self.stamps[after] - self.stamps[after - 1])
        return geometry.interpolate(self.poses[after - 1], self.poses[after], fraction)


def moving_tracks(nusc: "NuScenes", scene: Record) -> list[Track]:
    """Return a Track for every annotated object of a scene that moves, or is annotated only once.

    Raises LircDepthError when the tables hold no annotations, as those of the test split.
    """
    if not nusc.sample_annotation:
        raise LircDepthError(
            f"{nusc.version} has no annotations (as nuScenes' test split): moving objects cannot be removed from "
            "accumulated sweeps, so that only single-scan depth is possible there"
        )
    by_instance: dict[str, list[tuple[int, Record]]] = {}
    for sample in nuscenes.scene_samples(nusc, scene):
        for token in sample["anns"]:
            annotation = nusc.get("sample_annotation", token)
            by_instance.setdefault(annotation["instance_token"], []).append((sample["timestamp"], annotation))
    tracks = []
    for annotations in by_instance.values():
        places = np.array([annotation["translation"] for _, annotation in annotations])
        if len(places) > 1 and np.linalg.norm(places - places[0], axis=1).max() < _STANDING_WITHIN_M:
            continue
        width, length, height = annotations[0][1]["size"]
        tracks.append(
            Track(
                np.array([stamp for stamp, _ in annotations]),
                np.stack([geometry.rigid_transform(a["translation"], a["rotation"]) for _, a in annotations]),
                np.array([length, width, height]) / 2 + _BOX_MARGIN_M,
            )
        )
    return tracks
