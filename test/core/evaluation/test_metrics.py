# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors are those of the published evaluation: against formulas written out pixel by pixel."""

import math

import numpy as np
import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import CAPS, NAMES, depth_errors, mean_errors


def pixel_by_pixel(prediction, truth, cap):
    pairs = [
        (min(max(p, 1e-3), cap), t)
        for p, t in zip(np.ravel(prediction).tolist(), np.ravel(truth).tolist(), strict=True)
        if 1e-3 < t < cap and not math.isnan(p)
    ]
    n = len(pairs)
    logs = [math.log(p) - math.log(t) for p, t in pairs]
    mean_log = math.fsum(logs) / n
    result = {
        "pixels": n,
        "mae": math.fsum(abs(p - t) for p, t in pairs) / n,
        "rmse": math.sqrt(math.fsum((p - t) ** 2 for p, t in pairs) / n),
        "abs_rel": math.fsum(abs(p - t) / t for p, t in pairs) / n,
        "sq_rel": math.fsum((p - t) ** 2 / t for p, t in pairs) / n,
        "log10": math.fsum(abs(math.log10(p) - math.log10(t)) for p, t in pairs) / n,
        "rmse_log": math.sqrt(math.fsum(x * x for x in logs) / n),
        "silog": 100 * math.sqrt(math.fsum((x - mean_log) ** 2 for x in logs) / n),
    }
    for i in (1, 2, 3):
        result[f"delta{i}"] = sum(max(p / t, t / p) < 1.25**i for p, t in pairs) / n
    return result


@pytest.mark.parametrize("cap", CAPS)
def test_every_metric_is_its_formula(cap):
    random = np.random.default_rng(5)
    truth = random.uniform(0, 100, (30, 40)) * (random.random((30, 40)) < 0.4)
    prediction = truth * random.normal(1, 0.25, truth.shape) + random.normal(0, 1, truth.shape)
    prediction[random.random(truth.shape) < 0.05] = np.nan
    errors = depth_errors(prediction, truth, cap)
    assert errors == pytest.approx(pixel_by_pixel(prediction, truth, cap), rel=1e-9)
    assert errors.keys() == {"pixels", *NAMES}
    assert 0 < errors["pixels"] < (truth > 0).sum()


def test_a_range_bin_counts_its_own_pixels():
    truth, prediction = np.array([5.0, 15.0, 25.0, 35.0]), np.array([6.0, 18.0, 20.0, 35.0])
    errors = depth_errors(prediction, truth, cap=30.0, nearest=10.0)
    assert errors["pixels"] == 2
    assert errors["mae"] == pytest.approx(4.0)


def test_infinite_depth_counts_as_the_cap_and_negative_as_the_least():
    errors = depth_errors(np.array([np.inf, -3.0]), np.array([70.0, 1.0]), cap=80.0)
    assert errors["mae"] == pytest.approx((10 + 0.999) / 2)


def test_errors_are_averaged_over_images_not_pixels():
    first = depth_errors(np.array([2.0]), np.array([1.0]))
    second = depth_errors(np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0]))
    mean = mean_errors([first, second])
    assert mean["mae"] == 0.5
    assert (mean["images"], mean["pixels"]) == (2, 4)
    assert mean["delta1"] == 0.5
    with pytest.raises(LircDepthError, match="no image"):
        mean_errors([])


def test_an_image_without_valid_pixels_is_an_error_and_not_zero():
    with pytest.raises(LircDepthError, match="no pixel"):
        depth_errors(np.full(4, 9.0), np.array([0.0, 90.0, np.nan, np.inf]))
