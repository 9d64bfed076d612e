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
from lircdepth_core.radar import RadarScan
from lircdepth_ros.messages import protocols

try:
    from sensor_msgs_py import point_cloud2
except ImportError:
    point_cloud2 = None

MAX_CLOUD_BYTES = 64_000_000
# The constants of sensor_msgs/PointField and NumPy's names of the same types.
POINT_FIELD_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
_DATATYPES = {kind: datatype for datatype, kind in POINT_FIELD_DTYPES.items()}

_RADAR_FIELDS = ("x", "y", "z", "rcs", "vx", "vy")
_NOT_MEASURED = "0"


def radar_field_names(fields: str, option: str) -> list[str]:
    """Return the names of x y z rcs vx vy in a radar's clouds, of which any but x and y may be "0": not measured.

    option: what the user calls them, for the text of the LircDepthError that is raised where they are not six.
    """
    names = fields.split()
    if len(names) != len(_RADAR_FIELDS) or _NOT_MEASURED in names[:2]:
        raise LircDepthError(
            f"{option} is '{fields}', expected six names, for {' '.join(_RADAR_FIELDS)} in this order; 0 for one that "
            "the radar does not measure, except x and y"
        )
    return names


def missing_fields_caution(names: Sequence[str]) -> str:
    """Return what to know about fields that are not measured, or an empty text where all are."""
    missing = [field for field, name in zip(_RADAR_FIELDS, names, strict=True) if name == _NOT_MEASURED]
    if not missing:
        return ""
    return f"{', '.join(missing)} of the radar is taken as 0: the network never learnt from a radar without it"


def point_field_layout(dtype: np.dtype[np.void]) -> list[tuple[str, int, int]]:
    """Return (name, offset in bytes, PointField datatype) of each field of a structured dtype."""
    assert dtype.fields is not None, "a structured dtype has fields"
    return [(name, entry[1], _DATATYPES[entry[0].str[1:]]) for name, entry in dtype.fields.items()]


def cloud_to_radar_scan(message: protocols.PointCloud2, names: Sequence[str] = _RADAR_FIELDS) -> RadarScan:
    """Return sensor_msgs/PointCloud2 as a RadarScan.

    names: the message's names for x, y, z [m], rcs [dBsm], vx, vy [m/s], in this order; "0" for one that is not
    measured. Returns that hold NaN or infinity are counted in the scan and left out. Raises LircDepthError when a field
    is missing or sizes do not fit.
    """
    measured = [name for name in names if name != _NOT_MEASURED]
    cloud = _read_fields(
        message, measured, "radar cloud", hint=" (radar_fields names a driver's own; 0 for one that it lacks)"
    )
    nothing = np.zeros(len(cloud))
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is left out as such
        return RadarScan.from_fields(*(nothing if name == _NOT_MEASURED else cloud[name] for name in names))


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
