# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sensors' mounting on the vehicle, in a small YAML file for machines without tf2.

parent: base_link
frames:
  CAM_FRONT:
    translation: {x: 1.7, y: 0.0, z: 1.5}           # metres
    rotation: {x: -0.5, y: 0.5, z: -0.5, w: 0.5}    # unit quaternion
intrinsics:                                         # optional: pixels, of the rectified image
  CAM_FRONT: {fx: 1266.4, fy: 1266.4, cx: 816.3, cy: 491.5, width: 1600, height: 900}

A translation may be a list of three, intrinsics a 3x3 matrix (by rows, or flat); width and height may be missing.
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
    image_sizes: {camera frame: (width, height) pixels} that the intrinsics belong to, where it is known.
    """

    def __init__(
        self,
        base_from_sensor: Mapping[str, Float64Array],
        intrinsics: Mapping[str, npt.ArrayLike] | None = None,
        image_sizes: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.base_from_sensor = dict(base_from_sensor)
        self.intrinsics = {frame: np.asarray(matrix, np.float64) for frame, matrix in (intrinsics or {}).items()}
        self.image_sizes = dict(image_sizes or {})

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
            raise LircDepthError(f"calibration {path} has no mapping 'frames'{_of_another_kind(content)}")
        if content.get("parent") != BASE_FRAME:
            raise LircDepthError(f"calibration {path}: parent is {content.get('parent')!r}, expected '{BASE_FRAME}'")
        cameras = content.get("intrinsics") or {}
        if not isinstance(cameras, dict):
            raise LircDepthError(f"calibration {path}: intrinsics is not a mapping of camera frames")
        parsed = {frame: _parse_intrinsics(f"calibration {path}: {frame}", entry) for frame, entry in cameras.items()}
        return cls(
            {frame: _parse(f"calibration {path}: {frame}", entry) for frame, entry in content["frames"].items()},
            {frame: matrix for frame, (matrix, _) in parsed.items()},
            {frame: size for frame, (_, size) in parsed.items() if size is not None},
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
                | dict(zip(("width", "height"), self.image_sizes.get(frame, ()), strict=False))
                for frame, k in sorted(self.intrinsics.items())
            }
        with written_whole(path) as partial:
            partial.write_text(yaml.safe_dump(content, sort_keys=False))


_KINDS = {  # a key that shows what another program's file is: its name
    "camera_matrix": "a file of ROS's camera_calibration",
    "image_width": "a file of ROS's camera_calibration",
    "P0": "a calibration of KITTI",
    "P2": "a calibration of KITTI",
    "cam0": "a file of Kalibr",
}
_EXPECTED = (
    "expected 'parent: base_link', 'frames' with each sensor's translation and rotation, and 'intrinsics' with each "
    "camera's fx, fy, cx, cy"
)


def _of_another_kind(content: Any) -> str:
    """Return what a file is that is not a calibration of ours, for an error's text."""
    keys = [str(key) for key in content] if isinstance(content, dict) else str(content).split(":")[:1]
    kind = next((_KINDS[key] for key in keys if key in _KINDS), None)
    return f" ({f'it is {kind}; ' if kind else ''}{_EXPECTED})"


def _number(where: str, name: str, value: Any) -> float:
    """Return a finite number. Raises LircDepthError naming the entry and what it holds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number) or isinstance(value, bool):
        raise LircDepthError(f"{where}: {name} is {value!r}, expected a number such as 1.5")
    return number


def _numbers(where: str, name: str, entry: Any, axes: str) -> list[float]:
    """Return the values of a mapping's axes. Raises LircDepthError for anything else."""
    if not isinstance(entry, dict):
        raise LircDepthError(f"{where}: {name} is {entry!r}, expected a mapping with {', '.join(sorted(axes))}")
    missing = [axis for axis in axes if axis not in entry]
    if missing:
        raise LircDepthError(
            f"{where}: {name} lacks '{missing[0]}'; it has {', '.join(map(str, entry))}, "
            f"expected {', '.join(sorted(axes))}" + (" of a unit quaternion" if name == "rotation" else "")
        )
    return [_number(where, f"{name} {axis}", entry[axis]) for axis in axes]


def _parse(where: str, entry: Any) -> Float64Array:
    if not isinstance(entry, dict) or not {"translation", "rotation"} <= entry.keys():
        raise LircDepthError(f"{where}: {entry!r}, expected a translation and a rotation")
    translation = entry["translation"]
    if isinstance(translation, list) and len(translation) == 3:
        translation = dict(zip("xyz", translation, strict=True))
    # A list of four could be x y z w as well as w x y z.
    rotation = _numbers(where, "rotation", entry["rotation"], "wxyz")
    try:
        return rigid_transform(_numbers(where, "translation", translation, "xyz"), rotation)
    except ValueError as error:
        raise LircDepthError(f"{where}: {error}") from error


def _parse_intrinsics(where: str, entry: Any) -> tuple[Float64Array, tuple[int, int] | None]:
    """Return the matrix [3, 3] and (width, height), or None where they are not given."""
    where = f"{where}, intrinsics"
    size = None
    if isinstance(entry, list):
        flat = [value for row in entry for value in (row if isinstance(row, list) else [row])]
        if len(flat) != 9:
            raise LircDepthError(f"{where}: {len(flat)} numbers, expected the 9 of a 3x3 matrix, or fx, fy, cx, cy")
        matrix = np.array([_number(where, "the matrix", value) for value in flat]).reshape(3, 3)
        if not np.array_equal(matrix[2], [0, 0, 1]):
            raise LircDepthError(f"{where}: the matrix ends with {matrix[2].tolist()}, expected 0, 0, 1")
    else:
        if isinstance(entry, dict) and {"width", "height"} <= entry.keys():
            width, height = (_number(where, name, entry[name]) for name in ("width", "height"))
            size = int(width), int(height)
        names = ("fx", "fy", "cx", "cy")
        if not isinstance(entry, dict):
            raise LircDepthError(f"{where}: {entry!r}, expected fx, fy, cx, cy, or a 3x3 matrix")
        missing = [name for name in names if name not in entry]
        if missing:
            raise LircDepthError(f"{where} lack '{missing[0]}'; there are {', '.join(map(str, entry))}")
        fx, fy, cx, cy = (_number(where, name, entry[name]) for name in names)
        matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    for name, value in (("fx", matrix[0, 0]), ("fy", matrix[1, 1])):
        if not value > 0:
            raise LircDepthError(f"{where}: {name} is {value:g}, expected a positive number of pixels")
    return matrix, size
