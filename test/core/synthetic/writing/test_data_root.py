# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes as a data root that the official devkit accepts, with what it projects and counts."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lircdepth_core import radar, synthetic
from lircdepth_core.synthetic.sensors.camera import camera_frame
from lircdepth_core.synthetic.world import primitives
from lircdepth_core.synthetic.writing.schedule import EPOCH_US

CAMERA = synthetic.CameraModel().resized(320, 180)
SENSORS = (CAMERA, synthetic.LidarModel(azimuths=360), synthetic.RadarModel())
SEED = 4
RANGE_NOISE = 0.02  # metres, the lidar's standard deviation


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    output = tmp_path_factory.mktemp("synthetic") / "root"
    return synthetic.generate(output, 1, SEED, 1.5, SENSORS)


@pytest.fixture(scope="module")
def world():
    return synthetic.build_world((SEED, 0))


@pytest.fixture(scope="module")
def nusc(data_root):
    return pytest.importorskip("nuscenes").NuScenes("v1.0-mini", str(data_root), verbose=False)


def captures(nusc, channel, **wanted):
    rows = [r for r in nusc.sample_data if r["channel"] == channel and all(r[k] == v for k, v in wanted.items())]
    return sorted(rows, key=lambda row: row["timestamp"])


def seconds(nusc, timestamp):
    """Return the world's time [s], which starts at the epoch of scene-9001."""
    return (timestamp - EPOCH_US) * 1e-6


def test_devkit_lists_the_scene_and_finds_every_file(nusc, capsys):
    from nuscenes.tests.assert_download import verify_setup

    verify_setup(nusc)
    nusc.list_scenes()
    assert "scene-9001" in capsys.readouterr().out
    assert (len(nusc.category), len(nusc.attribute), len(nusc.visibility)) == (23, 8, 4)


def test_devkit_draws_a_sample_with_its_boxes_and_its_lidar_in_the_image(nusc, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    sample = nusc.sample[1]
    nusc.render_sample(sample["token"], out_path=str(tmp_path / "sample.png"), verbose=False)
    nusc.render_pointcloud_in_image(sample["token"], out_path=str(tmp_path / "lidar.png"), verbose=False)
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 5000
    assert len(list(tmp_path.iterdir())) >= 2


def test_every_token_is_unique_and_every_reference_leads_to_a_row(nusc):
    for table in nusc.table_names:
        rows = getattr(nusc, table)
        tokens = [row["token"] for row in rows]
        assert rows
        assert len(set(tokens)) == len(tokens)
        assert table == "visibility" or all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
        for row in rows:
            for key, value in row.items():
                target = re.sub("^(first|last)_", "", key.removesuffix("_token").removesuffix("_tokens"))
                target = {"annotation": "sample_annotation", "map": "map"}.get(target, target)
                if key.endswith(("_token", "_tokens")):
                    for token in [value] if isinstance(value, str) else value:
                        nusc.get(target, token)


def test_samples_sensor_data_and_annotations_form_complete_chains_in_time(nusc):
    scene = nusc.scene[0]

    def follow(table, token):
        chain, previous = [], ""
        while token:
            row = nusc.get(table, token)
            assert row["prev"] == previous
            chain.append(row)
            previous, token = token, row["next"]
        return chain

    samples = follow("sample", scene["first_sample_token"])
    assert [row["token"] for row in samples] == [row["token"] for row in nusc.sample]
    assert samples[-1]["token"] == scene["last_sample_token"]
    assert len(samples) == scene["nbr_samples"] == 4
    np.testing.assert_allclose(np.diff([row["timestamp"] for row in samples]), 5e5, atol=1e3)
    for channel, rate in (("CAM_FRONT", 12), ("LIDAR_TOP", 20), ("RADAR_FRONT", 13)):
        rows = captures(nusc, channel)
        chain = follow("sample_data", rows[0]["token"])
        assert chain == rows
        stamps = np.array([row["timestamp"] for row in rows])
        np.testing.assert_allclose(np.diff(stamps), 1e6 / rate, atol=1e3)
        assert [row["sample_token"] for row in rows if row["is_key_frame"]] == [row["token"] for row in samples]
        for row in rows:
            assert nusc.get("ego_pose", row["ego_pose_token"])["timestamp"] == row["timestamp"]
            folder, name, stem = Path(row["filename"]).parts
            assert (folder, name) == ("samples" if row["is_key_frame"] else "sweeps", channel)
            assert stem.split(".")[0].split("__")[1:] == [channel, str(row["timestamp"])]
    for sample in samples:
        stamps = {channel: nusc.get("sample_data", token)["timestamp"] for channel, token in sample["data"].items()}
        assert sample["timestamp"] == stamps["LIDAR_TOP"]
        assert abs(stamps["RADAR_FRONT"] - stamps["CAM_FRONT"]) <= 60_000
    for instance in nusc.instance:
        chain = follow("sample_annotation", instance["first_annotation_token"])
        assert len(chain) == instance["nbr_annotations"]
        assert chain[-1]["token"] == instance["last_annotation_token"]
    assert len(nusc.instance) > 10


def test_devkit_projects_the_lidar_onto_the_rendered_depth_of_what_stands_still(nusc, world, data_root):
    nearer, farther = [], []
    for sample in nusc.sample:
        camera = nusc.get("sample_data", sample["data"]["CAM_FRONT"])
        points, depth, _ = nusc.explorer.map_pointcloud_to_image(sample["data"]["LIDAR_TOP"], camera["token"])
        rendered = np.array(Image.open(data_root / "depth/CAM_FRONT" / (Path(camera["filename"]).stem + ".png"))) / 256
        actor = camera_frame(world, CAMERA, seconds(nusc, camera["timestamp"])).numpy().actor
        moving = (world.actors.speed.numpy()[actor] > 0) & (actor >= 0)
        columns, rows = np.clip(np.rint(points[:2]).astype(int), 1, [[CAMERA.width - 2], [CAMERA.height - 2]])
        around = [(rows + i, columns + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        patch, passing = np.stack([rendered[place] for place in around]), np.any([moving[place] for place in around], 0)
        tested = ~passing & (patch.max(0) - patch.min(0) < 1.0)
        nearer.append((patch.min(0) - depth)[tested])
        farther.append((depth - patch.max(0))[tested])
    nearer, farther = np.concatenate(nearer), np.concatenate(farther)
    assert len(nearer) > 2000
    # Within noise and PNG step of what the image shows about the pixel; farther only where the lidar,
    # which stands higher, looks over something or sees past a moving car that has moved on.
    tolerance = 5 * RANGE_NOISE + 1 / 256
    assert (nearer > tolerance).mean() < 0.01
    assert (farther > tolerance).mean() < 0.05


def actor_of(world, annotation, time):
    position = world.actors.at(time)[0].numpy()[:, :2]
    distance = np.linalg.norm(position - annotation["translation"][:2], axis=1)
    assert distance.min() < 1e-6
    return int(distance.argmin())


def pose_of(nusc, row):
    from nuscenes.utils.geometry_utils import transform_matrix
    from pyquaternion import Quaternion

    pose = np.eye(4)
    for table, key in (("ego_pose", "ego_pose_token"), ("calibrated_sensor", "calibrated_sensor_token")):
        record = nusc.get(table, row[key])
        pose = pose @ transform_matrix(record["translation"], Quaternion(record["rotation"]))
    return pose


def distance_to_surface(world, actor, points, eye):
    """Return how far points [N, 3] lie from the surface of an actor, along their line of sight from ``eye`` [3].

    Points and eye are in the actor's frame. The surface is searched in steps along the ray; the distance is infinite
    where the ray enters no part nearby.
    """
    steps = np.linspace(-0.15, 0.15, 61)
    sight = (points - eye) / np.linalg.norm(points - eye, axis=1, keepdims=True)
    along = points[:, None] + steps[:, None] * sight[:, None]  # [N, 61, 3]
    within = np.zeros(along.shape[:2], dtype=bool)
    body = {name: values.numpy() for name, values in vars(world.parts).items()}
    for part in np.flatnonzero(body["owner"] == actor):
        x, y, z = np.moveaxis(((along - body["offset"][part]) @ body["rotation"][part]) / body["half"][part], -1, 0)
        front, back, side = body["slopes"][part]
        kind = body["kind"][part]
        if kind <= primitives.HULL:
            inside = (x <= 1 + front + front * z) & (-x <= 1 + back + back * z) & (np.abs(y) <= 1 + side + side * z)
            inside &= np.abs(z) <= 1
        elif kind == primitives.ELLIPSOID:
            inside = x**2 + y**2 + z**2 <= 1
        else:
            slope = front if kind == primitives.CONE else 0.0
            inside = (np.hypot(x, y) <= 1 + slope + slope * z) & (np.abs(z) <= 1)
        within |= inside
    # The surface lies at a step that is inside when the step before it is outside.
    entered = within[:, 1:] & ~within[:, :-1]
    return np.where(entered, np.abs(steps[1:]), np.inf).min(1)


def test_lidar_points_in_an_annotated_box_lie_on_that_object_and_are_counted(nusc, world, data_root):
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import points_in_box, transform_matrix
    from pyquaternion import Quaternion

    total = on_object = on_road = 0
    for sample in nusc.sample:
        row = nusc.get("sample_data", sample["data"]["LIDAR_TOP"])
        cloud = LidarPointCloud.from_file(str(data_root / row["filename"]))
        for table, key in (("calibrated_sensor", "calibrated_sensor_token"), ("ego_pose", "ego_pose_token")):
            record = nusc.get(table, row[key])
            cloud.transform(transform_matrix(record["translation"], Quaternion(record["rotation"])))
        time = seconds(nusc, row["timestamp"])
        for token in sample["anns"]:
            annotation = nusc.get("sample_annotation", token)
            inside = points_in_box(nusc.get_box(token), cloud.points[:3])
            assert abs(annotation["num_lidar_pts"] - inside.sum()) <= 1  # float32 at the box's border
            actor = actor_of(world, annotation, time)
            turn = Quaternion(annotation["rotation"]).inverse.rotation_matrix
            base = annotation["translation"][2] - annotation["size"][2] / 2
            local = (cloud.points[:3, inside].T - [*annotation["translation"][:2], base]) @ turn.T
            eye = (pose_of(nusc, row)[:3, 3] - [*annotation["translation"][:2], base]) @ turn.T
            surface = distance_to_surface(world, actor, local, eye)
            on_object += (surface < 5 * RANGE_NOISE).sum()
            on_road += ((surface >= 5 * RANGE_NOISE) & (local[:, 2] < 5 * RANGE_NOISE)).sum()
            total += len(local)
    print(
        f"of {total} points in annotated boxes {on_object / total:.2%} lie on the rendered object,"
        f" {on_road / total:.2%} on the ground under it"
    )
    assert total > 1000
    assert on_object / total > 0.9
    assert (on_object + on_road) / total > 0.995


def test_annotated_boxes_interpolated_by_the_devkit_follow_the_moving_actors(nusc, world):
    worst, compared = 0.0, 0
    for row in captures(nusc, "CAM_FRONT", is_key_frame=False):
        position = world.actors.at(seconds(nusc, row["timestamp"]))[0].numpy()
        sample = nusc.get("sample", row["sample_token"])
        for box, token in zip(nusc.get_boxes(row["token"]), sample["anns"], strict=True):
            annotation = nusc.get("sample_annotation", token)
            if annotation["prev"]:
                actor = actor_of(world, annotation, seconds(nusc, sample["timestamp"]))
                worst = max(worst, np.linalg.norm(box.center[:2] - position[actor, :2]))
                compared += 1
    assert compared > 100
    assert worst < 0.03  # the sagitta of half a second's arc at 11 m/s on a radius of 350 m is 1.1 cm


def test_visible_cars_are_well_placed_in_the_image(nusc, world, data_root):
    """A well visible car's box, projected by the devkit, covers pixels at about its depth."""
    checked = 0
    for sample in nusc.sample:
        token = sample["data"]["CAM_FRONT"]
        path, boxes, intrinsics = nusc.get_sample_data(token)
        rendered = np.array(Image.open(data_root / "depth/CAM_FRONT" / (Path(path).stem + ".png"))) / 256
        for box in boxes:
            annotation = nusc.get("sample_annotation", box.token)
            u, v, w = intrinsics @ box.center
            inside = 0 <= u / w < CAMERA.width - 1 and 0 <= v / w < CAMERA.height - 1
            if annotation["visibility_token"] == "4" and box.name == "vehicle.car" and w > 4 and inside:
                assert rendered[round(v / w), round(u / w)] == pytest.approx(box.center[2], abs=3.0)  # half a car
                checked += 1
    assert checked >= 4


def test_radar_files_read_alike_here_and_in_the_devkit(nusc, data_root):
    from nuscenes.utils.data_classes import RadarPointCloud

    counts = []
    for row in captures(nusc, "RADAR_FRONT"):
        path = data_root / row["filename"]
        returns = radar.decode_pcd(path.read_bytes(), path)
        points = RadarPointCloud.from_file(
            str(path), invalid_states=list(range(18)), dynprop_states=list(range(8)), ambig_states=list(range(5))
        ).points
        np.testing.assert_array_equal(
            points, np.stack([returns[name].astype(np.float64) for name in returns.dtype.names])
        )
        assert (np.hypot(returns["x"], returns["y"]) <= 251).all()
        counts.append(len(returns))
    assert min(counts) > 20
    assert max(counts) <= 125
