"""Errors of a depth map against sparse or dense truth."""

import numpy as np

from lircdepth_core.errors import LircDepthError


def depth_errors(prediction, truth, cap=80.0):
    """Return {"pixels", "mae", "rmse", "abs_rel", "delta1"} over the pixels with 1e-3 < truth < cap (metres).

    prediction, truth: [H, W] or [N] metres. Pixels where the prediction is NaN are left out; it is clamped to
    [1e-3, cap], as published evaluations do. delta1 is the share with max(p / t, t / p) < 1.25.
    Raises LircDepthError when no pixel is left.
    """
    prediction, truth = np.asarray(prediction, np.float64), np.asarray(truth, np.float64)
    with np.errstate(invalid="ignore"):
        valid = (truth > 1e-3) & (truth < cap) & ~np.isnan(prediction)
    if not valid.any():
        raise LircDepthError(f"no pixel has both a depth and a true depth below {cap} m")
    truth = truth[valid]
    prediction = np.clip(prediction[valid], 1e-3, cap)
    error = np.abs(prediction - truth)
    return {
        "pixels": int(valid.sum()),
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "abs_rel": float((error / truth).mean()),
        "delta1": float((np.maximum(prediction / truth, truth / prediction) < 1.25).mean()),
    }
