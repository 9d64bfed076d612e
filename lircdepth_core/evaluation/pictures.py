# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of depth."""

import numpy as np

from lircdepth_core.files import written_whole


def montage(path, panels, title, max_depth=80.0):
    """Write a 2x2 picture of four panels.

    panels: four (caption, image uint8 [H, W, 3] or None, depth [H, W] or None, points or None); points is
    (pixels [N, 2], depth [N]). Depth in metres shares one colour scale from 0 to max_depth; NaN is left white.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    scale = {"cmap": "turbo", "vmin": 0.0, "vmax": max_depth}
    figure, axes = plt.subplots(2, 2, figsize=(16, 8.6), layout="constrained")
    figure.suptitle(title)
    for axis, (caption, image, depth, points) in zip(axes.flat, panels, strict=True):
        axis.set_title(caption)
        axis.set_axis_off()
        if image is not None:
            axis.imshow(image)
        if depth is not None:
            axis.imshow(np.ma.masked_invalid(depth), interpolation="nearest", **scale)
        if points is not None:
            pixels, distances = points
            size = 60 if len(pixels) < 500 else 3
            axis.scatter(*np.asarray(pixels).T, c=distances, s=size, linewidths=0, **scale)
    scalar = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0.0, max_depth), "turbo")
    figure.colorbar(scalar, ax=axes, label="depth [m]", shrink=0.6)
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=80)
    plt.close(figure)
