# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One thing at a time is negated, shifted or swapped in the converter and in the pipeline: each must be noticed.

The converter's mutations must be found by verify-bag, which derives what it expects by itself; those of the pipeline
and of the augmentation by a check that is written here with NumPy alone. docs/dev/mutations.md is this file's list.
"""

import copy
import dataclasses
import json
import math

import numpy as np
import pytest
import torch

import rich_nuscenes
import tiny_nuscenes
from paths import REPOSITORY

pytest.importorskip("nuscenes", reason="the dataset is read through its devkit")
pytest.importorskip("rosbags", reason="bags are read with rosbags")

from lircdepth_core import geometry, pipeline, radar
from lircdepth_core.data import augmentation, nuscenes
from lircdepth_core.data.nuscenes import geodesy
from lircdepth_core.inference.input_plan import InputPlan
from lircdepth_core.models.checkpoints import Header
from lircdepth_core.radar import drawing
from lircdepth_ros.bags import conversion, nuscenes_scene, sensor_files
from lircdepth_ros.bags.selection import Selection
from lircdepth_ros.bags.verification import verify
from lircdepth_ros.messages import building


def around(module, name, change):
    """A mutation: what ``module.name`` returns goes through ``change(result, arguments)``."""

    def mutate(patch):
        original = getattr(module, name)
        patch.setattr(module, name, lambda *given, **named: change(original(*given, **named), given))

    return mutate


def before(module, name, change):
    """A mutation: the arguments of ``module.name`` go through ``change`` first."""

    def mutate(patch):
        original = getattr(module, name)
        patch.setattr(module, name, lambda *given, **named: original(*change(*given), **named))

    return mutate


def swapped(array, first, second):
    """A structured array with two of its fields exchanged, or one of them negated where both are the same."""
    array = array.copy()
    if first == second:
        array[first] = -array[first]
    else:
        array[first], array[second] = array[second].copy(), array[first].copy()
    return array


def reordered_quaternion(message, _):
    message.x, message.y, message.z, message.w = message.w, message.x, message.y, message.z
    return message


def conjugated(message, _):
    message.x, message.y, message.z = -message.x, -message.y, -message.z
    return message


def in_the_map_frame(twist, arguments):
    linear, angular = twist
    rotations = np.asarray(arguments[1])[:, :3, :3]
    return np.einsum("nij,nj->ni", rotations, linear), angular


def upside_down(message, _):
    message.k = message.k.reshape(3, 3).T.ravel()
    return message


def wider(message, _):
    message.width, message.height = message.height, message.width
    return message


def other_box(stamp, frame, entries):
    return stamp, frame, [box._replace(size=(box.size[1], box.size[0], box.size[2])) for box in entries]


def floored(pixels, depth, width):
    return np.floor(pixels), depth, width


def off_by_one(stamp, *rest):
    return stamp + 1_000_000, *rest


CONVERTER = {
    "twists negated": around(nuscenes, "body_twists", lambda t, _: (-t[0], -t[1])),
    "linear twist negated": around(nuscenes, "body_twists", lambda t, _: (-t[0], t[1])),
    "angular twist negated": around(nuscenes, "body_twists", lambda t, _: (t[0], -t[1])),
    "linear and angular twist swapped": around(nuscenes, "body_twists", lambda t, _: t[::-1]),
    "twist in the map's frame": around(nuscenes, "body_twists", in_the_map_frame),
    "twist of the next pose": around(nuscenes, "body_twists", lambda t, _: (np.roll(t[0], 1, 0), np.roll(t[1], 1, 0))),
    "point times negated": around(nuscenes, "lidar_point_times", lambda t, _: -t),
    "point times shifted by a turn": around(nuscenes, "lidar_point_times", lambda t, _: t + np.float32(0.05)),
    "point times reversed": around(nuscenes, "lidar_point_times", lambda t, _: t[::-1].copy()),
    "map origin swapped": lambda patch: patch.setitem(
        geodesy.MAP_ORIGINS, rich_nuscenes.LOCATION, geodesy.MAP_ORIGINS[rich_nuscenes.LOCATION][::-1]
    ),
    "map origin of another map": lambda patch: patch.setitem(
        geodesy.MAP_ORIGINS, rich_nuscenes.LOCATION, geodesy.MAP_ORIGINS["singapore-onenorth"]
    ),
    "map unknown": lambda patch: patch.delitem(geodesy.MAP_ORIGINS, rich_nuscenes.LOCATION),
    "east and north swapped": before(nuscenes, "geodetic", lambda location, place: (location, place[::-1])),
    "latitude and longitude swapped": around(nuscenes, "geodetic", lambda place, _: place[::-1]),
    "quaternion order": around(building, "_quaternion", reordered_quaternion),
    "quaternion conjugated": around(building, "_quaternion", conjugated),
    "tf parent and child swapped": before(building, "transform_stamped", lambda s, p, c, t: (s, c, p, t)),
    "tf inverted": before(building, "transform_stamped", lambda s, p, c, t: (s, p, c, np.linalg.inv(t))),
    "odometry inverted": before(building, "odometry", lambda s, p, c, t, v, w: (s, p, c, np.linalg.inv(t), v, w)),
    "mounting inverted": around(nuscenes, "base_from_sensor", lambda t, _: np.linalg.inv(t)),
    "stamps a millisecond late": before(building, "_header", off_by_one),
    "vx and vy swapped": around(radar, "decode_pcd", lambda points, _: swapped(points, "vx", "vy")),
    "vy negated": around(radar, "decode_pcd", lambda points, _: swapped(points, "vy", "vy")),
    "radar compensated": around(radar, "decode_pcd", lambda points, _: swapped(points, "vx", "vx_comp")),
    "rcs negated": around(radar, "decode_pcd", lambda points, _: swapped(points, "rcs", "rcs")),
    "radar x and y swapped": around(radar, "decode_pcd", lambda points, _: swapped(points, "x", "y")),
    "lidar x and y swapped": around(nuscenes_scene, "lidar_points", lambda points, _: swapped(points, "x", "y")),
    "lidar intensity as ring": around(nuscenes, "decode_lidar", lambda scan, _: scan[:, [0, 1, 2, 4, 4]]),
    "intrinsics transposed": around(building, "camera_info", upside_down),
    "width and height swapped": around(building, "camera_info", wider),
    "box length and width swapped": before(building, "boxes", other_box),
    "imu quaternion order": before(building, "imu", lambda s, f, q, w, a: (s, f, (q[3], *q[:3]), w, a)),
    "imu rates and accelerations swapped": before(building, "imu", lambda s, f, q, w, a: (s, f, q, a, w)),
    "CAN velocity and rate swapped": before(building, "twist_stamped", lambda s, f, v, w: (s, f, w, v)),
    "truth: farthest point wins": before(geometry, "nearest_points", lambda p, d, w: (p, -d, w)),
    "truth: pixels rounded down": before(geometry, "nearest_points", floored),
    "truth: pixels a column to the right": before(geometry, "nearest_points", lambda p, d, w: (p + [1, 0], d, w)),
    "channel order of raw images": around(nuscenes_scene, "decode_image", lambda image, _: image[..., ::-1]),
    "raw images upside down": around(nuscenes_scene, "decode_image", lambda image, _: image[::-1]),
    "lidar points a ring late": around(sensor_files.nuscenes, "decode_lidar", lambda scan, _: np.roll(scan, 1, axis=0)),
}
QUICK = ("twists negated", "point times negated", "map origin swapped", "quaternion order", "vx and vy swapped")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The rich data root, in which the vehicle also turns and accelerates, and lidar points share pixels."""
    root = rich_nuscenes.write(tmp_path_factory.mktemp("rich") / "root")
    path = root / "v1.0-mini/ego_pose.json"
    poses = json.loads(path.read_text())
    for pose in poses:
        seconds = (pose["timestamp"] - tiny_nuscenes.START) / 1e6
        yaw = 0.3 * seconds + 0.2 * seconds**2
        pose["rotation"] = [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]
        pose["translation"][0] += 2 * seconds**2
    path.write_text(json.dumps(poses))
    random = np.random.default_rng(0)
    for path in root.glob("*/LIDAR_TOP/*"):
        more = random.uniform([-30, -30, -3, 0, 0], [30, 30, 3, 255, 0], (1000, 5)).astype("<f4")
        more[:, 4] = np.arange(1000) % 32
        path.write_bytes(path.read_bytes() + more.tobytes())
    return root


@pytest.fixture(scope="module")
def tables(root):
    return nuscenes.open_nuscenes(root, "v1.0-mini")


def differences(tables, bag, name):
    selection = Selection(ground_truth=True, raw="raw" in name)
    conversion.convert(tables, nuscenes.find_scene(tables, "scene-0001"), bag, selection)
    return verify(bag, tables)["differences"]


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.full) for n in CONVERTER])
def test_verification_finds_each_mutation_of_the_converter(tables, tmp_path, monkeypatch, name):
    if name == "quaternion order":  # the only one whose unmutated run is worth its time here
        assert differences(tables, tmp_path / "right", name) == []
    with monkeypatch.context() as patch:
        CONVERTER[name](patch)
        selection = Selection(ground_truth=True, raw="raw" in name)
        conversion.convert(tables, nuscenes.find_scene(tables, "scene-0001"), tmp_path / "bag", selection)
    found = verify(tmp_path / "bag", tables)["differences"]
    assert found


# The pipeline's input, by hand: nothing of lircdepth_core computes what is expected.

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
INTRINSICS = np.array([[100.0, 0.0, 51.0], [0.0, 100.0, 40.0], [0.0, 0.0, 1.0]])
CAMERA_FROM_RADAR = np.array([[0, -1, 0, 0.1], [0, 0, -1, 1.0], [1, 0, 0, 1.7], [0, 0, 0, 1.0]])
RETURNS = [(20.0, 1.0, 0.4, 9.0, -3.0, 0.5), (12.0, -2.0, 0.2, -4.0, 2.0, -1.5), (24.1, 1.2, 0.3, 5.0, -1.0, 0.25)]


class Echo:
    """A backend that keeps its inputs, and whose depth is twice the radar's."""

    device = torch.device("cpu")

    def infer(self, image, radar):
        self.image, self.radar = image, radar
        return 2 * radar[:, :1]


def pipeline_is_right():
    """Return whether a frame of 75x103 pixels reaches the network, and comes back, as it must."""
    picture = np.random.default_rng(0).integers(0, 256, (75, 103, 3), dtype=np.uint8)
    columns = np.array(RETURNS).T
    pipe = pipeline.DepthPipeline(Echo(), Header(model="tiny", focal_length=100.0, input_size=(64, 96)))
    frame = pipe(picture, INTRINSICS, [(radar.RadarScan.from_fields(*columns), CAMERA_FROM_RADAR)])
    top, left = 75 - 64, (103 - 96) // 2  # rows are lost at the top, columns on both sides
    image = (picture[top:, left : left + 96] / 255 - MEAN) / STD
    channels, depth = np.zeros((4, 64, 96)), np.zeros((75, 103))
    for x, y, z, rcs, vx, vy in sorted(RETURNS, reverse=True):  # the nearest is drawn last
        camera = (-y + 0.1, -z + 1.0, x + 1.7)
        u, v = 100 * camera[0] / camera[2] + 51, 100 * camera[1] / camera[2] + 40
        column, row = round(u), round(v)
        channels[:, row - top, column - left] = camera[2], rcs, vx, vy
        depth[row, column] = 2 * camera[2]
    known = np.zeros((75, 103), bool)
    known[top:, left : left + 96] = True
    return (
        pipe.backend.image.shape == (1, 3, 64, 96)
        and np.allclose(pipe.backend.image[0].permute(1, 2, 0).numpy(), image, atol=1e-5)
        and np.allclose(pipe.backend.radar[0].numpy(), channels, atol=1e-4)
        and np.array_equal(~np.isnan(frame.depth), known)
        and np.allclose(frame.depth[known], depth[known], atol=1e-4)
    )


def augmentation_is_right():
    """Return whether a mirror turns image, radar and truth, and the lateral velocity alone changes its sign."""
    generator = torch.Generator().manual_seed(0)
    frame = {
        "image": torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8, generator=generator),
        "radar": torch.randn(4, 64, 96, generator=generator),
        "single": torch.rand(1, 64, 96, generator=generator),
    }
    kept = copy.deepcopy(frame)
    sample = augmentation.Augmentation((64, 96), flip=1.0, colour=0.0)(frame, torch.Generator().manual_seed(1))
    image = (kept["image"].numpy()[..., ::-1].transpose(1, 2, 0) / 255 - MEAN) / STD
    channels = kept["radar"].numpy()[..., ::-1] * np.array([1, 1, 1, -1])[:, None, None]
    return (
        np.allclose(sample["image"].permute(1, 2, 0).numpy(), image, atol=1e-5)
        and np.allclose(sample["radar"].numpy(), channels)
        and np.allclose(sample["single"].numpy(), kept["single"].numpy()[..., ::-1])
        and all(torch.equal(frame[name], kept[name]) for name in kept)
    )


def other_plan(**changes):
    """A mutation of the crop: each value of the plan goes through a function of the plan."""

    def mutate(patch):
        make = InputPlan.make.__func__
        patch.setattr(
            InputPlan,
            "make",
            classmethod(
                lambda cls, *given: dataclasses.replace(
                    plan := make(cls, *given), **{name: change(plan) for name, change in changes.items()}
                )
            ),
        )

    return mutate


def table_of(change):
    """A mutation of the normalisation's mean and standard deviation."""

    def mutate(patch):
        mean, std = change(pipeline._BYTE_MEAN, pipeline._BYTE_STD)
        patch.setattr(pipeline, "_BYTE_MEAN", mean)
        patch.setattr(pipeline, "_BYTE_STD", std)

    return mutate


def flipped(*, radar_too, negated):
    """A mutation of the mirror."""

    def mutate(patch):
        if not negated:
            patch.setattr(augmentation, "_LATERAL_VELOCITY_CHANNEL", slice(0, 0))
        elif not radar_too:
            original = torch.Tensor.flip
            patch.setattr(torch.Tensor, "flip", lambda x, *d: x.clone() if x.shape[0] == 4 else original(x, *d))
        else:
            patch.setattr(augmentation, "_LATERAL_VELOCITY_CHANNEL", 2)

    return mutate


def scan_fields(order):
    return before(
        radar.RadarScan, "from_fields", lambda x, y, z, rcs, vx, vy: order(x=x, y=y, z=z, rcs=rcs, vx=vx, vy=vy)
    )


PIPELINE = {
    "crop: rows lost at the bottom": other_plan(top=lambda plan: 0),
    "crop: a row too high": other_plan(top=lambda plan: plan.top - 1),
    "crop: columns lost on the right": other_plan(left=lambda plan: 0),
    "crop: a column to the right": other_plan(left=lambda plan: plan.left + 1),
    "mean and deviation swapped": table_of(lambda mean, std: (std, mean)),
    "mean negated": table_of(lambda mean, std: (-mean, std)),
    "mean and deviation in BGR": table_of(lambda mean, std: (mean[::-1].copy(), std[::-1].copy())),
    "pixels not divided by 255": table_of(lambda mean, std: (mean / 255, std / 255)),
    "image in BGR": around(pipeline, "resized", lambda image, _: np.ascontiguousarray(image[..., ::-1])),
    "image upside down": around(pipeline, "resized", lambda image, _: np.ascontiguousarray(image[::-1])),
    "radar transform inverted": before(drawing, "project_scan", lambda s, t, k, w, h: (s, np.linalg.inv(t), k, w, h)),
    "radar translation lost": before(
        drawing, "project_scan", lambda s, t, k, w, h: (s, np.block([[t[:3, :3], np.zeros((3, 1))], [t[3:]]]), k, w, h)
    ),
    "intrinsics transposed": before(drawing, "project_scan", lambda s, t, k, w, h: (s, t, np.asarray(k).T, w, h)),
    "velocity not turned with the camera": around(drawing, "velocity_in_camera_heading", lambda v, _: v[:, ::-1]),
    "velocity negated": around(drawing, "velocity_in_camera_heading", lambda v, _: -v),
    "rcs negated": around(radar, "project_scans", lambda seen, _: seen._replace(rcs=-seen.rcs)),
    "rcs and depth swapped": around(radar, "project_scans", lambda seen, _: seen._replace(rcs=seen.depth)),
    "pixels rounded down": before(radar, "nearest_returns", lambda p, d, r, v, w: (np.floor(p), d, r, v, w)),
    "farthest return wins": before(
        drawing.geometry, "nearest_points", lambda p, d, w: (p, -d, w)
    ),
    "rows and columns of returns swapped": before(
        radar, "nearest_returns", lambda p, d, r, v, w: (p[:, ::-1], d, r, v, w)
    ),
    "depth returned half": around(pipeline.DepthPipeline, "_restored", lambda depth, _: depth / 2),
    "depth returned upside down": around(pipeline.DepthPipeline, "_restored", lambda depth, _: depth[::-1].copy()),
}  # fmt: skip
AUGMENTATION = {
    "flip without vy": flipped(radar_too=True, negated=False),
    "flip without the radar": flipped(radar_too=False, negated=True),
    "flip negates vx": flipped(radar_too=True, negated=True),
    "mean of the samples negated": before(augmentation, "normalise", lambda image: (1 - image,)),
}


def test_nothing_is_wrong_without_a_mutation():
    assert pipeline_is_right()
    assert augmentation_is_right()


@pytest.mark.parametrize("name", PIPELINE)
def test_each_mutation_of_the_pipeline_is_noticed(monkeypatch, name):
    PIPELINE[name](monkeypatch)
    try:
        right = pipeline_is_right()
    except (IndexError, RuntimeError, ValueError):  # it may also not run at all
        right = False
    assert not right


@pytest.mark.parametrize("name", AUGMENTATION)
def test_each_mutation_of_the_augmentation_is_noticed(monkeypatch, name):
    AUGMENTATION[name](monkeypatch)
    assert not augmentation_is_right()


def test_the_list_in_the_documentation_is_complete():
    text = (REPOSITORY / "docs/dev/mutations.md").read_text()
    for name in (*CONVERTER, *PIPELINE, *AUGMENTATION):
        assert f"| {name} |" in text, name
