# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How much synthetic radar scans look like real ones: distributions, and Wasserstein distances with a yardstick.

The yardstick of a quantity is how far real scenes lie from each other: the mean distance of each real scene to all the
others together.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.radar import decode_pcd

Sample: TypeAlias = npt.NDArray[np.float64]  # [N], one value a return or one a scan

# name: (unit, range of the histogram)
QUANTITIES = {
    "returns per scan": ("", (0, 126)),
    "range": ("m", (0, 250)),
    "azimuth": ("degrees", (-65, 65)),
    "RCS": ("dBsm", (-10, 40)),
    "radial speed": ("m/s over ground", (-20, 20)),
    "dyn_prop": ("code", (-0.5, 7.5)),
}
_SCENE_GAP_S = 10.0  # between scans that belong to different scenes


def measure(scans: Sequence[npt.NDArray[np.void]]) -> dict[str, Sample]:
    """Return {quantity: values [N]} of decoded scans (structured arrays as radar.decode_pcd returns them)."""
    merged = np.concatenate(scans)
    x, y = merged["x"].astype(np.float64), merged["y"].astype(np.float64)
    distance = np.maximum(np.hypot(x, y), 1e-6)
    return {
        "returns per scan": np.array([len(scan) for scan in scans], dtype=np.float64),
        "range": distance,
        "azimuth": np.degrees(np.arctan2(y, x)),
        "RCS": merged["rcs"].astype(np.float64),
        "radial speed": (x * merged["vx_comp"] + y * merged["vy_comp"]) / distance,
        "dyn_prop": merged["dyn_prop"].astype(np.float64),
    }


def distance(name: str, first: Sample, second: Sample) -> float:
    """Return the Wasserstein-1 distance of two samples.

    For dyn_prop, whose codes have no order, return the total variation.
    """
    if name == "dyn_prop":
        codes = np.arange(8)
        frequencies = [np.array([(sample == code).mean() for code in codes]) for sample in (first, second)]
        return float(np.abs(frequencies[0] - frequencies[1]).sum() / 2)
    # The area between the two quantile functions, at equally spaced shares.
    shares = (np.arange(4000) + 0.5) / 4000
    return float(np.abs(np.quantile(first, shares) - np.quantile(second, shares)).mean())


def compare(
    synthetic: Sequence[npt.NDArray[np.void]], real_scenes: Sequence[Sequence[npt.NDArray[np.void]]]
) -> dict[str, tuple[float, float, float]]:
    """Return {quantity: (distance of synthetic to real, yardstick, their ratio)}.

    synthetic: scans. real_scenes: one list of scans a scene, two at least.
    """
    everything = measure([scan for scene in real_scenes for scan in scene])
    own = measure(synthetic)
    single = [measure(scene) for scene in real_scenes]
    others = [
        measure([scan for k, scene in enumerate(real_scenes) if k != left_out for scan in scene])
        for left_out in range(len(real_scenes))
    ]
    result = {}
    for name in QUANTITIES:
        reached = distance(name, own[name], everything[name])
        yardstick = float(np.mean([distance(name, a[name], b[name]) for a, b in zip(single, others, strict=True)]))
        result[name] = reached, yardstick, reached / yardstick if yardstick > 0 else float("inf")
    return result


def read_scenes(folder: Path | str) -> list[list[npt.NDArray[np.void]]]:
    """Return the scans of a folder of nuScenes radar files as one list a scene.

    Files are told apart by log and by gaps in time. Raises LircDepthError when there are no files or one is damaged.
    """
    logs: dict[str, list[tuple[float, Path]]] = {}
    for path in sorted(Path(folder).rglob("*.pcd")):
        match = re.fullmatch(r"(.+)__RADAR_\w+__(\d+)", path.stem)
        if match is None:
            raise LircDepthError(f"{path}: not named as nuScenes names radar files, LOG__RADAR_NAME__MICROSECONDS.pcd")
        logs.setdefault(match[1], []).append((int(match[2]) * 1e-6, path))
    if not logs:
        raise LircDepthError(f"{folder}: there are no .pcd files")
    scenes: list[list[npt.NDArray[np.void]]] = []
    for _, files in sorted(logs.items()):
        last = -np.inf
        for stamp, path in sorted(files):
            if stamp - last > _SCENE_GAP_S:
                scenes.append([])
            scenes[-1].append(decode_pcd(path.read_bytes(), path))
            last = stamp
    return scenes


def draw(
    path: Path, synthetic: Sequence[npt.NDArray[np.void]], real: Sequence[npt.NDArray[np.void]] | None = None
) -> None:
    """Draw the six distributions of synthetic scans, and of real ones beside them, into one picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(figure)
    samples = {"synthetic": measure(synthetic)} | ({} if real is None else {"real": measure(real)})
    for axes, (name, (unit, limits)) in zip(figure.subplots(2, 3).flat, QUANTITIES.items(), strict=True):
        bins = np.linspace(*limits, 9 if name == "dyn_prop" else 51)
        for label, sample in samples.items():
            values = np.clip(sample[name], limits[0], limits[1])
            axes.hist(values, bins, density=True, histtype="step", linewidth=1.6, label=label)
        axes.set_title(name)
        axes.set_xlabel(unit)
        axes.set_yticks([])
    figure.axes[0].legend()
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=90)
