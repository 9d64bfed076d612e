# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The map picture of a street, as nuScenes has one for each log."""

import io

import numpy as np

from lircdepth_core.synthetic.world.road import Street

_PIXELS_PER_M = 10
_MARGIN_PIXELS = 200
_CROSSING_REACH_M = 120.0


def street_map(street: Street) -> bytes:
    """Return a PNG of road and pavement at 0.1 m a pixel, the map's origin in the lower left corner (as nuScenes)."""
    from PIL import Image, ImageDraw

    s = np.linspace(0, street.road.length, 300)
    left, right = (np.column_stack(street.road.pose(s, d)[:2]) for d in (street.edge, -street.edge))
    outlines = [np.concatenate([left, right[::-1]])]
    half, reach = street.crossing_kerb + street.edge - street.kerb, _CROSSING_REACH_M
    for junction in street.junctions:
        corners = [(-half, -reach), (half, -reach), (half, reach), (-half, reach)]
        outlines.append(np.array([street.crossing_pose(junction, a, left)[:2] for a, left in corners]))
    width, height = (np.ceil(np.concatenate(outlines).max(0) * _PIXELS_PER_M) + _MARGIN_PIXELS).astype(int).tolist()
    image = Image.new("L", (width, height), 0)
    for outline in outlines:
        pixels = outline * _PIXELS_PER_M
        pixels[:, 1] = height - pixels[:, 1]
        ImageDraw.Draw(image).polygon([tuple(point) for point in pixels.tolist()], fill=255)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
