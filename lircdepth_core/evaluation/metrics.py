# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of a depth map against sparse or dense truth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError

Errors = dict[str, float]  # "pixels" and each of NAMES; of a mean also "images"

CAPS = (50.0, 70.0, 80.0)  # metres: those of the published tables
NAMES = ("mae", "rmse", "abs_rel", "sq_rel", "log10", "rmse_log", "silog", "delta1", "delta2", "delta3")


def depth_errors(prediction: npt.ArrayLike, truth: npt.ArrayLike, cap: float = 80.0, nearest: float = 1e-3) -> Errors:
    """Return {"pixels", and each of NAMES} over the pixels with nearest < truth < cap (metres).

    prediction, truth: [H, W] or [N] metres. Pixels where the prediction is NaN are left out; it is clamped to
    [1e-3, cap], as published evaluations do. mae, rmse [m]; abs_rel |e| / t; sq_rel e^2 / t [m]; log10; rmse_log and
    silog (100 times the standard deviation of the log error) in natural logarithms; delta_i the share with
    max(p / t, t / p) < 1.25^i (Eigen et al., NeurIPS 2014).
    Raises LircDepthError when no pixel is left.
    """
    all_predictions, all_truth = np.asarray(prediction), np.asarray(truth)
    with np.errstate(invalid="ignore"):
        valid = (all_truth > nearest) & (all_truth < cap) & ~np.isnan(all_predictions)
    if not valid.any():
        raise LircDepthError(f"no pixel has both a depth and a true depth between {nearest:g} and {cap:g} m")
    true = all_truth[valid].astype(np.float64)
    predicted = np.clip(all_predictions[valid].astype(np.float64), 1e-3, cap)
    error = np.abs(predicted - true)
    log_error = np.log(predicted / true)
    ratio = np.maximum(predicted / true, true / predicted)
    return {
        "pixels": int(valid.sum()),
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "abs_rel": float((error / true).mean()),
        "sq_rel": float((error**2 / true).mean()),
        "log10": float(np.abs(log_error).mean() / np.log(10)),
        "rmse_log": float(np.sqrt((log_error**2).mean())),
        "silog": float(100 * log_error.std()),
        **{f"delta{i}": float((ratio < 1.25**i).mean()) for i in (1, 2, 3)},
    }


def mean_errors(errors: Iterable[Errors]) -> Errors:
    """Return the mean over images of what depth_errors returned for each, as published tables have it.

    "pixels" is their sum and "images" their number. Raises LircDepthError when there is none.
    """
    errors = list(errors)
    if not errors:
        raise LircDepthError("no image to average errors over")
    mean = {name: float(np.mean([error[name] for error in errors])) for name in NAMES}
    return {"images": len(errors), "pixels": sum(error["pixels"] for error in errors), **mean}
