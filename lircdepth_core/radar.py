"""Radar scans: nuScenes PCD files in and out, and scans drawn into the network's radar channels."""

import re
from dataclasses import dataclass

import numpy as np

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError

# The 18 fields of a nuScenes radar return, in file order. x forward, y left [m]; rcs [dBsm]; vx, vy [m/s]
# relative to the sensor, *_comp compensated for ego motion. The rest are the ARS 408's state codes.
PCD_DTYPE = np.dtype(
    [
        ("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("dyn_prop", "i1"), ("id", "<i2"), ("rcs", "<f4"),
        ("vx", "<f4"), ("vy", "<f4"), ("vx_comp", "<f4"), ("vy_comp", "<f4"),
        ("is_quality_valid", "i1"), ("ambig_state", "i1"), ("x_rms", "i1"), ("y_rms", "i1"),
        ("invalid_state", "i1"), ("pdh0", "i1"), ("vx_rms", "i1"), ("vy_rms", "i1"),
    ]
)  # fmt: skip

_PCD_HEADER = (
    "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n"
    "FIELDS " + " ".join(PCD_DTYPE.names) + "\n"
    "SIZE " + " ".join(str(PCD_DTYPE[name].itemsize) for name in PCD_DTYPE.names) + "\n"
    "TYPE " + " ".join(PCD_DTYPE[name].kind.upper() for name in PCD_DTYPE.names) + "\n"
    "COUNT " + " ".join("1" for _ in PCD_DTYPE.names) + "\n"
    "WIDTH {points}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA binary\n"
)
_SAME_HEADING = np.radians(5.0)  # mounting tolerance
_MAX_POINTS = 1_000_000  # an ARS 408 returns at most 250; a header that claims more than this is corrupt


def decode_pcd(data, source="radar PCD"):
    """Decode the bytes of a nuScenes radar file into a structured array [N] of dtype PCD_DTYPE.

    Every return is kept: none of the devkit's filters is applied. A first return that holds NaN is nuScenes'
    way to write an empty scan. Bytes after the last point (the published files are padded) are ignored.
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
    returns = np.frombuffer(body, dtype=PCD_DTYPE, count=int(points))
    if len(returns) and any(np.isnan(returns[name][0]) for name in PCD_DTYPE.names):
        return returns[:0]
    return returns


def encode_pcd(returns):
    """Return the bytes of a nuScenes radar file with ``returns``, a structured array [N] of dtype PCD_DTYPE.

    An empty scan is written as nuScenes writes it: one return of NaN. A byte follows the last point, as in the
    published files, which are padded: the devkit refuses a file that ends there.
    """
    returns = np.asarray(returns, dtype=PCD_DTYPE)
    if len(returns) == 0:
        returns = np.zeros(1, dtype=PCD_DTYPE)
        for name in PCD_DTYPE.names:
            if PCD_DTYPE[name].kind == "f":
                returns[name] = np.nan
    return _PCD_HEADER.format(points=len(returns)).encode("ascii") + returns.tobytes() + b"\0"


@dataclass(frozen=True)
class RadarScan:
    """The returns of one scan in the sensor's own frame (x forward, y left).

    points [N, 3] metres, rcs [N] dBsm, velocity [N, 2] (vx, vy) m/s; all float32 and finite.
    ``rejected`` counts returns that were left out because a value was NaN or infinite.
    """

    points: np.ndarray
    rcs: np.ndarray
    velocity: np.ndarray
    rejected: int = 0

    @classmethod
    def from_fields(cls, x, y, z, rcs, vx, vy):
        """Make a scan from one array [N] a field; returns with a value that is not finite are counted and left out."""
        columns = np.stack([np.asarray(c, dtype=np.float32).reshape(-1) for c in (x, y, z, rcs, vx, vy)], axis=1)
        finite = np.isfinite(columns).all(axis=1)
        columns = columns[finite]
        return cls(columns[:, :3], columns[:, 3], columns[:, 4:], int(len(finite) - finite.sum()))

    @classmethod
    def from_pcd(cls, returns):
        """Make a scan from decoded nuScenes returns (see decode_pcd): all of them, vx and vy uncompensated."""
        return cls.from_fields(*(returns[name] for name in ("x", "y", "z", "rcs", "vx", "vy")))

    def __len__(self):
        return len(self.rcs)


def velocity_in_camera_heading(velocity, camera_from_radar):
    """Return radar velocities [N, 2] m/s in the frame that looks along the camera (x forward, y left).

    A radar that looks where the camera looks keeps its own, as in training. For any other mounting vx, vy are
    rotated about the vertical axis.
    """
    forward = camera_from_radar[:3, 0]  # the radar's x axis in the optical frame: z forward, x right
    heading = np.arctan2(-forward[0], forward[2])
    if abs(heading) < _SAME_HEADING:
        return velocity
    cosine, sine = np.cos(heading), np.sin(heading)
    return (velocity @ np.array([[cosine, sine], [-sine, cosine]])).astype(np.float32)


def move_to(scan, now_from_then, seconds, moving_speed=1.0):
    """Return an earlier scan as it would be seen ``seconds`` later: where its returns are by then.

    now_from_then: 4x4, the sensor's frame then into its frame now (its own motion alone). Standing things follow from
    it. A return whose velocity differs from a standing thing's by more than ``moving_speed`` [m/s] moves on with its
    own: relative to the sensor that is velocity * seconds, whatever the sensor did.
    """
    standing = geometry.transform_points(now_from_then, scan.points)
    moved = scan.points.astype(np.float64)
    moved[:, :2] += scan.velocity * seconds
    difference = np.linalg.norm((moved - standing)[:, :2], axis=1)
    moving = difference > moving_speed * abs(seconds)
    points = np.where(moving[:, None], moved, standing).astype(np.float32)
    return RadarScan(points, scan.rcs, scan.velocity, scan.rejected)


def nearest_returns(pixels, depth, rcs, velocity, width):
    """Return the pixels that returns fall on, as places [M] = row * width + column, and their values float32 [M, 4].

    pixels [N, 2], depth [N] m, rcs [N] dBsm, velocity [N, 2] m/s. A value is depth, RCS, vx, vy. A return's pixel is
    its position rounded half to even; the nearest return wins a pixel, so that no place comes up twice.
    """
    columns, rows = np.rint(pixels).astype(np.int64).T
    nearest_first = np.argsort(-depth, kind="stable")[::-1]
    places, first = np.unique((rows * width + columns)[nearest_first], return_index=True)
    values = np.column_stack([depth, rcs, velocity]).astype(np.float32)
    return places, values[nearest_first[first]]


def rasterize(pixels, depth, rcs, velocity, width, height):
    """Draw returns that are inside the image into radar channels: float32 [4, height, width].

    Returns as for ``nearest_returns``. The channels are depth, RCS, vx, vy, zero where there is no return.
    """
    places, values = nearest_returns(pixels, depth, rcs, velocity, width)
    channels = np.zeros((4, height * width), dtype=np.float32)
    channels[:, places] = values.T
    return channels.reshape(4, height, width)


def project_scan(scan, camera_from_radar, intrinsics, width, height):
    """Project a scan into an image of width x height.

    Returns pixels [M, 2], depth [M], rcs [M] and velocity [M, 2] (along the camera's heading) of the M returns that
    the image sees, in scan order.
    """
    pixels, depth = geometry.project(geometry.transform_points(camera_from_radar, scan.points), intrinsics)
    seen = geometry.visible(pixels, depth, width, height)
    return pixels[seen], depth[seen], scan.rcs[seen], velocity_in_camera_heading(scan.velocity[seen], camera_from_radar)


NOTHING_SEEN = (np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
