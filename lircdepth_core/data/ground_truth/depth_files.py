# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Depth maps as 16-bit PNG files."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

if TYPE_CHECKING:
    from nuscenes.nuscenes import NuScenes

DEPTH_UNITS_PER_METRE = 256  # in files, which hold whole numbers below 2^16


def depth_path(folder: str | Path, nusc: "NuScenes", sample: Record, camera: str = "CAM_FRONT") -> Path:
    """Return the path of the dense depth of a key frame's image: folder/CAMERA/<image's stem>.png."""
    record = nusc.get("sample_data", sample["data"][camera])
    return Path(folder, camera, Path(record["filename"]).stem + ".png")


def write_depth(path: str | Path, depth: npt.NDArray[np.float32]) -> None:
    """Write a depth map [H, W] (metres, 0 = unknown) as 16-bit PNG, metres * 256; the file appears when it is complete.

    Depth from 256 m on does not fit and is written as unknown.
    """
    from PIL import Image

    path = Path(path)
    values = np.rint(depth * DEPTH_UNITS_PER_METRE)
    values[~(values < 2**16)] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        Image.fromarray(values.astype(np.uint16)).save(partial, format="PNG", compress_level=3)


def read_depth(path: str | Path) -> npt.NDArray[np.float32]:
    """Return a depth map that ``write_depth`` wrote: float32 [H, W] metres. Raises LircDepthError."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such depth map; `lircdepth ground-truth` makes them") from error
    except (OSError, SyntaxError) as error:
        raise LircDepthError(f"{path}: not a complete PNG: {error}") from error
    if values.ndim != 2 or values.dtype not in (np.uint16, np.int32):
        raise LircDepthError(f"{path}: {values.dtype} {values.shape}, expected a 16-bit depth map")
    return values.astype(np.float32) / DEPTH_UNITS_PER_METRE
