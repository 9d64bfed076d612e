# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sensors' mounting on the vehicle, in a small YAML file for machines without tf2.

parent: base_link
frames:
  CAM_FRONT:
    translation: {x: 1.7, y: 0.0, z: 1.5}           # metres
    rotation: {x: -0.5, y: 0.5, z: -0.5, w: 0.5}    # unit quaternion
intrinsics:                                         # optional: pixels, of the rectified image
  CAM_FRONT: {fx: 1266.4, fy: 1266.4, cx: 816.3, cy: 491.5}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.geometry.transforms import Float64Array, invert, quaternion_from_transform, rigid_transform

BASE_FRAME = "base_link"  # REP 105


class Calibration:
    """Rigid transforms base_link <- sensor, by frame: {frame: 4x4 float64, metres}.

    intrinsics: {camera frame: [3, 3] pixels}; empty where the file has none (a node has them from camera_info).
    """

    def __init__(
        self, base_from_sensor: Mapping[str, Float64Array], intrinsics: Mapping[str, npt.ArrayLike] | None = None
    ) -> None:
        self.base_from_sensor = dict(base_from_sensor)
        self.intrinsics = {frame: np.asarray(matrix, np.float64) for frame, matrix in (intrinsics or {}).items()}

    def transform(self, target_frame: str, source_frame: str) -> Float64Array:
        """Return the 4x4 transform from one frame to another: target <- source, metres.

        Either frame may be base_link. Raises LircDepthError, listing the known frames, when one is unknown.
        """
        return invert(self._base_from(target_frame)) @ self._base_from(source_frame)

    def _base_from(self, frame: str) -> Float64Array:
        frame = frame.lstrip("/")  # which tf had, and tf2 has not
        if frame == BASE_FRAME:
            return rigid_transform((0, 0, 0), (1, 0, 0, 0))
        if frame not in self.base_from_sensor:
            known = ", ".join([BASE_FRAME, *sorted(self.base_from_sensor)])
            raise LircDepthError(f"the calibration has no frame {frame!r}; known: {known}")
        return self.base_from_sensor[frame]

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a calibration file. Raises LircDepthError, naming the file and the wrong entry."""
        import yaml

        try:
            content = yaml.safe_load(Path(path).read_bytes())
        except OSError as error:
            raise LircDepthError(f"calibration {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise LircDepthError(f"calibration {path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(content, dict) or not isinstance(content.get("frames"), dict):
            raise LircDepthError(f"calibration {path} has no mapping 'frames'")
        if content.get("parent") != BASE_FRAME:
            raise LircDepthError(f"calibration {path}: parent is {content.get('parent')!r}, expected '{BASE_FRAME}'")
        cameras = content.get("intrinsics") or {}
        if not isinstance(cameras, dict):
            raise LircDepthError(f"calibration {path}: intrinsics is not a mapping of camera frames")
        return cls(
            {frame: _parse(path, frame, entry) for frame, entry in content["frames"].items()},
            {frame: _parse_intrinsics(path, frame, entry) for frame, entry in cameras.items()},
        )

    def save(self, path: str | Path) -> None:
        """Write the calibration; the file appears when it is complete."""
        import yaml

        frames = {}
        for frame, transform in sorted(self.base_from_sensor.items()):
            w, x, y, z = quaternion_from_transform(transform).tolist()
            frames[frame] = {
                "translation": dict(zip("xyz", transform[:3, 3].tolist(), strict=True)),
                "rotation": {"x": x, "y": y, "z": z, "w": w},
            }
        content: dict[str, object] = {"parent": BASE_FRAME, "frames": frames}
        if self.intrinsics:
            content["intrinsics"] = {
                frame: {"fx": float(k[0, 0]), "fy": float(k[1, 1]), "cx": float(k[0, 2]), "cy": float(k[1, 2])}
                for frame, k in sorted(self.intrinsics.items())
            }
        with written_whole(path) as partial:
            partial.write_text(yaml.safe_dump(content, sort_keys=False))


def _parse(path: str | Path, frame: str, entry: Any) -> Float64Array:
    try:
        translation = [float(entry["translation"][axis]) for axis in "xyz"]
        rotation = [float(entry["rotation"][axis]) for axis in "wxyz"]
        return rigid_transform(translation, rotation)
    except KeyError as error:
        raise LircDepthError(f"calibration {path}: frame {frame} lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise LircDepthError(f"calibration {path}: frame {frame}: {error}") from error


def _parse_intrinsics(path: str | Path, frame: str, entry: Any) -> Float64Array:
    try:
        fx, fy, cx, cy = (float(entry[name]) for name in ("fx", "fy", "cx", "cy"))
    except KeyError as error:
        raise LircDepthError(f"calibration {path}: intrinsics of {frame} lack {error}") from error
    except (TypeError, ValueError) as error:
        raise LircDepthError(f"calibration {path}: intrinsics of {frame}: {error}") from error
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
