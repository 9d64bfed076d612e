# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: each target takes bytes, builds hostile input from them and hands it to the code that reads input.

A target returns normally or lets LircDepthError through; anything else is a finding. As a program this file is a
coverage-guided run (atheris): python test/support/fuzz_targets.py TARGET -runs=N
"""

import contextlib
import functools
import io
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image as Picture

from lircdepth_core import radar
from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.calibration import Calibration
from lircdepth_core.models import checkpoints, published
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.bags.writing import new_bag
from lircdepth_ros.messages import building, definitions
from lircdepth_ros.messages.camera_info import camera_matrix
from lircdepth_ros.messages.clouds import cloud_to_points
from lircdepth_ros.messages.images import ENCODINGS, compressed_image_to_rgb, image_to_rgb
from lircdepth_ros.messages.radars import RadarReader, radar_columns, radar_map

_SIZES = (0, 1, 2, 3, 7, 27, 159, 160, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 480, 96, 24, 72)
_READER = RadarReader(radar_map("nuscenes"))


class Dice:
    """Decisions taken from bytes; zeros when they are used up."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def byte(self):
        value = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return value

    def choose(self, options):
        return options[self.byte() % len(options)]

    def rest(self):
        return self._data[self._at :]

    def size(self):
        """A number that a length field might hold: an edge, or any."""
        if self.byte() % 2:
            return self.choose(_SIZES)
        return int.from_bytes(bytes(self.byte() for _ in range(4)), "little")


def _damage(base, dice):
    """Overwrite, cut, repeat or extend parts of valid bytes."""
    data = bytearray(base)
    for _ in range(1 + dice.byte() % 4):
        if not data:
            break
        at = (dice.byte() << 16 | dice.byte() << 8 | dice.byte()) % len(data)
        action = dice.byte() % 4
        if action == 0:
            data[at] = dice.byte()
        elif action == 1:
            del data[at:]
        elif action == 2:
            data[at:at] = data[at : at + dice.byte()]
        else:
            data[at : at + 4] = dice.size().to_bytes(4, "little")
    return bytes(data)


def image(data):
    """sensor_msgs/Image with any sizes, encoding and data."""
    dice = Dice(data)
    encodings = (*ENCODINGS, "", "32FC1", "rgb8\0", "é")
    message = SimpleNamespace(height=6, width=8, step=24, encoding="rgb8", is_bigendian=0, data=bytes(range(144)))
    for _ in range(dice.byte() % 5):
        field = dice.choose(("height", "width", "step", "encoding", "is_bigendian", "data"))
        if field == "encoding":
            message.encoding = dice.choose(encodings)
        elif field == "data":
            message.data = bytes(dice.byte() for _ in range(dice.byte()))
        else:
            setattr(message, field, dice.size() if field != "is_bigendian" else dice.byte())
    rgb = image_to_rgb(message)
    assert rgb.shape == (message.height, message.width, 3)
    assert rgb.dtype == np.uint8


@functools.cache
def _pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    encoded = []
    for kind in ("JPEG", "PNG", "BMP", "GIF"):
        buffer = io.BytesIO()
        Picture.fromarray(pixels).save(buffer, kind)
        encoded.append(buffer.getvalue())
    return encoded


def compressed_image(data):
    """sensor_msgs/CompressedImage with damaged files."""
    dice = Dice(data)
    damaged = _damage(dice.choose(_pictures()), dice)
    rgb = compressed_image_to_rgb(SimpleNamespace(format="jpeg", data=damaged))
    assert rgb.ndim == 3
    assert rgb.dtype == np.uint8


def point_cloud(data):
    """sensor_msgs/PointCloud2 with any layout."""
    dice = Dice(data)
    fields = [
        SimpleNamespace(name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate(("x", "y", "z", "rcs", "vx", "vy"))
    ]
    message = SimpleNamespace(
        header=SimpleNamespace(frame_id="radar"),
        height=1,
        width=3,
        point_step=24,
        row_step=72,
        is_bigendian=False,
        fields=fields,
        data=bytes(range(72)),
    )
    for _ in range(dice.byte() % 6):
        what = dice.choose(("height", "width", "point_step", "row_step", "is_bigendian", "field", "drop", "data"))
        if what == "field" and fields:
            field = dice.choose(fields)
            attribute = dice.choose(("offset", "datatype", "count", "name"))
            setattr(field, attribute, dice.choose(("x", "rcs", "", "é")) if attribute == "name" else dice.size())
        elif what == "drop" and fields:
            fields.pop(dice.byte() % len(fields))
        elif what == "data":
            message.data = bytes(dice.byte() for _ in range(dice.byte()))
        elif what == "is_bigendian":
            message.is_bigendian = bool(dice.byte() % 2)
        elif what in ("height", "width", "point_step", "row_step"):
            setattr(message, what, dice.size())
    scan, _ = _READER(message)
    assert len(scan) + scan.rejected == message.height * message.width
    assert np.isfinite(scan.points).all()
    assert np.isfinite(scan.velocity).all()


def camera_info(data):
    """sensor_msgs/CameraInfo with any numbers."""
    numbers = np.resize(np.frombuffer(data + bytes(-len(data) % 8), np.float64), 26) if data else np.zeros(26)
    parts = np.resize(np.frombuffer(data, np.uint8), 8).tolist() if data else [0] * 8
    region = SimpleNamespace(x_offset=parts[0], y_offset=parts[1], width=parts[2], height=parts[3])
    message = SimpleNamespace(k=numbers[:9], p=numbers[9:21], d=numbers[21 : 21 + len(data) % 6], roi=region)
    message.binning_x, message.binning_y, message.width, message.height = parts[4:]
    matrix, size = camera_matrix(message)
    assert min(size) >= 0
    assert np.isfinite(matrix).all()
    assert matrix[0, 0] > 0
    assert matrix[1, 1] > 0


@functools.cache
def _radar_file():
    values = np.zeros(5, radar.PCD_DTYPE)
    values["x"] = range(5)
    return radar.encode_pcd(values)


def radar_file(data):
    """nuScenes radar PCD."""
    dice = Dice(data)
    returns = radar.decode_pcd(_damage(_radar_file(), dice), "fuzz.pcd")
    radar.RadarScan.from_pcd(returns)


_FOLDER = tempfile.TemporaryDirectory()


def _file(name, content):
    path = Path(_FOLDER.name) / name
    path.write_bytes(content)
    return path


@functools.cache
def _checkpoints():
    import torch

    checkpoints.random_weights("lircdepth")  # imports torchvision: takes a second, once
    network, header = checkpoints.random_weights("tiny")
    path = Path(_FOLDER.name) / "base.safetensors"
    checkpoints.save(path, network, header)
    buffer = io.BytesIO()
    content = {"global_step": 1, "model": {"module.a": torch.zeros(2)}, "best_eval_steps": np.zeros(3, np.int32)}
    torch.save(content, buffer)
    legacy = io.BytesIO()
    torch.save(content, legacy, _use_new_zipfile_serialization=False)
    return path.read_bytes(), buffer.getvalue(), legacy.getvalue()


def checkpoint(data):
    """Weights files: safetensors, and pickles in both of PyTorch's containers."""
    dice = Dice(data)
    kind = dice.byte() % 3
    path = _file("fuzz.bin", _damage(_checkpoints()[kind], dice))
    if kind == 0:
        checkpoints.load(path)
    else:
        published.load_published(path)


def calibration(data):
    """calibration.yaml."""
    dice = Dice(data)
    frame = b"    translation: {x: 1, y: 2, z: 3}\n    rotation: {x: 0, y: 0, z: 0, w: 1}\n"
    text = b"parent: base_link\nframes:\n  A:\n" + frame
    Calibration.load(_file("fuzz.yaml", _damage(text, dice))).transform("base_link", "A")


@functools.cache
def _bag():
    path = Path(_FOLDER.name) / "bag"
    store = definitions.typestore()
    with new_bag(path) as writer:
        connection = writer.add_connection("/odom", "nav_msgs/msg/Odometry", typestore=store)
        for stamp in range(5):
            message = building.odometry(stamp, "odom", "base_link", np.eye(4), (1, 0, 0), (0, 0, 0))
            writer.write(connection, stamp, definitions.serialize(message))
    return {file.name: file.read_bytes() for file in path.iterdir()}


def bag(data):
    """A rosbag2 directory of which one file is damaged: opened and read to its end."""
    dice = Dice(data)
    files = _bag()
    folder = Path(_FOLDER.name) / "fuzzed_bag"
    folder.mkdir(exist_ok=True)
    damaged = dice.choose(sorted(files))
    for name, content in files.items():
        (folder / name).write_bytes(_damage(content, dice) if name == damaged else content)
    reader = open_bag(folder)
    try:
        for connection, _, content in read_messages(reader):
            len(content), connection.topic
    finally:
        reader.close()


MESSAGES = (image, compressed_image, point_cloud, camera_info)
FILES = (radar_file, checkpoint, calibration, bag)


def main():
    import atheris

    targets = {target.__name__: target for target in (*MESSAGES, *FILES)}
    target = targets[sys.argv.pop(1)]
    atheris.instrument_func(target)
    readers = (image_to_rgb, cloud_to_points, radar_columns, camera_matrix, open_bag)
    for module in (radar, checkpoints, published, *(sys.modules[reader.__module__] for reader in readers)):
        for value in vars(module).values():
            if callable(value) and getattr(value, "__module__", "") == module.__name__ and hasattr(value, "__code__"):
                atheris.instrument_func(value)

    def run(data):
        with contextlib.suppress(LircDepthError):
            target(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
