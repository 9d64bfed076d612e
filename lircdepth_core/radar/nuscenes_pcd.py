# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""nuScenes' radar files: binary PCD with exactly the 18 fields of an ARS 408. Other files: see ``point_files``."""

import re

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError

# The 18 fields of a nuScenes radar return, in file order. x forward, y left [m]; rcs [dBsm]; vx, vy [m/s]
# relative to the sensor, *_comp compensated for ego motion. The rest are the ARS 408's state codes.
_FIELDS = {
    "x": "<f4",
    "y": "<f4",
    "z": "<f4",
    "dyn_prop": "i1",
    "id": "<i2",
    "rcs": "<f4",
    "vx": "<f4",
    "vy": "<f4",
    "vx_comp": "<f4",
    "vy_comp": "<f4",
    "is_quality_valid": "i1",
    "ambig_state": "i1",
    "x_rms": "i1",
    "y_rms": "i1",
    "invalid_state": "i1",
    "pdh0": "i1",
    "vx_rms": "i1",
    "vy_rms": "i1",
}
PCD_DTYPE = np.dtype(list(_FIELDS.items()))

_PCD_HEADER = (
    "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n"
    "FIELDS " + " ".join(_FIELDS) + "\n"
    "SIZE " + " ".join(str(PCD_DTYPE[name].itemsize) for name in _FIELDS) + "\n"
    "TYPE " + " ".join(PCD_DTYPE[name].kind.upper() for name in _FIELDS) + "\n"
    "COUNT " + " ".join("1" for _ in _FIELDS) + "\n"
    "WIDTH {points}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA binary\n"
)

_MAX_POINTS = 1_000_000  # an ARS 408 returns at most 250; a header that claims more than this is corrupt


def decode_pcd(data: bytes, source: object = "radar PCD") -> npt.NDArray[np.void]:
    """Decode the bytes of a nuScenes radar file into a structured array [N] of dtype PCD_DTYPE.

    Every return is kept: none of the devkit's filters is applied. A first return that holds NaN stands for an empty
    scan. Bytes after the last point (the published files are padded) are ignored.
    Raises LircDepthError, naming ``source``, on any other layout or on too few bytes.
    """
    header, separator, body = bytes(data).partition(b"DATA binary\n")
    if not separator:
        raise LircDepthError(f"{source}: not a binary PCD file (no 'DATA binary' line)")
    entries = dict(re.findall(r"^(\w+) (.*?)\s*$", header.decode("ascii", "replace"), re.MULTILINE))
    expected = dict(re.findall(r"^(\w+) (.*)$", _PCD_HEADER, re.MULTILINE))
    for key in ("FIELDS", "SIZE", "TYPE", "COUNT"):
        if entries.get(key) != expected[key]:
            raise LircDepthError(f"{source}: {key} is '{entries.get(key, '')}', expected nuScenes' '{expected[key]}'")
    points = entries.get("POINTS", "")
    if not points.isdecimal() or int(points) > _MAX_POINTS:
        raise LircDepthError(f"{source}: POINTS is '{points}', expected a number up to {_MAX_POINTS}")
    needed = int(points) * PCD_DTYPE.itemsize
    if len(body) < needed:
        raise LircDepthError(f"{source}: truncated: {len(body)} bytes of points, expected {needed}")
    returns: npt.NDArray[np.void] = np.frombuffer(body, dtype=PCD_DTYPE, count=int(points))
    if len(returns) and any(np.isnan(returns[name][0]) for name in _FIELDS):
        return returns[:0]
    return returns


def encode_pcd(returns: npt.ArrayLike) -> bytes:
    """Return the bytes of a nuScenes radar file with ``returns``, a structured array [N] of dtype PCD_DTYPE.

    An empty scan is written as one return of NaN, as in nuScenes' files. A byte follows the last point, as in these
    files, which are padded: the devkit refuses a file that ends with its last point.
    """
    scan: npt.NDArray[np.void] = np.asarray(returns, dtype=PCD_DTYPE)
    if len(scan) == 0:
        scan = np.zeros(1, dtype=PCD_DTYPE)
        for name in _FIELDS:
            if PCD_DTYPE[name].kind == "f":
                scan[name] = np.nan
    return _PCD_HEADER.format(points=len(scan)).encode("ascii") + scan.tobytes() + b"\0"
