# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The carriageway and what lies beside it at the same height, painted by road coordinates."""

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.materials.patterns import band, chance, mix, noise, stripes
from lircdepth_core.synthetic.world.road import LINE_WIDTH_M, Street

_ASPHALT, _WHITE = (0.15, 0.15, 0.155), (0.72, 0.72, 0.69)


def paint_ground(
    street: Street, points: torch.Tensor, origin: npt.NDArray[np.float64], width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the colour [N, 3] of ground points [N, 2] and which share of each is asphalt [N].

    points: relative to ``origin`` (global, metres). width: [N], what a ray stands for on the ground [m].
    """
    s, d = street.road.coordinates(points, origin)
    across = d.abs()
    paved = band(across, -1.0, street.kerb, width)
    inside = torch.zeros_like(s)  # of a junction, where markings end
    white = torch.zeros_like(s)
    for junction in street.junctions:
        near = torch.nonzero((s - junction).abs() < street.crossing_kerb + 40)[:, 0]
        if len(near):
            more, lines, within = _junction(street, junction, points[near], origin, s[near], d[near], width[near])
            paved[near], white[near] = torch.maximum(paved[near], more), torch.maximum(white[near], lines)
            inside[near] = torch.maximum(inside[near], within)
    white = torch.maximum(white, _lines(street, s, across, width) * (1 - inside))

    grain = 0.05 * noise(s, d, 0.05, width) + 0.05 * noise(s, d, 0.9, width) + 0.07 * noise(s, d, 7.0, width)
    colour = points.new_tensor(street.verge).expand(len(points), 3) * (1 + 3 * grain[:, None])
    tracks = stripes(across - street.lane_width / 2 + 1.0, 1.75, 0.35, width) * band(
        across, 0.0, street.carriageway, width
    )
    asphalt = 1 + 2.2 * grain - 0.1 * tracks
    patch = chance(torch.floor(s / 11), torch.floor(d / 2.6))  # where the road was mended
    asphalt = asphalt * (1 - 0.22 * (patch > 0.93)) * (1 + 0.15 * (patch < 0.04))
    colour = mix(colour, points.new_tensor(_ASPHALT) * asphalt[:, None], paved)
    cover = torch.hypot((s + 7) % 23 - 11.5, across - 0.75 * street.lane_width)
    colour = mix(colour, (0.07, 0.065, 0.06), band(cover, -1.0, 0.33, width) * (1 - inside))
    worn = 0.9 + 0.35 * noise(s, d, 0.25, width)
    return mix(colour, _WHITE, (white * worn).clamp(0, 1) * paved), paved


def _lines(street: Street, s: torch.Tensor, across: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Return the share [N] that is marked along the road, at road coordinates s and |d|."""
    if street.double_line:
        white = band(across, 0.07, 0.07 + LINE_WIDTH_M, width)
    else:
        white = band(across, -1.0, LINE_WIDTH_M / 2, width) * stripes(s, 9.0, 1 / 3, width)
    for lane in range(1, street.lanes):
        place = across - lane * street.lane_width
        white = white + band(place, -LINE_WIDTH_M / 2, LINE_WIDTH_M / 2, width) * stripes(s, 9.0, 1 / 3, width)
    edge = street.carriageway
    white = white + band(across, edge, edge + 0.12, width)
    if street.parking:
        white = white + band(across, edge + 0.12, street.kerb - 0.1, width) * stripes(s, 6.6, 0.1 / 6.6, width)
    return white


def _junction(
    street: Street,
    junction: float,
    points: torch.Tensor,
    origin: npt.NDArray[np.float64],
    s: torch.Tensor,
    d: torch.Tensor,
    width: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return asphalt, markings and inside of one junction at points near to it, [M] each."""
    half, kerb = street.crossing_kerb, street.kerb
    a, left = street.crossing_coordinates(points, origin, junction)
    paved = band(a.abs(), -1.0, half, width)
    crossing_line = (
        band(a.abs(), -1.0, LINE_WIDTH_M / 2, width)
        * stripes(left, 6.0, 0.5, width)
        * band(left.abs(), kerb + 6, 1e3, width)
    )
    hold = band(left.abs(), kerb + 4.2, kerb + 4.6, width) * band(a * torch.sign(left), -half, -0.15, width)
    # Zebra crossings of the main road on both sides, stop lines before them.
    beyond = (s - junction).abs() - half
    bars = band(beyond, 1.0, 4.0, width) * stripes(d, 1.0, 0.5, width) * band(d.abs(), -1.0, kerb - 0.3, width)
    coming = torch.sign(junction - s) * -d  # positive where traffic comes to the junction
    stop = band(beyond, 5.0, 5.4, width) * band(coming, 0.1, street.carriageway, width)
    # Arrows ahead: a shaft and a head, in every lane that comes to the junction.
    place = coming - street.lane_width * (torch.floor(coming / street.lane_width) + 0.5)
    forward = 14.0 - beyond  # grows towards the junction
    head = band(place.abs(), -1.0, (0.55 * (1 - (forward - 2.2) / 1.3)).clamp(min=-1.0), width) * band(
        forward, 2.2, 3.5, width
    )
    shaft = band(place.abs(), -1.0, 0.09, width) * band(forward, 0.0, 2.3, width)
    arrow = torch.maximum(head, shaft) * band(coming, 0.0, street.carriageway, width)
    inside = band(beyond, -1e3, 4.6, width)
    white = torch.maximum(torch.maximum(crossing_line, hold), torch.maximum(bars, torch.maximum(stop, arrow)))
    return paved, white, inside
