# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of varied streets: rendered depth with the sky, radar where the camera looks, and nothing left to chance."""

import numpy as np
import pytest
import torch

from lircdepth_core.data.frame import BEYOND_RANGE_M
from lircdepth_core.data.varied_street import VARIED_SPLITS, VariedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.world.varied import skies
from lircdepth_core.synthetic.world.varied.builder import build_varied_world
from lircdepth_core.synthetic.world.varied.style import UNSEEN, VARIED

SCALE = 0.24  # 96 x 54 pixels


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_frame_has_depth_at_every_pixel_and_a_sky_beyond_range():
    frames = VariedFrames("varied", 12, SCALE)
    made = [frames.frame(index) for index in (1, 2, 7)]
    assert all(frame.keys() == {"image", "radar", "rendered"} for frame in made)
    assert all(frame["image"].shape == (3, 54, 96) and frame["image"].dtype == torch.uint8 for frame in made)
    rendered = torch.stack([frame["rendered"] for frame in made])
    assert rendered.shape == (3, 1, 54, 96)
    assert rendered.min() > 0.1
    assert rendered.max() == BEYOND_RANGE_M
    assert frames.focal_length == pytest.approx(SCALE * 316.6)
    assert all(frame["radar"][0].any() for frame in made)


def test_lidar_sees_a_part_of_what_is_rendered_and_leaves_the_rest_of_the_frame_as_it_is():
    frames, without = VariedFrames("varied", 12, SCALE, lidar=True), VariedFrames("varied", 12, SCALE)
    for index in (1, 7):
        frame = frames.frame(index)
        single, dense = frame.pop("single"), frame.pop("dense")
        assert same(frame, without.frame(index))
        known, accumulated, sky = single > 0, dense > 0, frame["rendered"] == BEYOND_RANGE_M
        assert 0.2 < known.float().mean() < accumulated.float().mean() < 0.9
        near = (single - frame["rendered"]).abs() < 0.05 * frame["rendered"]
        assert near[known].float().mean() > 0.8  # the rest lies at edges: the lidar looks from elsewhere
        assert (accumulated & sky).sum() < 0.05 * sky.sum()


def test_a_frame_depends_on_split_seed_and_index_alone():
    alone = VariedFrames("varied", 12, SCALE).frame(8)
    after_others = VariedFrames("varied", 5000, SCALE)
    after_others.frame(1)
    assert same(after_others.frame(8), alone)
    assert not same(VariedFrames("varied", 12, SCALE, seed=1).frame(8), alone)
    # The unseen sets are frozen: a seed does not change them, and they are not each other.
    unseen = VariedFrames("unseen-val", 12, SCALE).frame(3)
    assert same(VariedFrames("unseen-val", 12, SCALE, seed=9).frame(3), unseen)
    assert not same(VariedFrames("unseen-test", 12, SCALE).frame(3), unseen)
    with pytest.raises(LircDepthError, match="expected varied, unseen-val, unseen-test"):
        VariedFrames("unseen", 1)


def test_radar_measures_what_the_camera_sees_from_every_mounting():
    """About a third of the returns are clutter; of the others, most lie on what stands in their column of pixels."""
    frames = VariedFrames("varied", 100, SCALE, seed=5)
    near = []
    for index in range(0, 24, 4):
        frame = frames.frame(index)
        rows, columns = torch.nonzero(frame["radar"][0], as_tuple=True)
        for column, depth in zip(columns.tolist(), frame["radar"][0][rows, columns].tolist(), strict=True):
            seen = frame["rendered"][0][:, max(column - 2, 0) : column + 3]
            near.append(bool(((seen - depth).abs() < 0.05 * depth + 0.5).any()))
    assert len(near) > 150
    assert np.mean(near) > 0.6


def test_the_unseen_style_shares_no_building_no_sky_and_no_colour_of_a_wall_with_training():
    assert not set(VARIED.buildings) & set(UNSEEN.buildings)
    assert not {sky for sky, _ in VARIED.skies} & {sky for sky, _ in UNSEEN.skies}
    assert not {*VARIED.walls, *VARIED.concretes, *VARIED.lorries} & {*UNSEEN.walls, *UNSEEN.concretes, *UNSEEN.lorries}
    assert VARIED.ridged != UNSEEN.ridged
    assert not UNSEEN.usual_plots


# Split, street, its weather and number of parts, mean grey level and mean depth up to 80 m [m] of its second frame.
FROZEN = (
    ("unseen-val", 0, "mist", 8371, 125.91, 26.61),
    ("unseen-val", 7, "low sun", 5478, 87.99, 13.10),
    ("unseen-test", 0, "mist", 4585, 198.45, 4.36),
    ("unseen-test", 7, "storm", 6622, 159.52, 26.50),
)


@pytest.mark.parametrize(("split", "street", "weather", "parts", "grey", "depth"), FROZEN)
def test_the_unseen_sets_stay_what_they_are(split, street, weather, parts, grey, depth):
    """Figures measured on them could no longer be compared."""
    world = build_varied_world((VARIED_SPLITS[split].seed, 5, street), UNSEEN)
    assert (world.weather.name, len(world.parts.kind)) == (weather, parts)
    frame = VariedFrames(split, 64, SCALE).frame(6 * street + 1)
    assert float(frame["image"].float().mean()) == pytest.approx(grey, abs=0.3)
    assert float(frame["rendered"].clamp(max=80).mean()) == pytest.approx(depth, abs=0.05)


def test_varied_skies_go_from_blown_out_white_to_dark():
    drawn = [skies.white(np.random.default_rng(seed)) for seed in range(20)]
    assert min(min(sky.horizon) for sky in drawn) > 1.0  # more than the camera's tone curve can tell from white
    greys = [skies.grey(np.random.default_rng(seed)).horizon for seed in range(40)]
    assert max(max(grey) / min(grey) for grey in greys) < 1.4  # without colour
    assert min(map(max, greys)) < 0.3 < 0.6 < max(map(max, greys))
    assert max(max(skies.dim(np.random.default_rng(seed)).horizon) for seed in range(20)) < 0.5


def test_varied_streets_are_textured_and_differ_from_each_other():
    first, second = (build_varied_world((3, n)) for n in (0, 1))
    assert first.texture is not None
    assert first.texture != second.texture
    assert len(first.parts.kind) != len(second.parts.kind)
