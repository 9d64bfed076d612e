# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Augmentation keeps image, radar and truth of one frame consistent; a mirror negates the lateral velocity."""

import numpy as np
import pytest
import torch

from lircdepth_core import pipeline, radar
from lircdepth_core.data.augmentation import Augmentation
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.photometric import Photometric, pattern_1_f
from lircdepth_core.data.sampling import seeded
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference.input_plan import IMAGE_MEAN, IMAGE_STD, normalise
from lircdepth_core.losses import confidence_label
from lircdepth_core.models import checkpoints

PLAIN = {"flip": 0.0, "colour": 0.0}


@pytest.fixture
def frame():
    """The value of every pixel of every map is its place: row + column / 1000."""
    rows, columns = torch.meshgrid(torch.arange(100.0), torch.arange(200.0), indexing="ij")
    place = (rows + columns / 1000)[None] + 1
    channels = torch.cat([place, place + 1000, place + 2000, place + 3000])
    image = torch.stack([rows, columns, rows + columns]).to(torch.uint8)
    return {"image": image, "radar": channels, "dense": place.clone(), "single": place.clone()}


def pixels(sample):
    """Undo the normalisation."""
    mean, std = (torch.tensor(x)[:, None, None] for x in (IMAGE_MEAN, IMAGE_STD))
    return (sample["image"] * std + mean) * 255


def test_a_crop_takes_the_same_pixels_of_every_map_and_reaches_every_border(frame):
    places = set()
    for seed in range(60):
        sample = Augmentation((96, 192), **PLAIN)(frame, seeded(seed))
        assert sample["image"].shape == (3, 96, 192)
        top, left = round(float(sample["dense"][0, 0, 0])) - 1, round(float(sample["dense"][0, 0, 0]) % 1 * 1000)
        window = (..., slice(top, top + 96), slice(left, left + 192))
        for name in ("radar", "dense", "single"):
            assert torch.equal(sample[name], frame[name][window])
        assert torch.allclose(pixels(sample), frame["image"][window].float(), atol=1e-3)
        places.add((top, left))
    assert {top for top, _ in places} == set(range(5))
    assert {0, 8} <= {left for _, left in places} <= set(range(9))


def test_a_mirror_negates_the_leftward_velocity_and_nothing_else(frame):
    original = {name: value.clone() for name, value in frame.items()}
    sample = Augmentation((64, 64), flip=1.0, colour=0.0)(frame, seeded(3))
    same = Augmentation((64, 64), flip=0.0, colour=0.0)(frame, seeded(3))
    for name in ("dense", "single", "image"):
        assert torch.equal(sample[name], same[name].flip(-1))
    assert torch.equal(sample["radar"][:3], same["radar"][:3].flip(-1))
    assert torch.equal(sample["radar"][3], -same["radar"][3].flip(-1))
    assert all(torch.equal(frame[name], value) for name, value in original.items())  # the source is untouched


def test_a_mirrored_scene_gives_the_mirrored_sample():
    """Independent of channels: reflect the world (y to -y), project its returns, and compare."""
    intrinsics = np.array([[60.0, 0, 47.5], [0, 60.0, 31.5], [0, 0, 1]])  # the axis in the middle of 96 columns
    camera_from_radar = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0.3], [1, 0, 0, 0], [0, 0, 0, 1]])
    random = np.random.default_rng(2)
    x, y, vy = random.uniform(8, 40, 12), random.uniform(-5, 5, 12), random.normal(size=12)

    def channels(side):
        scan = radar.RadarScan.from_fields(x, side * y, 0 * x, x, -x, side * vy)
        return torch.from_numpy(
            radar.rasterize(*radar.project_scan(scan, camera_from_radar, intrinsics, 96, 64), 96, 64)
        )

    maps = {"image": torch.zeros(3, 64, 96, dtype=torch.uint8), "dense": torch.ones(1, 64, 96)}
    frame = maps | {"radar": channels(1), "single": maps["dense"]}
    assert (frame["radar"][0] > 0).sum() > 5
    sample = Augmentation((64, 96), flip=1.0, colour=0.0)(frame, seeded(0))
    assert torch.allclose(sample["radar"], channels(-1), atol=1e-6)


def test_colour_changes_gamma_brightness_and_channels_within_their_range(frame):
    frame["image"] = torch.full((3, 100, 200), 128, dtype=torch.uint8)
    values = torch.stack(
        [
            pixels(Augmentation((64, 64), flip=0.0, colour=1.0)(frame, seeded(seed)))[:, 0, 0] / 255
            for seed in range(200)
        ]
    )
    level = 128 / 255
    low, high = level**1.1 * 0.81, level**0.9 * 1.21
    assert values.min() > low
    assert values.max() < high
    assert values.min() < low + 0.05  # the whole range is used
    assert values.max() > high - 0.08
    assert (values.amax(1) - values.amin(1)).max() > 0.05  # each channel has a change of its own


def test_radar_dropout_takes_whole_scans_and_single_returns(frame):
    none = Augmentation((64, 64), drop_scan=1.0, **PLAIN)(frame, seeded(0))
    assert not none["radar"].any()
    kept = []
    for seed in range(40):
        sample = Augmentation((64, 64), drop_points=0.5, **PLAIN)(frame, seeded(seed))
        same = Augmentation((64, 64), **PLAIN)(frame, seeded(seed))
        left = sample["radar"][0] > 0
        assert torch.equal(sample["radar"], same["radar"] * left)  # a return goes with all its channels
        kept.append(float(left.float().mean()))
    assert min(kept) > 0.47
    assert min(kept) < 0.6
    assert max(kept) > 0.9
    scans = [bool(Augmentation((64, 64), drop_scan=0.3, **PLAIN)(frame, seeded(s))["radar"].any()) for s in range(300)]
    assert 0.6 < np.mean(scans) < 0.8


def test_a_sample_depends_on_the_seed_alone(frame):
    augmentation = Augmentation((64, 64), drop_points=0.3, drop_scan=0.1)
    first, again, other = (augmentation(frame, seeded(*key)) for key in ((1, 2, 3), (1, 2, 3), (1, 2, 4)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("crop", [(128, 192), (96, 224), (90, 192)])
def test_a_crop_that_cannot_be_taken_is_refused(frame, crop):
    with pytest.raises(LircDepthError, match=r"crop .* expected multiples of 32 within the frames' 100x200"):
        Augmentation(crop)(frame, seeded(0))


def test_evaluation_sees_what_the_pipeline_would_feed_the_network():
    """Otherwise a network would be selected on inputs that the pipeline never gives it."""
    seen = {}

    class Recorder:
        device = torch.device("cpu")

        def infer(self, image, radar):
            seen.update(image=image, radar=radar)
            return torch.ones(1, 1, *image.shape[-2:])

    random = np.random.default_rng(0)
    image = random.integers(0, 255, (100, 200, 3), dtype=np.uint8)
    intrinsics = np.array([[90.0, 0, 100], [0, 90.0, 50], [0, 0, 1]])
    forward = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    scan = radar.RadarScan.from_fields(*random.uniform(2, 20, (6, 30)))
    header = checkpoints.Header(model="tiny", focal_length=90.0)
    pipeline.DepthPipeline(Recorder(), header)(image, intrinsics, [(scan, forward)])
    channels = radar.rasterize(*radar.project_scan(scan, forward, intrinsics, 200, 100), 200, 100)
    maps = {"dense": torch.zeros(1, 100, 200), "single": torch.zeros(1, 100, 200)}
    frame = maps | {"image": torch.from_numpy(image).permute(2, 0, 1), "radar": torch.from_numpy(channels)}
    sample = prepare(frame)
    assert torch.allclose(sample["image"], seen["image"][0], atol=1e-5)
    assert torch.equal(sample["radar"], seen["radar"][0])
    assert sample["radar"].any()
    assert sample["dense"].shape == (1, 96, 192)


def test_normalisation_is_imagenets():
    assert normalise(torch.tensor(IMAGE_MEAN)[:, None, None]).abs().max() < 1e-6
    white = normalise(torch.ones(3, 1, 1)).flatten()
    assert white.tolist() == pytest.approx([(1 - m) / s for m, s in zip(IMAGE_MEAN, IMAGE_STD, strict=True)])


def scan(count=20):
    """Frames with returns in the rows 40 to 44, all at 30 m."""
    radar = torch.zeros(4, 96, 192)
    for place in range(count):
        radar[:, 40 + place % 5, 9 * place] = torch.tensor([30.0, 1.0 + place, -7.0, 0.25])
    image = torch.full((3, 96, 192), 128, dtype=torch.uint8)
    return {"image": image, "radar": radar, "rendered": torch.full((1, 96, 192), 9.0)}


def test_clutter_adds_returns_of_any_depth_at_the_height_of_the_true_ones():
    added, depths = [], []
    for seed in range(60):
        sample = Augmentation((96, 192), **PLAIN, clutter=10.0)(scan(), seeded(seed))
        radar = sample["radar"]
        false = (radar[0] > 0) & (radar[0] != 30.0)
        rows = torch.nonzero(false)[:, 0]
        assert ((rows >= 40) & (rows <= 44)).all()
        assert (radar[2][false] == -7.0).all()  # cross section and velocity are a true return's
        added.append(int(false.sum()))
        depths += radar[0][false].tolist()
        # A true return gives way to a nearer one alone.
        kept = (scan()["radar"][0] > 0) & ~false
        assert torch.equal(radar[:, kept], scan()["radar"][:, kept])
        assert (radar[0][scan()["radar"][0] > 0] <= 30.0).all()
    assert 3.5 < np.mean(added) < 6.5  # half of 10, less those that fall together
    assert 2.0 <= min(depths) < 4.0 < 60.0 < max(depths) <= 100.0
    nothing = scan(0)
    assert not Augmentation((96, 192), **PLAIN, clutter=10.0)(nothing, seeded(1))["radar"].any()


def test_every_second_scan_that_is_taken_away_leaves_false_returns_alone():
    augmentation = Augmentation((96, 192), **PLAIN, drop_scan=1.0, clutter=30.0)
    left = [augmentation(scan(), seeded(seed))["radar"] for seed in range(80)]
    assert all(not (radar[0] == 30.0).any() for radar in left)
    assert 0.3 < np.mean([bool(radar.any()) for radar in left]) < 0.65


@pytest.mark.parametrize("switch", [
    {"saturation": (0.0, 0.0)}, {"contrast": (0.5, 0.5)}, {"brightness": (1.2, 1.2)}, {"gamma": (2.0, 2.0)},
])  # fmt: skip
def test_each_photometric_switch_does_what_its_name_says(switch):
    image = torch.rand((3, 40, 60), generator=seeded(4)) * 0.6 + 0.1
    changed = Photometric(**switch)(image, seeded(5))
    expected = {
        "saturation": image.mean(0, keepdim=True).expand_as(image),
        "contrast": image.mean() + (image - image.mean()) / 2,
        "brightness": image * 1.2,
        "gamma": image**2,
    }[next(iter(switch))]
    assert torch.allclose(changed, expected, atol=1e-6)


def test_gains_noise_blur_and_textures_change_what_they_should():
    flat = torch.full((3, 64, 96), 0.5)
    gained = torch.stack([Photometric(gains=0.2)(flat, seeded(seed)) for seed in range(50)])
    assert gained.flatten(2).std(dim=2).max() < 1e-6  # each channel stays even
    assert float(gained[:, :, 0, 0].std()) == pytest.approx(0.1, rel=0.2)
    noisy = Photometric(noise=0.1)(flat, seeded(2)) - 0.5
    assert 0.001 < noisy.std() <= 0.1
    assert abs(float((noisy[:, :, 1:] * noisy[:, :, :-1]).mean() / noisy.var())) < 0.05  # no pixel knows its neighbour
    image = torch.rand((3, 64, 96), generator=seeded(3))
    blurred = Photometric(blur=1.0)(image, seeded(4))
    assert torch.allclose(blurred[:, 5, 7], image[:, 4:7, 6:9].mean((1, 2)), atol=1e-6)
    black = torch.zeros(3, 64, 96)
    seeds = [seed for seed in range(20) if Photometric(texture=0.3)(flat, seeded(seed)).std() > 0]
    assert 8 <= len(seeds) <= 19  # seven in ten
    assert not any(Photometric(texture=0.3)(black, seeded(seed)).any() for seed in seeds)  # it multiplies
    assert any(Photometric(haze=0.3)(black, seeded(seed)).any() for seed in seeds)  # it is added


def test_a_share_of_the_pictures_stays_as_it_is():
    image = torch.rand((3, 16, 16), generator=seeded(3))
    changed = [
        not torch.equal(Photometric(share=0.25, brightness=(0.5, 0.9))(image, seeded(seed)), image)
        for seed in range(400)
    ]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.06)


def test_a_texture_has_the_spectrum_of_natural_pictures():
    """Its power falls as frequency^-2 for a slope of 1: by a factor of 16 over two octaves."""
    power = torch.stack(
        [torch.fft.rfft2(pattern_1_f((128, 128), 1.0, seeded(n))[0]).abs() ** 2 for n in range(20)]
    ).mean(0)
    radius = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None]) * 128
    low, high = (power[(radius - r).abs() < 1].mean() for r in (8, 32))
    assert float(low / high) == pytest.approx(16, rel=0.2)
    pattern = pattern_1_f((30, 50), 0.7, seeded(1))
    assert pattern.shape == (1, 30, 50)
    assert float(pattern.mean()) == pytest.approx(0, abs=1e-5)
    assert float(pattern.std()) == pytest.approx(1, abs=1e-4)


def test_switches_that_are_off_change_nothing_and_draw_nothing():
    sample, same = (
        Augmentation((64, 128), drop_points=0.5, photometric=photometric)(scan(), seeded(8))
        for photometric in (None, Photometric())
    )
    assert all(torch.equal(sample[name], same[name]) for name in sample)


def labelled(depths):
    """A frame of a wall at 20 m on the left and one at 30 m on the right, with returns {(row, column): depth}."""
    dense = torch.full((1, 64, 96), 20.0)
    dense[:, :, 48:] = 30.0
    dense[:, :4] = 0
    radar = torch.zeros(4, 64, 96)
    for place, depth in depths.items():
        radar[(slice(None), *place)] = torch.tensor([depth, 1.0, 1.0, 1.0])
    label = confidence_label(radar[0], dense[0], scale=96 / 1600)[None]
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    return {"image": image, "radar": radar, "dense": dense, "single": dense.clone(), "confidence_label": label}


def test_without_its_scan_no_pixel_is_labelled_as_measured():
    frame = labelled({(30, 20): 20.0, (30, 70): 30.0})
    assert (frame["confidence_label"] == 1).sum() > 50
    sample = Augmentation((64, 96), drop_scan=1.0, **PLAIN)(frame, seeded(0))
    assert not sample["radar"].any()
    assert set(sample["confidence_label"].unique().tolist()) == {-1.0, 0.0}
    assert torch.equal(sample["confidence_label"] == -1, frame["confidence_label"] == -1)


def test_labels_of_removed_returns_go_and_those_of_returns_that_are_left_stay():
    """What is left must be labelled as if it had been measured alone."""
    places = {(30, 10): 20.0, (30, 16): 20.0, (20, 40): 20.0, (40, 60): 30.0, (50, 80): 30.0}
    frame, seen = labelled(places), set()
    for seed in range(40):
        sample = Augmentation((64, 96), drop_points=1.0, **PLAIN)(frame, seeded(seed))
        left = {place: depth for place, depth in places.items() if sample["radar"][(0, *place)] > 0}
        assert torch.equal(sample["confidence_label"], labelled(left)["confidence_label"]), seed
        seen.add(len(left))
    assert seen >= {1, 2, 3, 4}
