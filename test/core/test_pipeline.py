# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""DepthPipeline: what goes in is placed where it belongs, and what comes out is honest about what is not known."""

import cv2
import numpy as np
import pytest
import torch

from lircdepth_core import geometry
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.backends.pytorch import PyTorchBackend
from lircdepth_core.inference.input_plan import InputPlan
from lircdepth_core.models import checkpoints
from lircdepth_core.models.checkpoints import Header
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_core.radar import RadarScan

INTRINSICS = np.array([[1266.0, 0.0, 816.0], [0.0, 1266.0, 491.0], [0.0, 0.0, 1.0]])
INTRINSICS_SMALL = np.array([[1266.0, 0.0, 80.0], [0.0, 1266.0, 48.0], [0.0, 0.0, 1.0]])  # of 160 x 96 pixels
LOW_CAMERA = np.array([[1266.0, 0.0, 32.0], [0.0, 990.0, 10.0], [0.0, 0.0, 1.0]])  # of 64 x 20 pixels
CAMERA_FROM_RADAR = np.array([[0, -1, 0, 0], [0, 0, -1, 1.0], [1, 0, 0, 1.7], [0, 0, 0, 1.0]])


class EchoRadar:
    """A backend whose depth is the radar's depth channel, so that a return's place in the output can be seen."""

    device = torch.device("cpu")

    def infer(self, image, radar):
        self.image, self.radar = image, radar
        return radar[:, :1]


def scan(*points, velocity=(-3.0, 0.5)):
    x, y, z = np.array(points, dtype=np.float32).reshape(-1, 3).T
    return RadarScan.from_fields(x, y, z, x * 0 + 9.0, x * 0 + velocity[0], x * 0 + velocity[1])


def pipeline(**options):
    return DepthPipeline(EchoRadar(), Header(model="tiny", focal_length=1266.0), **options)


def test_900_rows_lose_the_top_4_and_a_return_stays_where_it_projects():
    image = np.zeros((900, 1600, 3), np.uint8)
    pipe = pipeline()
    frame = pipe(image, INTRINSICS, [(scan([20.0, 2.0, 0.0]), CAMERA_FROM_RADAR)])
    assert frame.depth.shape == (900, 1600)
    assert frame.depth.dtype == np.float32
    assert np.isnan(frame.depth[:4]).all()
    assert not np.isnan(frame.depth[4:]).any()
    # Camera coordinates (-2, 1, 21.7): u = 816 - 1266 * 2 / 21.7, v = 491 + 1266 / 21.7.
    assert np.argwhere(frame.depth > 0).tolist() == [[round(491 + 1266 / 21.7), round(816 - 1266 * 2 / 21.7)]]
    assert frame.depth.max() if np.isfinite(frame.depth).all() else np.nanmax(frame.depth) == pytest.approx(21.7)
    row, column = 549 - 4, 699
    assert pipe.backend.radar[0, :, row, column].tolist() == pytest.approx([21.7, 9.0, -3.0, 0.5])
    assert frame.fused
    assert frame.returns_seen == 1


def test_the_network_sees_rgb_normalised_as_in_training():
    image = np.zeros((64, 64, 3), np.uint8)
    image[10, 20] = (255, 128, 0)
    pipe = pipeline()
    pipe(image, np.diag([1266.0, 1266.0, 1.0]))
    expected = [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, -0.406 / 0.225]
    assert pipe.backend.image[0, :, 10, 20].tolist() == pytest.approx(expected, abs=1e-5)
    assert pipe.backend.image.shape == (1, 3, 64, 64)


@pytest.mark.parametrize(
    ("height", "width", "scale", "plan"),
    [
        (900, 1600, 1.0, (900, 1600, 4, 0, 896, 1600)),
        (900, 1600, 1.004, (900, 1600, 4, 0, 896, 1600)),
        (900, 1600, 0.5, (450, 800, 2, 0, 448, 800)),
        (720, 1280, 1.0, (720, 1280, 16, 0, 704, 1280)),
        (480, 650, 1.0, (480, 650, 0, 5, 480, 640)),
    ],
)
def test_the_input_plan_crops_rows_at_the_top_and_columns_on_both_sides(height, width, scale, plan):
    assert InputPlan.make(height, width, scale) == InputPlan(*plan)


def test_a_camera_of_half_the_focal_length_is_enlarged_to_that_of_training():
    half = INTRINSICS * [[0.5], [0.5], [1.0]]
    pipe = pipeline()
    frame = pipe(np.zeros((450, 800, 3), np.uint8), half, [(scan([20.0, 2.0, 0.0]), CAMERA_FROM_RADAR)])
    assert pipe.backend.image.shape == (1, 3, 896, 1600)
    assert frame.depth.shape == (450, 800)
    # In the image the return is at half of the full-size position; twice enlarged it is one pixel of four.
    row, column = np.argwhere(pipe.backend.radar[0, 0].numpy() > 0)[0]
    assert abs(row + 4 - 549.3) <= 1
    assert abs(column - 699.3) <= 1
    assert np.isnan(frame.depth[:2]).all()
    assert not np.isnan(frame.depth[2:]).any()


@pytest.mark.parametrize("upsampling", ["nearest", "edge_aware"])
@pytest.mark.parametrize(("rows", "columns"), [(0.5, 1.0), (1.0, 0.5), (0.5, 2.0)])
def test_a_camera_whose_pixels_are_not_square_is_brought_to_square_ones(rows, columns, upsampling):
    """fx and fy differ: both become the focal length of training, so that the return falls where it did before."""
    matrix = INTRINSICS * [[columns], [rows], [1.0]]
    pipe = pipeline(upsampling=upsampling)
    image = np.zeros((round(900 * rows), round(1600 * columns), 3), np.uint8)
    frame = pipe(image, matrix, [(scan([20.0, 2.0, 0.0]), CAMERA_FROM_RADAR)])
    assert pipe.backend.image.shape == (1, 3, 896, 1600)
    assert frame.depth.shape == image.shape[:2]
    row, column = np.argwhere(pipe.backend.radar[0, 0].numpy() > 0)[0]
    assert abs(row + 4 - 549.3) <= 1
    assert abs(column - 699.3) <= 1


def test_a_smaller_input_pixel_is_the_mean_over_its_area():
    """As a camera of that size would take it, and as the renderer's pictures of training are."""
    image = np.random.default_rng(0).integers(0, 256, (260, 400, 3), dtype=np.uint8)
    pipe = pipeline(inference_scale=0.25)
    pipe(image, INTRINSICS_SMALL)
    means = image.reshape(65, 4, 100, 4, 3).mean(axis=(1, 3))[1:, 2:-2]  # 65 x 100 is cropped to 64 x 96
    seen = pipe.backend.image[0].permute(1, 2, 0).numpy() * (0.229, 0.224, 0.225) + (0.485, 0.456, 0.406)
    np.testing.assert_allclose(255 * seen, means, atol=1.01)  # bytes, rounded at each halving


def test_a_frame_holds_no_return_of_the_one_before():
    image = np.zeros((900, 1600, 3), np.uint8)
    pipe = pipeline()
    for point in ([20.0, 2.0, 0.0], [30.0, -2.0, 0.0], [20.0, 2.0, 0.0]):
        frame = pipe(image, INTRINSICS, [(scan(point), CAMERA_FROM_RADAR)])
        assert frame.depth[frame.depth > 0].tolist() == pytest.approx([point[0] + 1.7])
    assert np.nanmax(pipe(image[:500], INTRINSICS).depth) == 0


def test_frames_that_are_computed_together_are_those_computed_one_by_one_whatever_came_before():
    """Each has its own pixels, returns and size, also after a batch of another number: buffers are kept."""
    network, header = checkpoints.random_weights("tiny")
    pipe = DepthPipeline(PyTorchBackend(network, "cpu"), header)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 96, 160, 3), dtype=np.uint8)
    returns = [[(scan([20.0 + i, 0.1 * i, 1.0]), CAMERA_FROM_RADAR)] * (i != 1) for i in range(3)]
    alone = [pipe(*inputs) for inputs in zip(pictures, [INTRINSICS_SMALL] * 3, returns, strict=True)]
    assert not np.allclose(alone[0].depth, alone[1].depth)
    for chosen in ([0, 1, 2], [2], [1, 0]):
        prepared = [pipe.prepare(pictures[i], INTRINSICS_SMALL, returns[i]) for i in chosen]
        for i, frame in zip(chosen, pipe.estimate(prepared), strict=True):
            np.testing.assert_allclose(frame.depth, alone[i].depth, rtol=1e-5)
            assert frame.returns_seen == alone[i].returns_seen == int(i != 1)
    other = pipe.prepare(np.zeros((64, 160, 3), np.uint8), INTRINSICS_SMALL)
    with pytest.raises(LircDepthError, match="frames of 2 input sizes, expected one"):
        pipe.estimate([other, *prepared])


def network_at_half_size(image):
    """Depth of the tiny network on the picture at half the size, and a pipeline that halves the picture itself."""
    network, header = checkpoints.random_weights("tiny")
    half = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    backend = PyTorchBackend(network, "cpu")
    small = DepthPipeline(backend, Header(model="tiny", focal_length=633.0))
    return small(half, INTRINSICS * [[0.5], [0.5], [1.0]]).depth, DepthPipeline(backend, header, inference_scale=0.5)


def test_at_reduced_scale_depth_is_not_mixed_across_an_edge():
    """Nearest upsampling: every output value is one that the network gave."""
    image = np.random.default_rng(0).integers(0, 255, (900, 1600, 3), dtype=np.uint8)
    small, pipe = network_at_half_size(image)
    np.testing.assert_array_equal(pipe(image, INTRINSICS).depth, small.repeat(2, axis=0).repeat(2, axis=1))


def test_edge_aware_depth_is_a_mean_of_what_the_network_gave_around_a_pixel():
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8), (1600, 900))
    small, pipe = network_at_half_size(image)
    nearest = pipe(image, INTRINSICS).depth
    pipe.upsampling = "edge_aware"
    depth = pipe(image, INTRINSICS).depth
    np.testing.assert_array_equal(np.isnan(depth), np.isnan(nearest))
    enlarged = small[2:].repeat(2, axis=0).repeat(2, axis=1)  # its first two rows are cropped: NaN
    least, most = cv2.erode(enlarged, np.ones((5, 5))), cv2.dilate(enlarged, np.ones((5, 5)))
    assert (depth[4:] >= least - 1e-4).all()
    assert (depth[4:] <= most + 1e-4).all()
    assert (depth[4:] != nearest[4:]).mean() > 0.5


def test_each_stage_is_timed():
    seconds = pipeline()(np.zeros((96, 160, 3), np.uint8), INTRINSICS_SMALL).seconds
    assert list(seconds) == ["resize", "normalise", "radar", "network", "restore", "upsample"]
    assert min(seconds.values()) >= 0


def test_depth_beyond_max_range_is_infinite():
    frame = pipeline(max_range=20.0)(
        np.zeros((900, 1600, 3), np.uint8), INTRINSICS, [(scan([20.0, 2.0, 0.0], [10.0, 0.0, 0.0]), CAMERA_FROM_RADAR)]
    )
    assert np.isinf(frame.depth).sum() == 1
    assert np.nanmax(frame.depth[np.isfinite(frame.depth)]) == pytest.approx(11.7)


def test_without_a_return_in_view_the_frame_is_camera_only_and_says_so():
    image = np.zeros((96, 160, 3), np.uint8)
    intrinsics = np.array([[1266.0, 0, 80], [0, 1266.0, 48], [0, 0, 1.0]])
    assert not pipeline()(image, intrinsics).fused
    behind = pipeline()(image, intrinsics, [(scan([-20.0, 0.0, 0.0]), CAMERA_FROM_RADAR)])
    assert not behind.fused
    nan = pipeline()(image, intrinsics, [(scan([np.nan, 0.0, 0.0]), CAMERA_FROM_RADAR)])
    assert (nan.fused, nan.rejected_returns) == (False, 1)


def test_the_nearest_return_wins_across_radars():
    image = np.zeros((900, 1600, 3), np.uint8)
    aside = CAMERA_FROM_RADAR @ geometry.rigid_transform((-10.0, 0.0, 0.0), (1, 0, 0, 0))
    # Both lie on the optical axis of the camera (the second radar sits 10 m behind), at 31.7 m and 21.7 m.
    radars = [(scan([30.0, 0.0, 1.0]), CAMERA_FROM_RADAR), (scan([30.0, 0.0, 1.0]), aside)]
    for order in (radars, radars[::-1]):
        frame = pipeline()(image, INTRINSICS, order)
        assert np.nanmax(frame.depth) == pytest.approx(21.7)
        assert frame.returns_seen == 2


def test_the_same_frame_gives_the_same_depth_bit_for_bit():
    network, header = checkpoints.random_weights("tiny")
    pipe = DepthPipeline(PyTorchBackend(network, "cpu"), header)
    image = np.random.default_rng(1).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    radars = [(scan([20.0, 0.3, 1.0]), CAMERA_FROM_RADAR)]
    intrinsics = np.array([[1266.0, 0, 80], [0, 1266.0, 48], [0, 0, 1.0]])
    assert pipe(image, intrinsics, radars).depth.tobytes() == pipe(image, intrinsics, radars).depth.tobytes()


def camera(focal_length):
    return np.array([[focal_length, 0.0, 816.0], [0.0, focal_length, 491.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("focal_length", [1252.8, 1266.4, 1284.0])
def test_nuscenes_cameras_are_one_camera_and_nothing_is_resampled(focal_length):
    """Its two front cameras are 1 % apart: enlarging one would cost it 13 rows and 17 columns."""
    pipe = pipeline()
    frame = pipe(np.zeros((900, 1600, 3), np.uint8), camera(focal_length))
    assert pipe.backend.image.shape == (1, 3, 896, 1600)
    assert np.isnan(frame.depth).sum() == 4 * 1600
    assert pipe.plan(900, 1600, camera(1300.0)).width == round(1600 * 1266 / 1300)


@pytest.mark.parametrize("focal_length", [126600.0, 1.0])
def test_an_absurd_focal_length_is_refused_with_its_value(focal_length):
    with pytest.raises(LircDepthError, match=f"focal length of {focal_length:g} px is impossible for an image of 1600"):
        pipeline()(np.zeros((900, 1600, 3), np.uint8), camera(focal_length))


@pytest.mark.parametrize(
    ("image", "intrinsics", "message"),
    [
        (np.zeros((64, 64)), INTRINSICS, r"image is float64 \(64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), INTRINSICS, "expected uint8"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((3, 3)), "calibrated pinhole"),
        (np.zeros((64, 64, 3), np.uint8), INTRINSICS * np.nan, "calibrated pinhole"),
        (np.zeros((64, 64, 3), np.uint8), np.eye(4), "calibrated pinhole"),
        (np.zeros((20, 64, 3), np.uint8), LOW_CAMERA, "needs at least 32x32"),
        (np.zeros((0, 64, 3), np.uint8), LOW_CAMERA, "image of 64x0"),
    ],
)
def test_an_image_or_camera_of_another_form_is_refused(image, intrinsics, message):
    with pytest.raises(LircDepthError, match=message):
        pipeline()(image, intrinsics)


def test_a_gpu_that_is_not_there_is_an_error_not_a_fallback():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(LircDepthError, match="'cuda' was asked for"):
        DepthPipeline.from_weights("tiny", device="cuda")
    with pytest.raises(LircDepthError, match="expected auto"):
        DepthPipeline.from_weights("tiny", device="gpu")


def test_the_real_sample_projects_as_the_devkit_projects_it(nuscenes_real):
    """107 of 125 radar returns and 3,053 lidar points are in view; positions agree to 1e-3 px."""
    pytest.importorskip("nuscenes", reason="needs the nuScenes devkit")
    from nuscenes.utils.data_classes import LidarPointCloud, RadarPointCloud
    from nuscenes.utils.geometry_utils import view_points
    from pyquaternion import Quaternion

    from lircdepth_core.data import nuscenes

    nusc = nuscenes.open_nuscenes(nuscenes_real, "v1.0-mini")
    sample = nusc.sample[0]
    camera = nusc.get("sample_data", sample["data"]["CAM_FRONT"])
    everything = {"invalid_states": range(18), "dynprop_states": range(8), "ambig_states": range(5)}
    for channel, total, expected in (("RADAR_FRONT", 125, 107), ("LIDAR_TOP", None, 3053)):
        record = nusc.get("sample_data", sample["data"][channel])
        path = nusc.get_sample_data_path(record["token"])
        if channel == "RADAR_FRONT":
            cloud = RadarPointCloud.from_file(path, **everything)
            assert cloud.nbr_points() == total
        else:
            cloud = LidarPointCloud.from_file(path)
        # The devkit's own steps (NuScenesExplorer.map_pointcloud_to_image), with its own classes; in float64, since
        # the float32 of its lidar class rounds global coordinates to a tenth of a millimetre: 0.03 px up close.
        cloud.points = cloud.points.astype(np.float64)
        for token, forward in ((record, True), (camera, False)):
            sensor = nusc.get("calibrated_sensor", token["calibrated_sensor_token"])
            pose = nusc.get("ego_pose", token["ego_pose_token"])
            for step in (sensor, pose) if forward else (pose, sensor):
                rotation = Quaternion(step["rotation"]).rotation_matrix
                if forward:
                    cloud.rotate(rotation)
                    cloud.translate(np.array(step["translation"]))
                else:
                    cloud.translate(-np.array(step["translation"]))
                    cloud.rotate(rotation.T)
        pixels = view_points(cloud.points[:3], np.array(sensor["camera_intrinsic"]), normalize=True)[:2].T
        depth = cloud.points[2]
        seen = (depth > 1) & (pixels[:, 0] > 1) & (pixels[:, 0] < 1599) & (pixels[:, 1] > 1) & (pixels[:, 1] < 899)
        ours, our_depth = nuscenes.project_channel(nusc, sample, channel, "CAM_FRONT")
        assert len(ours) == seen.sum() == expected
        np.testing.assert_allclose(our_depth, depth[seen], atol=1e-6)
        assert np.abs(ours - pixels[seen]).max() < 1e-3
