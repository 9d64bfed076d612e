# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What guesses without a network reach: a constant, the ground plane, the nearest radar return by column.

A network that is not clearly better than these has learned nothing; a set on which these are good would be too easy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.data.frame import prepare
from lircdepth_core.evaluation.metrics import CAPS
from lircdepth_core.evaluation.report import ErrorCollector, Report, has_truth
from lircdepth_core.synthetic.sensors.rig import CameraModel

_FRAMES_FITTED_ON = 64  # at most

Depth = npt.NDArray[np.float64]
Returns = tuple[npt.NDArray[Any], npt.NDArray[Any]]  # pixels (column, row) [N, 2] and depth [N] metres


class Frames(Protocol):
    """A source of raw frames (see data.frame) of one size: packed ones, or those of the street."""

    size: tuple[int, int]
    description: str

    def __len__(self) -> int: ...

    def frame(self, index: int) -> dict[str, torch.Tensor]:
        """Return the raw frame ``index``."""
        ...


def constant(camera: CameraModel, returns: Returns, value: float) -> Depth:
    """Return the same depth everywhere."""
    return np.full((camera.height, camera.width), value)


def ground_plane(camera: CameraModel, returns: Returns, value: float) -> Depth:
    """Return the depth at which each pixel's ray meets level ground; the greatest cap above the horizon."""
    height = camera.ego_from_sensor[2][3]
    down = (np.arange(camera.height) - camera.cy) / camera.fy
    depth = np.where(down > 0, height / np.maximum(down, 1e-9), CAPS[-1])
    return np.repeat(np.minimum(depth, CAPS[-1])[:, None], camera.width, axis=1)


def nearest_return(camera: CameraModel, returns: Returns, value: float) -> Depth:
    """Return the depth of the radar return that lies nearest in columns; ``value`` where there is none.

    Of several returns in one column the nearest one counts.
    """
    pixels, depth = returns
    if not len(depth):
        return constant(camera, returns, value)
    apart = np.abs(np.arange(camera.width)[:, None] - np.rint(pixels[:, 0]))
    columns = depth[np.lexsort((np.broadcast_to(depth, apart.shape), apart), axis=1)[:, 0]]
    return np.repeat(columns[None], camera.height, axis=0)


GUESSES: dict[str, Callable[[CameraModel, Returns, float], Depth]] = {
    "constant": constant,
    "ground plane": ground_plane,
    "nearest return by column": nearest_return,
}


def evaluate(
    fitted_on: Frames,
    frames: Frames,
    truth: str = "exact",
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Report:
    """Return the errors of each guess on frames of the street.

    The camera is taken to stand on the street as the synthetic one does; the constant is the median lidar depth of the
    frames ``fitted_on``. truth: "exact", the rendered depth, or "single", the lidar scan.
    Raises LircDepthError when no frame has ground truth.
    """
    step = max(1, len(fitted_on) // _FRAMES_FITTED_ON)
    depths = [fitted_on.frame(index)["single"] for index in range(0, len(fitted_on), step)]
    value = float(torch.cat([depth[(depth > 0) & (depth < max(CAPS))] for depth in depths]).median())
    height, width = frames.size
    camera = CameraModel().resized(width, height)
    collector = ErrorCollector()
    for index in progress(range(len(frames))):
        frame = frames.frame(index)
        rows, columns = torch.nonzero(frame["radar"][0], as_tuple=True)
        returns = torch.stack([columns, rows], dim=1).numpy(), frame["radar"][0][rows, columns].numpy()
        guesses = {name: guess(camera, returns, value) for name, guess in GUESSES.items()}
        sample = prepare(frame | {name: torch.from_numpy(depth)[None].float() for name, depth in guesses.items()})
        depth_truth = sample.get(truth, sample["single"])[0].numpy()
        if not has_truth(depth_truth):
            collector.leave_out(f"frame {index} has no ground truth")
            continue
        for name in guesses:
            collector.add(name, sample[name][0].numpy(), depth_truth)
    about = {"data": frames.description, "truth": truth, "constant [m]": round(value, 2)}
    return collector.report(about)
