"""The synthetic scenes: exact geometry, plausible sensors, and a data root that the official devkit accepts."""

import dataclasses
import math
import os
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lircdepth_core import radar, synthetic
from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.raycast import GROUND, NOTHING, Scene, cast
from lircdepth_core.synthetic.sensors import camera_frame, lidar_scan, radar_scan, visible_share
from lircdepth_core.synthetic.world import PLAIN, Actors, Boxes, Road, World, build_world
from lircdepth_ros import cli

CAMERA = synthetic.CameraModel().resized(320, 180)
LIDAR = synthetic.LidarModel(azimuths=360)
SEED = 4
RANGE_NOISE = 0.02  # metres, the lidar's standard deviation


def analytic_depth(world, camera, time):
    """Depth of every pixel, in float64 NumPy and global coordinates, face by face: each face's plane is met and the
    point checked against the face's edges. Shares no code with the renderer."""
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    rays = np.stack([(columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy, np.ones_like(rows)], axis=-1)
    pose = world.ego_pose(time) @ np.array(camera.ego_from_sensor)
    rays, eye = rays.reshape(-1, 3) @ pose[:3, :3].T, pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(rays[:, 2] < 0, -eye[2] / rays[:, 2], np.inf)
        position, yaw, _ = (values.numpy() for values in world.actors.at(time))
        for owner, offset, size in zip(*(v.numpy() for v in list(vars(world.boxes).values())[:3]), strict=True):
            c, s = np.cos(yaw[owner]), np.sin(yaw[owner])
            axes = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
            centre = position[owner] + offset @ axes
            for face in range(3):
                for sign in (-1, 1):
                    t = (centre + sign * size[face] / 2 * axes[face] - eye) @ axes[face] / (rays @ axes[face])
                    on_face = (t > 0) & (t < depth)
                    point = (eye + t[on_face, None] * rays[on_face] - centre) @ axes.T
                    others = [k for k in range(3) if k != face]
                    on_face[on_face] = (np.abs(point[:, others]) <= size[others] / 2).all(1)
                    depth[on_face] = t[on_face]
    return depth.reshape(camera.height, camera.width)


def test_depth_equals_an_analytic_ray_cast_to_a_tenth_of_a_millimetre_a_kilometre_from_the_origin():
    camera = synthetic.CameraModel().resized(128, 72)
    for seed, time in ((1, 0.7), (2, 11.3)):
        world = build_world(seed, corner=(1500.0, 1200.0))
        assert np.linalg.norm(world.ego_pose(time)[:3, 3]) > 1000
        depth, expected = camera_frame(world, camera, time).depth, analytic_depth(world, camera, time)
        np.testing.assert_array_equal(np.isinf(depth), np.isinf(expected))
        finite = np.isfinite(expected)
        assert finite.mean() > 0.5
        # Beyond 300 m one float32 step is as large as the tolerance.
        error = np.abs(depth[finite] - expected[finite]) / np.maximum(expected[finite] / 300, 1)
        assert error.max() < 1e-4


def test_a_ray_along_a_face_meets_the_face_ahead_and_the_sky_and_ground_where_nothing_stands():
    scene = Scene(
        torch.tensor([[10.0, 0.0, 0.0]]).double(), torch.tensor([[1.0, 2.0, 3.0]]).double(), torch.zeros(1).double(), -4
    )
    rays = torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, -1.0]]).double()[:, None]
    hits = cast(scene, rays)
    np.testing.assert_allclose(hits.distance[:, 0], [9.0, 4.5, np.inf, 4.0])
    assert hits.primitive[:, 0].tolist() == [0, 0, NOTHING, GROUND]
    assert hits.normal[:, 0].tolist() == [[-1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match="90 degrees"):
        cast(scene, torch.tensor([[[1.0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0.1]]]).double())


def test_road_coordinates_undo_road_poses_far_from_the_origin_in_float32():
    road = build_world(5, corner=(1500.0, 1200.0)).road
    s, d = np.array([0.0, 100.0, 480.0]), np.array([-8.0, 0.0, 3.0])
    x, y, _ = road.pose(s, d)
    origin = (x[1] + 5.0, y[1] - 3.0)
    relative = torch.tensor(np.stack([x - origin[0], y - origin[1]], axis=1), dtype=torch.float32)
    found_s, found_d = road.coordinates(relative, origin)
    np.testing.assert_allclose(found_s, s, atol=2e-3)
    np.testing.assert_allclose(found_d, d, atol=2e-3)


def test_actors_move_by_the_integral_of_their_velocity():
    actors = build_world(6).actors
    steps, duration = 2000, 8.0
    moved = sum(actors.at((k + 0.5) * duration / steps)[2] for k in range(steps)) * (duration / steps)
    np.testing.assert_allclose(actors.at(duration)[0] - actors.at(0.0)[0], moved, atol=1e-4)
    assert (moved.norm(dim=1) > 8).sum() >= 5  # traffic does move


def bodies(*rows):
    """A straight road along x from (1000, 1000) with boxes of 2 x 2 x 2 m; rows: x ahead of the start, y left, speed.
    At time 0 the ego vehicle is 40 m along the road, 1.55 m right of its centre, driving at exactly 10 m/s."""
    rows = torch.tensor(rows, dtype=torch.float64)
    n = len(rows)
    actors = Actors(
        ("vehicle.car",) * n,
        ("vehicle.parked",) * n,
        torch.full((n, 3), 2.0).double(),
        rows[:, :2] + 1000,
        torch.zeros(n).double(),
        rows[:, 2],
        torch.zeros(n).double(),
        torch.full((n,), 15.0).double(),
    )
    offset = torch.tensor([[0.0, 0.0, 1.0]]).double().expand(n, 3)
    boxes = Boxes(torch.arange(n), offset, actors.size, torch.full((n, 3), 0.5).double(), torch.full((n,), PLAIN))
    # Phase pi/2: the weave turns round, so no sideways speed, and the speed is at its mean.
    return World(Road(1000.0, 1000.0, 0.0, 1e-6, 500.0), actors, boxes, torch.tensor([0, 0, 1.0]), 10.0, math.pi / 2)


def test_radar_speeds_are_relative_along_the_line_of_sight_and_compensated_to_speed_over_ground():
    # Radar at (43.41, -1.55). Boxes: fixed ahead, fixed 30 degrees to the left, one that drives off at 14 m/s.
    fixed, aside, leaving = (73.41, -1.55, 0.0), (73.41, 15.77, 0.0), (93.41, -8.55, 14.0)
    world = bodies(fixed, aside, leaving)
    model = synthetic.RadarModel(clutter=0, range_noise=0, azimuth_noise=0, speed_noise=0)
    found = set()
    for turn in range(8):
        for r in radar_scan(world, model, 0.0, np.random.default_rng(turn)):
            sight = np.array([r["x"], r["y"]], dtype=np.float64) / np.hypot(r["x"], r["y"])
            target = min(range(3), key=lambda k: math.hypot(
                r["x"] - ((fixed, aside, leaving)[k][0] - 43.41), r["y"] - ((fixed, aside, leaving)[k][1] + 1.55)
            ))  # fmt: skip
            found.add(target)
            over_ground = 14 * sight[0] if target == 2 else 0.0
            radial = sight @ [r["vx"], r["vy"]]
            # Quantised to 0.25 m/s; the position that gives the line of sight to 0.2 m.
            assert radial == pytest.approx(over_ground - 10 * sight[0], abs=0.2)
            assert sight @ [r["vx_comp"], r["vy_comp"]] == pytest.approx(over_ground, abs=0.1)
            assert r["dyn_prop"] in ((0,) if target == 2 else (1, 3))
    assert found == {0, 1, 2}


def test_radar_returns_lie_on_the_near_face_of_what_they_hit():
    world = bodies((63.41, -1.55, 0.0))
    returns = radar_scan(world, synthetic.RadarModel(clutter=0), 0.0, np.random.default_rng(0))
    assert len(returns) >= 1
    assert np.abs(returns["x"] - 19.0).max() < 1.0  # 20 m less half the box; 0.15 m noise
    assert np.abs(returns["y"]).max() < 1.0 + 1.0
    empty = radar_scan(bodies((0.0, 0.0, 0.0)), synthetic.RadarModel(clutter=0), 0.0, np.random.default_rng(0))
    assert len(radar.decode_pcd(radar.encode_pcd(empty))) == 0


def test_visibility_is_the_share_of_what_faces_the_eye_that_nothing_hides():
    # The second box stands 1 m behind the first, seen from straight ahead: hidden but for what perspective shows of
    # it (its upper edge, since the eye is higher than the first box). The third stands free.
    world = bodies((50.0, 0.0, 0.0), (53.0, 0.0, 0.0), (50.0, 30.0, 0.0))
    share = visible_share(world, np.arange(3), 0.0, np.array([1040.0, 1000.0, 1.5]))
    assert share[0] == 1
    assert share[1] == 0
    assert share[2] == 1


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    output = tmp_path_factory.mktemp("synthetic") / "root"
    return synthetic.generate(output, 1, SEED, 1.5, CAMERA, LIDAR)


@pytest.fixture(scope="module")
def world():
    return build_world((SEED, 0))


@pytest.fixture(scope="module")
def nusc(data_root):
    return pytest.importorskip("nuscenes").NuScenes("v1.0-mini", str(data_root), verbose=False)


def captures(nusc, channel, **wanted):
    rows = [r for r in nusc.sample_data if r["channel"] == channel and all(r[k] == v for k, v in wanted.items())]
    return sorted(rows, key=lambda row: row["timestamp"])


def seconds(nusc, timestamp):
    """The world's time: its start is the epoch of scene 0."""
    return (timestamp - 1_530_000_000_000_000) * 1e-6


def test_devkit_lists_the_scene_and_finds_every_file(nusc, capsys):
    from nuscenes.tests.assert_download import verify_setup

    verify_setup(nusc)
    nusc.list_scenes()
    assert "scene-9001" in capsys.readouterr().out
    assert (len(nusc.category), len(nusc.attribute), len(nusc.visibility)) == (23, 8, 4)


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
        actor = camera_frame(world, CAMERA, seconds(nusc, camera["timestamp"])).actor
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


def test_lidar_points_in_an_annotated_box_lie_on_that_object_and_are_counted(nusc, world, data_root):
    from nuscenes.utils.data_classes import LidarPointCloud
    from nuscenes.utils.geometry_utils import points_in_box, transform_matrix
    from pyquaternion import Quaternion

    total = 0
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
            local = (cloud.points[:3, inside].T - [*annotation["translation"][:2], 0]) @ turn.T
            surface = np.full(len(local), np.inf)
            for part in np.flatnonzero(world.boxes.owner.numpy() == actor):
                beyond = np.abs(local - world.boxes.offset[part].numpy()) - world.boxes.size[part].numpy() / 2
                outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
                surface = np.minimum(surface, np.abs(outside + np.minimum(beyond.max(1), 0)))
            assert (surface < 5 * RANGE_NOISE).all()
            total += len(local)
    assert total > 1000


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


def test_lidar_points_are_in_range_with_a_ring_each_and_noise_of_two_centimetres():
    world = bodies((-5000.0, 0.0, 0.0))
    points = lidar_scan(world, synthetic.LidarModel(), 0.0, np.random.default_rng(0))
    assert points.dtype == np.float32
    # An empty plane: beams that look down meet it, at height / sin(elevation) and below 100 m.
    elevation = np.radians(synthetic.LidarModel().elevations)
    expected = 1.84 / np.sin(-elevation, where=elevation < 0, out=np.full(32, -1.0))
    rings = np.flatnonzero((expected > 0) & (expected < 100))
    assert sorted(set(points[:, 4].astype(int))) == rings.tolist()
    for ring in rings[::4]:
        ranges = np.linalg.norm(points[points[:, 4] == ring, :3].astype(np.float64), axis=1)
        assert np.mean(ranges) == pytest.approx(expected[ring], abs=0.01)
        assert np.std(ranges) == pytest.approx(RANGE_NOISE, rel=0.15)


def test_scan_lines_keep_nuscenes_axes_with_y_forward_for_the_lidar():
    world = bodies((60.0, -1.55, 0.0))
    points = lidar_scan(world, synthetic.LidarModel(), 0.0, np.random.default_rng(0))
    ahead = points[(np.abs(points[:, 0]) < 0.9) & (points[:, 1] > 10) & (np.abs(points[:, 2]) < 1.0)]
    assert np.median(ahead[:, 1]) == pytest.approx(20 - 1 - 0.94, abs=0.05)


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


TINY = {
    "duration": 0.5,
    "camera": synthetic.CameraModel().resized(64, 36),
    "lidar": synthetic.LidarModel(azimuths=36),
}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_street(tmp_path):
    first, second, other = (
        tree(synthetic.generate(tmp_path / name, scenes, seed, **TINY)) for name, scenes, seed in
        (("a", 2, 7), ("b", 2, 7), ("c", 1, 8))
    )  # fmt: skip
    assert first == second
    images = [{data for path, data in files.items() if path.endswith(".jpg")} for files in (first, other)]
    assert len(images[0]) == 2 * 7
    assert not images[0] & images[1]


def test_a_failed_write_names_the_file_and_leaves_nothing_behind(tmp_path):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # larger files fail in the middle, as on a full disk
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            synthetic.generate(tmp_path / "root", 1, 0, **TINY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY if hard == -1 else hard, hard))
    assert Path(caught.value.filename).suffix in (".png", ".jpg", ".bin", ".json")
    assert os.listdir(tmp_path) == []


def test_an_existing_directory_is_refused_unless_it_is_empty(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("kept")
    with pytest.raises(LircDepthError, match="full: exists and is not empty"):
        synthetic.generate(tmp_path / "full", 1, 0, **TINY)
    assert os.listdir(tmp_path / "full") == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    synthetic.generate(tmp_path / "empty", 1, 0, **TINY)
    assert (tmp_path / "empty/v1.0-mini/scene.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--duration", "0"], "duration is 0.0 s, expected more than 0 and at most 20"),
        (["--duration", "nan"], "duration is nan s"),
        (["--scenes", "0"], "scenes is 0, expected at least 1"),
        (["--seed", "-1"], "seed is -1, expected 0 or more"),
        (["--image-size", "16x9"], "image size is 16x9, expected at least 32x32"),
    ],
)
def test_the_command_refuses_arguments_that_cannot_be_used(tmp_path, capsys, arguments, message):
    assert cli.main(["synth", "-o", str(tmp_path / "root"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_the_command_says_what_it_will_cost_and_writes_the_data_root(tmp_path, capsys):
    output = tmp_path / "new/root"
    assert cli.main(["synth", "-o", str(output), "--duration", "0.5", "--image-size", "64x36"]) == 0
    assert re.search(r"1 scene\(s\) of 0.5 s: about \d+ s and \d+ MB \(\d+ MB free\)", capsys.readouterr().out)
    assert len(list(output.glob("s*/CAM_FRONT/*.jpg"))) == 7
    assert len(list(output.glob("depth/CAM_FRONT/*.png"))) == 7


def test_a_resized_camera_takes_the_same_picture():
    world = build_world(3)
    nominal = synthetic.CameraModel()
    half = camera_frame(world, nominal.resized(800, 450), 1.0)
    # The centre of a half-size pixel lies between four full-size ones.
    shifted = dataclasses.replace(nominal, width=1600, height=900)
    full = camera_frame(world, shifted, 1.0)
    means = full.image.reshape(450, 2, 800, 2, 3).astype(float).mean((1, 3))
    assert np.median(np.abs(means - half.image)) <= 2
    corners = full.depth.reshape(450, 2, 800, 2)
    within = (half.depth >= corners.min((1, 3)) - 1e-3) & (half.depth <= corners.max((1, 3)) + 1e-3)
    assert within.mean() > 0.999
