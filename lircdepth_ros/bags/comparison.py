# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fields of a message compared with what a data set says they must be.

A check yields (field, found, expected); ``compare`` keeps those that differ. Nothing here uses the converter's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_ros.messages.definitions import Message

POINT_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 8: "<f8"}

Check = tuple[str, Any, Any]  # field, found, expected


class Near:
    """Values that are compared to a tolerance."""

    def __init__(self, values: npt.ArrayLike, tolerance: float) -> None:
        self.values, self.tolerance = np.asarray(values), tolerance

    def __str__(self) -> str:
        return f"{self.values} within {self.tolerance}"


def compare(pairs: Iterable[Check]) -> Iterator[tuple[str, str, str]]:
    """Yield (field, found, expected), as short texts, of those checks whose values differ."""
    for field, found, expected in pairs:
        if isinstance(expected, Near):
            found = np.asarray(found)
            same = found.shape == expected.values.shape and np.allclose(
                found, expected.values, rtol=0, atol=expected.tolerance
            )
        elif isinstance(expected, np.ndarray):
            same = np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")
        else:
            same = found == expected or (found != found and expected != expected)
        if not same:
            yield field, _brief(found), _brief(expected)


def _brief(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} other bytes"
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else text[:117] + "..."


def header_fields(header: Message, stamp: int, frame: str) -> Iterator[Check]:
    """Check a std_msgs/Header."""
    yield "header.stamp", header.stamp.sec * 10**9 + header.stamp.nanosec, stamp
    yield "header.frame_id", header.frame_id, frame


def image_fields(message: Message, record: dict[str, Any], encoding: str, step: int) -> Iterator[Check]:
    """Check what a sensor_msgs/Image says about its pixels. record: of the devkit's sample_data."""
    yield "width, height", (message.width, message.height), (record["width"], record["height"])
    yield "encoding, step, is_bigendian", (message.encoding, message.step, message.is_bigendian), (encoding, step, 0)


def cloud_fields(message: Message, fields: Sequence[tuple[str, int]], count: int) -> Iterator[Check]:
    """Check the layout of a sensor_msgs/PointCloud2. fields: (name, datatype) in order; count: of points."""
    offsets = np.cumsum([0] + [np.dtype(POINT_DTYPES[kind]).itemsize for _, kind in fields]).tolist()
    found = [(f.name, f.datatype, f.offset, f.count) for f in message.fields]
    yield "fields", found, [(*field, offset, 1) for field, offset in zip(fields, offsets, strict=False)]
    step = offsets[-1]
    layout = (message.height, message.width, message.point_step, message.row_step, bool(message.is_bigendian))
    yield "height, width, point_step, row_step, is_bigendian", layout, (1, count, step, step * count, False)
    yield "len(data)", len(message.data), step * count


def column(message: Message, name: str) -> npt.NDArray[Any]:
    """Return one field's values [N]; an empty array where the message does not have them."""
    field = next((f for f in message.fields if f.name == name), None)
    if field is None or field.datatype not in POINT_DTYPES or len(message.data) != message.point_step * message.width:
        return np.zeros(0)
    dtype = np.dtype(
        {
            "names": ["v"],
            "formats": [POINT_DTYPES[field.datatype]],
            "offsets": [field.offset],
            "itemsize": message.point_step,
        }
    )
    return message.data.view(dtype)["v"]


def matrix_of(row: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Return a record's translation and rotation as a 4x4 transform, by the devkit's own code."""
    from nuscenes.utils.geometry_utils import transform_matrix
    from pyquaternion import Quaternion

    return transform_matrix(row["translation"], Quaternion(row["rotation"]))


def xyz(message: Message) -> npt.NDArray[np.float64]:
    """Return a message's x, y, z."""
    return np.array([message.x, message.y, message.z])


def transform_fields(
    transform: Message, stamp: int, parent: str, child: str, rows: Sequence[dict[str, Any]]
) -> Iterator[Check]:
    """Check a geometry_msgs/TransformStamped: one of ``rows`` must be its translation and rotation."""
    yield from header_fields(transform.header, stamp, parent)
    yield "child_frame_id", transform.child_frame_id, child
    yield from rigid_fields(transform.transform.translation, transform.transform.rotation, rows)


def pose_fields(pose: Message, rows: Sequence[dict[str, Any]]) -> Iterator[Check]:
    """Check a geometry_msgs/Pose: one of ``rows`` must be its position and orientation."""
    yield from rigid_fields(pose.position, pose.orientation, rows)


def rigid_fields(position: Message, rotation: Message, rows: Sequence[dict[str, Any]]) -> Iterator[Check]:
    """Check a translation and rotation. Several records may share a stamp: the message must be one of them."""
    place = xyz(position)
    row = min(rows, key=lambda row: float(np.abs(place - row["translation"]).max()))
    yield "translation", place, np.array(row["translation"], float)
    found = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    expected = np.array(row["rotation"]) / np.linalg.norm(row["rotation"])
    yield "rotation (w x y z)", found, Near(expected if found @ expected >= 0 else -expected, 1e-9)
