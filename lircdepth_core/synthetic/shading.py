"""Colours of ray hits: procedural textures, filtered over the pixel's footprint, under one sun and a sky."""

import torch

from lircdepth_core.synthetic.raycast import GROUND, NOTHING
from lircdepth_core.synthetic.world import BODY, CABIN, FACADE, FACADE_TEXTURE, KERB, LANE_WIDTH

_LINE = 0.15  # width of a lane marking, metres


def albedo(world, scene, hits, origin, footprint):
    """Return the surface colour float32 [N, 3] in 0..1 of flat Hits [N]; 0 where nothing is hit.

    scene: the Scene that was cast, seen from origin [3] (global). footprint: float32 [N], the width in metres of what
    a ray stands for on the surface; patterns finer than it average out.
    """
    colour = torch.zeros_like(hits.normal)
    on_ground = hits.primitive == GROUND
    colour[on_ground] = _street(world.road, hits.local[on_ground, :2], origin, footprint[on_ground])
    index = torch.nonzero(hits.primitive >= 0)[:, 0]
    box = hits.primitive[index]
    colour[index] = world.boxes.colour.to(colour)[box]
    texture = world.boxes.texture.to(box.device)[box]
    for kind, paint in ((FACADE_TEXTURE, _facade), (BODY, _body), (CABIN, _cabin)):
        some = index[texture == kind]
        half = scene.half[hits.primitive[some]].float()
        colour[some] = paint(colour[some], hits.local[some], hits.normal[some], half, footprint[some])
    return colour


def shade(world, scene, directions, hits, origin, footprint):
    """Return the light float32 [N, 3] in 0..1 that comes along rays [N, 3] with flat Hits [N]: albedo under the sun and
    the sky, or the sky itself. The other arguments are those of ``albedo``."""
    colour = albedo(world, scene, hits, origin, footprint)
    sun = world.sun.to(colour)
    facing = (hits.normal @ sun).clamp(min=0)
    light = 0.5 + 0.12 * hits.normal[:, 2:] + 0.62 * facing[:, None]
    sky = hits.primitive == NOTHING
    rays = torch.nn.functional.normalize(directions[sky].float(), dim=1)
    height = rays[:, 2:].clamp(min=0) ** 0.5
    horizon, zenith = colour.new_tensor([0.86, 0.9, 0.94]), colour.new_tensor([0.33, 0.53, 0.82])
    glow = (rays @ sun).clamp(min=0)[:, None] ** 60
    colour = colour * light
    colour[sky] = horizon + (zenith - horizon) * height + 0.4 * glow
    return colour.clamp(0, 1)


def _band(x, low, high, width):
    """Return the part of [x - width/2, x + width/2] that lies between low and high: an interval, box-filtered."""
    width = width.clamp(min=1e-4)
    return ((torch.minimum(x + width / 2, high) - torch.maximum(x - width / 2, low)) / width).clamp(0, 1)


def _between(x, low, high, width):
    return _band(x, x.new_tensor(low), x.new_tensor(high), width)


def _stripes(x, period, duty, width):
    """Return the box-filtered pulse train that is 1 on [0, duty) of every period: its integral in closed form."""

    def integral(phase):
        whole = torch.floor(phase)
        return whole * duty + (phase - whole).clamp(max=duty)

    width = (width / period).clamp(min=1e-4)
    return (integral(x / period + width / 2) - integral(x / period - width / 2)) / width


def _noise(x, y, cell, width):
    """Return smooth noise in -1..1 with features of ``cell`` metres, fading out where the footprint is as wide."""

    def lattice(column, row):  # an integer hash: the same value on every device, which a sine's digits are not
        value = column.to(torch.int32) * 374761393 + row.to(torch.int32) * 668265263  # wraps around
        value = (value ^ (value >> 13)) * 1274126177
        return ((value ^ (value >> 16)) & 0xFFFF).to(column.dtype) / 32767.5 - 1

    x, y = x / cell, y / cell
    column, row = torch.floor(x), torch.floor(y)
    a, b = x - column, y - row
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    lower = torch.lerp(lattice(column, row), lattice(column + 1, row), a)
    upper = torch.lerp(lattice(column, row + 1), lattice(column + 1, row + 1), a)
    return torch.lerp(lower, upper, b) * (1 - width / cell).clamp(min=0)


def _mix(colour, paint, share):
    return colour + (colour.new_tensor(paint) - colour) * share[:, None]


def _street(road, points, origin, width):
    s, d = road.coordinates(points, origin)
    across = d.abs()
    grain = 0.035 * _noise(s, d, 0.06, width) + 0.03 * _noise(s, d, 0.7, width) + 0.03 * _noise(s, d, 6.0, width)
    colour = points.new_tensor([0.34, 0.34, 0.35]).expand(len(points), 3)
    pavement = _between(across, KERB, FACADE, width)
    slabs = 1 - (1 - _stripes(s, 0.8, 0.95, width)) - (1 - _stripes(d, 0.8, 0.95, width))
    checker = _stripes(s, 1.6, 0.5, width) * 2 - 1
    checker = checker * (_stripes(d, 1.6, 0.5, width) * 2 - 1)
    colour = _mix(colour, (0.55, 0.53, 0.5), pavement)
    colour = colour * (1 - 0.25 * pavement * (1 - slabs.clamp(0, 1)) + 0.05 * pavement * checker)[:, None]
    colour = _mix(colour, (0.3, 0.42, 0.2), _between(across, FACADE, 1e4, width))
    colour = _mix(colour, (0.7, 0.69, 0.66), _between(across, KERB - 0.2, KERB, width))
    colour = colour + grain[:, None]
    white = _between(d, -_LINE / 2, _LINE / 2, width) * _stripes(s, 9.0, 1 / 3, width)
    white = white + _between(across, LANE_WIDTH, LANE_WIDTH + _LINE, width)
    bays = _between(across, LANE_WIDTH + _LINE, KERB - 0.2, width) * _stripes(s, 7.5, 0.1 / 7.5, width)
    return _mix(colour, (0.88, 0.88, 0.85), (white + bays).clamp(0, 1))


def _facade(colour, local, normal, half, width):
    """Windows in rows of 3.2 m and columns of about 2.6 m, a plinth below; nothing on the roof."""
    wall = normal[:, 2].abs() < 0.5
    # Facing tells which horizontal coordinate runs along the face: the one that is not at its end.
    on_front = (local[:, 0].abs() / half[:, 0]) > (local[:, 1].abs() / half[:, 1])
    u = torch.where(on_front, local[:, 1] + half[:, 1], local[:, 0] + half[:, 0])
    span = 2 * torch.where(on_front, half[:, 1], half[:, 0])
    v = local[:, 2] + half[:, 2]
    pitch = span / torch.round(span / 2.6).clamp(min=1)
    column, row = u / pitch, (v - 0.8) / 3.2
    window = _stripes(column - 0.25, 1.0, 0.5, width / pitch) * _stripes(row - 0.2, 1.0, 0.55, width / 3.2)
    frame = _stripes(column - 0.21, 1.0, 0.58, width / pitch) * _stripes(row - 0.17, 1.0, 0.61, width / 3.2)
    above = _between(v, 0.8, 1e3, width)
    window, frame = (window * above * wall), (frame * above * wall)
    curtain = torch.frac((torch.floor(column) * 0.618 + torch.floor(row) * 0.414).abs())[:, None]
    colour = colour * (1 + 0.05 * _noise(u, v, 0.35, width) + 0.04 * _noise(u, v, 3.0, width))[:, None]
    colour = colour * (1 - 0.35 * (1 - above) * wall)[:, None]
    colour = _mix(colour, (0.82, 0.8, 0.76), frame)
    glass = local.new_tensor([0.13, 0.17, 0.22]) + 0.22 * curtain
    return colour + (glass - colour) * window[:, None]


def _body(colour, local, normal, half, width):
    """Wheels and a sill on the sides, lamps and plates at the ends, a dark gap to the road, a truck's windscreen."""
    v = local[:, 2] + half[:, 2]
    on_side = ((local[:, 1].abs() / half[:, 1]) > (local[:, 0].abs() / half[:, 0])) & (normal[:, 2].abs() < 0.5)
    on_end = ~on_side & (normal[:, 2].abs() < 0.5)
    hub = torch.hypot(local[:, 0].abs() - 0.62 * half[:, 0], v - 0.33)
    sill = _between(v, 0, 0.22, width) * (on_side | on_end)
    colour = _mix(colour, (0.06, 0.06, 0.07), sill)
    colour = _mix(colour, (0.05, 0.05, 0.05), _between(hub, -1, 0.34, width) * on_side)
    colour = _mix(colour, (0.55, 0.55, 0.56), _between(hub, -1, 0.2, width) * on_side)
    outer = _band(local[:, 1].abs(), 0.62 * half[:, 1], 0.95 * half[:, 1], width)
    lamp = outer * _between(v, 0.52, 0.74, width) * on_end
    colour = _mix(colour, (0.95, 0.95, 0.88), lamp * (local[:, 0] > 0))
    colour = _mix(colour, (0.75, 0.06, 0.05), lamp * (local[:, 0] <= 0))
    windscreen = _between(local[:, 1].abs(), -1, 1.05, width) * _between(v, 1.35, 2.2, width)
    colour = _mix(colour, (0.1, 0.12, 0.14), windscreen * (on_end & (local[:, 0] > 0) & (half[:, 2] > 1)))  # a truck's
    plate = _between(local[:, 1].abs(), -1, 0.26, width) * _between(v, 0.4, 0.53, width) * on_end
    return _mix(colour, (0.9, 0.9, 0.85), plate)


def _cabin(colour, local, normal, half, width):
    """Glass all around, with pillars."""
    wall = (normal[:, 2].abs() < 0.5).to(colour.dtype)
    on_end = (local[:, 0].abs() / half[:, 0]) > (local[:, 1].abs() / half[:, 1])
    u = torch.where(on_end, local[:, 1], local[:, 0]).abs()
    span = torch.where(on_end, half[:, 1], half[:, 0])
    glass = _band(u, torch.where(on_end, -span, 0.04 + 0 * span), 0.92 * span, width)
    return _mix(
        colour, (0.1, 0.12, 0.14), glass * _band(local[:, 2], -0.9 * half[:, 2], 0.75 * half[:, 2], width) * wall
    )
