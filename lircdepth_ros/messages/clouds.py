# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/PointCloud2 to arrays, and the one table of its field types.

The sizes that a message declares are checked against the data that it holds before anything is allocated or read.
Where the ROS installation has sensor_msgs_py, it does the reading; elsewhere the code here gives the same arrays.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_ros.messages import protocols

try:
    from sensor_msgs_py import point_cloud2
except ImportError:
    point_cloud2 = None

MAX_CLOUD_BYTES = 64_000_000
# The constants of sensor_msgs/PointField and NumPy's names of the same types.
POINT_FIELD_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
_DATATYPES = {kind: datatype for datatype, kind in POINT_FIELD_DTYPES.items()}


def point_field_layout(dtype: np.dtype[np.void]) -> list[tuple[str, int, int]]:
    """Return (name, offset in bytes, PointField datatype) of each field of a structured dtype."""
    assert dtype.fields is not None, "a structured dtype has fields"
    return [(name, entry[1], _DATATYPES[entry[0].str[1:]]) for name, entry in dtype.fields.items()]


def cloud_columns(message: protocols.PointCloud2, names: Sequence[str]) -> npt.NDArray[np.void]:
    """Return the named fields of a radar's sensor_msgs/PointCloud2 as a structured array [N].

    Raises LircDepthError when a field is missing or sizes do not fit.
    """
    return _read_fields(message, names, "radar cloud", hint=" (radar_driver or radar_fields names a driver's own)")


def cloud_to_points(message: protocols.PointCloud2) -> npt.NDArray[np.float32]:
    """Return the positions x, y, z of sensor_msgs/PointCloud2 as float32 [N, 3] in metres, without NaN and infinity.

    Raises LircDepthError when a field is missing or sizes do not fit.
    """
    cloud = _read_fields(message, "xyz", "point cloud")
    with np.errstate(over="ignore"):
        points: npt.NDArray[np.float32] = np.stack([cloud[axis].astype(np.float32) for axis in "xyz"], axis=1)
    finite: npt.NDArray[np.float32] = points[np.isfinite(points).all(axis=1)]
    return finite


def _read_fields(
    message: protocols.PointCloud2, names: Sequence[str], kind: str, hint: str = ""
) -> npt.NDArray[np.void]:
    """Return the named fields of all points as a structured array [N]. kind and hint are parts of error texts."""
    points, step = message.width * message.height, message.point_step
    fields = {field.name: field for field in message.fields}
    missing = [name for name in names if name not in fields]
    if missing:
        raise LircDepthError(f"{kind} has no field {', '.join(missing)}; it has {', '.join(fields) or 'none'}{hint}")
    if max(points, 1) * step > MAX_CLOUD_BYTES or message.row_step < message.width * step:
        raise LircDepthError(
            f"{kind} declares {message.width}x{message.height} points of {step} bytes in rows of "
            f"{message.row_step}, expected rows that hold them and at most {MAX_CLOUD_BYTES:,} bytes"
        )
    if len(message.data) < message.row_step * message.height:
        raise LircDepthError(
            f"{kind} holds {len(message.data)} bytes, expected row_step * height = {message.row_step * message.height}"
        )
    unique = list(dict.fromkeys(names))
    dtype = _point_dtype([fields[name] for name in unique], step, message.is_bigendian, kind)
    if point_cloud2 is not None and message.row_step == message.width * step:
        cloud: npt.NDArray[np.void] = point_cloud2.read_points(message, field_names=unique).reshape(-1)
        return cloud
    rows = np.frombuffer(message.data, np.uint8, message.row_step * message.height)
    rows = rows.reshape(message.height, message.row_step)[:, : message.width * step]
    return np.ascontiguousarray(rows).reshape(-1).view(dtype)


def _point_dtype(
    fields: Sequence[protocols.PointField], point_step: int, is_bigendian: bool, kind: str
) -> np.dtype[np.void]:
    """Return the structured dtype of one point, with the fields that are read."""
    formats = []
    for field in fields:
        if field.datatype not in POINT_FIELD_DTYPES or field.count != 1:
            raise LircDepthError(
                f"{kind} field '{field.name}' has datatype {field.datatype} and count {field.count}, "
                "expected one number (datatype 1 to 8, count 1)"
            )
        formats.append((">" if is_bigendian else "<") + POINT_FIELD_DTYPES[field.datatype])
        end = field.offset + int(formats[-1][2])
        if end > point_step:
            raise LircDepthError(f"{kind} field '{field.name}' ends at byte {end}, beyond point_step {point_step}")
    return np.dtype(
        {
            "names": [field.name for field in fields],
            "formats": formats,
            "offsets": [field.offset for field in fields],
            "itemsize": point_step,
        }
    )
