# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the parts' surfaces are painted: windows, wheels, signs, bark and the rest, from coordinates of the part
itself.
"""

from dataclasses import dataclass, replace

import torch

from lircdepth_core.synthetic.render.patterns import band, chance, mix, noise, stripes
from lircdepth_core.synthetic.world import parts as p

GLOSSY = (p.PAINT, p.GLASS_CABIN, p.VAN_BODY, p.BUS_BODY, p.TRUCK_CAB, p.METAL)
_GLASS = (0.02, 0.025, 0.03)


@dataclass(frozen=True)
class Surface:
    """N points of one material: colour [N, 3]; local [N, 3] from the part's centre and normal [N, 3], in the part's
    frame; half [N, 3]; slopes [N, 3]; width: footprint [N] in metres; variant [N]; dark: whether lamps are lit.
    """

    colour: torch.Tensor
    local: torch.Tensor
    normal: torch.Tensor
    half: torch.Tensor
    slopes: torch.Tensor
    width: torch.Tensor
    variant: torch.Tensor
    dark: bool

    @property
    def height(self):
        """Metres above the part's lower end."""
        return self.local[:, 2] + self.half[:, 2]

    @property
    def unit(self):
        return self.local / self.half

    def on_wall(self):
        return (self.normal[:, 2].abs() < 0.7).to(self.colour.dtype)

    def across(self):
        """Return the horizontal coordinate along the wall from its end, its length, and whether the wall is an end."""
        end = self.normal[:, 0].abs() > self.normal[:, 1].abs()
        span = torch.where(end, self.half[:, 1], self.half[:, 0])
        return torch.where(end, self.local[:, 1], self.local[:, 0]) + span, 2 * span, end


def paint(material, surface):
    """Return the colour [N, 3] of a Surface of one material and the light that it sends out itself ([N, 3] or None)."""
    function = _PAINTERS.get(material)
    if function is None:
        return surface.colour, None
    painted = function(surface)
    return painted if isinstance(painted, tuple) else (painted, None)


def _leaves(s):
    # Seen along the axis that the surface faces most, so that clumps of leaves are as wide as they are high.
    axis = s.normal.abs().argmax(1)
    x = torch.where(axis == 0, s.local[:, 1], s.local[:, 0]) + 57 * s.variant
    y = torch.where(axis == 2, s.local[:, 1], s.local[:, 2]) + 3.0 * axis
    clumps = noise(x, y, 0.34, s.width) + 0.9 * noise(x, y, 0.12, s.width) + 0.9 * noise(y, x, 0.05, s.width)
    light = (1 + 0.55 * clumps + 0.2 * s.unit[:, 2]).clamp(min=0.1)
    return s.colour * light[:, None]


def _bark(s):
    angle = torch.atan2(s.local[:, 1], s.local[:, 0])
    rough = noise(4 * angle, s.local[:, 2] / 3, 0.5, s.width * 3)
    return s.colour * (1 + 0.4 * rough)[:, None]


def _windows(s, base, pitch_wanted, storey, wide, tall):
    """Return how much of each point is window and frame, and a number per window."""
    u, span, _ = s.across()
    v = s.height - base
    pitch = span / torch.round(span / pitch_wanted).clamp(min=1)
    column, row = u / pitch, v / storey
    lower = (1 - tall) * 0.45
    room = s.on_wall() * band(v, 0.1, 1e3, s.width) * band(s.height, -1.0, 2 * s.half[:, 2] - 0.35, s.width)
    window = stripes(column - (1 - wide) / 2, 1.0, wide, s.width / pitch) * stripes(
        row - lower, 1.0, tall, s.width / storey
    )
    edge = 0.035
    frame = stripes(column - (1 - wide) / 2 + edge, 1.0, wide + 2 * edge, s.width / pitch)
    frame = frame * stripes(row - lower + edge, 1.0, tall + 2 * edge, s.width / storey)
    bars = 1 - stripes(column - 0.5 + 0.012, 1.0, 0.024, s.width / pitch)
    number = chance(torch.floor(column) + torch.floor(s.variant * 999), torch.floor(row) + torch.floor(span))
    return window * bars * room, frame * room, number


def _facade(s):
    u, _, _ = s.across()
    pick = s.variant
    wide = torch.where(pick > 0.9, 0.9, 0.38 + 0.2 * ((pick * 7) % 1))
    tall = torch.where(pick > 0.9, 0.5, 0.48 + 0.14 * ((pick * 13) % 1))
    window, frame, number = _windows(
        s, 0.15, torch.where(pick > 0.9, 4.5, 2.1 + 1.1 * ((pick * 3) % 1)), 3.1, wide, tall
    )
    colour = s.colour * (1 + 0.1 * noise(u, s.height, 0.3, s.width) + 0.1 * noise(u, s.height, 4.0, s.width))[:, None]
    colour = colour * (0.82 + 0.18 * band(s.height, 0.6, 1e3, s.width))[:, None]
    colour = mix(colour, (0.62, 0.61, 0.58), frame)
    curtain = number[:, None] * 0.14
    colour = mix(colour, s.colour.new_tensor(_GLASS) + curtain, window)
    return colour, _lit(s, window, number, 0.3, 0.55) if s.dark else None


def _lit(s, window, number, share, strength):
    warm = s.colour.new_tensor([1.0, 0.72, 0.4])
    return warm * (window * (number < share) * strength * (0.4 + 2 * number))[:, None]


def _shop(s):
    u, span, _ = s.across()
    pitch = span / torch.round(span / 4.2).clamp(min=1)
    column = torch.floor(u / pitch)
    number = chance(column, torch.floor(s.variant * 9999))
    glass = stripes(u / pitch - 0.05, 1.0, 0.9, s.width / pitch) * band(s.height, 0.45, 2.55, s.width) * s.on_wall()
    door = stripes(u / pitch - 0.4, 1.0, 0.24, s.width / pitch) * band(s.height, 0.05, 2.4, s.width) * s.on_wall()
    glass = torch.maximum(glass, door) * (1 - stripes(u / pitch - 0.385, 1.0, 0.015, s.width / pitch))
    sign = band(s.height, 2.68, 3.2, s.width) * stripes(u / pitch - 0.06, 1.0, 0.88, s.width / pitch) * s.on_wall()
    board = torch.stack([0.1 + 0.6 * number, 0.1 + 0.35 * ((number * 7) % 1), 0.1 + 0.4 * ((number * 13) % 1)], dim=1)
    letters = (
        band(s.height, 2.82, 3.06, s.width)
        * _letters(u, s.width, 0.22)
        * stripes(u / pitch - 0.2, 1.0, 0.6, s.width / pitch)
    )
    goods = 0.06 + 0.1 * (1 + noise(u, s.height, 0.35, s.width)) * band(s.height, 0.4, 1.5, s.width)
    colour = mix(s.colour, goods[:, None] * s.colour.new_tensor([1.0, 0.95, 0.85]), glass)
    colour = mix(mix(colour, board, sign), (0.8, 0.8, 0.75), letters * sign)
    if not s.dark:
        return colour, None
    return colour, _lit(s, glass * (1 - 0.4 * door), 0.3 * number, 0.22, 1.3) + 0.35 * board * sign[:, None]


def _letters(u, width, pitch):
    """Strokes that look like writing: most cells of a row hold one."""
    cell = torch.floor(u / pitch)
    number = chance(cell, cell * 0 + 17)
    return stripes(u / pitch - 0.12, 1.0, 0.62, width / pitch) * (number > 0.18)


def _roof(s):
    along = torch.where(s.normal[:, 0].abs() > s.normal[:, 1].abs(), s.local[:, 1], s.local[:, 0])
    rows = stripes(s.height, 0.17, 0.8, s.width)
    return s.colour * (0.75 + 0.25 * rows + 0.2 * noise(along, s.height * 2, 0.3, s.width))[:, None]


def _cabin(s):
    x, y, z = s.unit.unbind(1)
    front, back, side = s.slopes.unbind(1)
    end = s.normal[:, 0].abs() > s.normal[:, 1].abs()
    sill = band(z, -0.86, 0.72, s.width / s.half[:, 2]) * (s.normal[:, 2] < 0.92)
    wide = 1 + side + side * z
    pane = band(y.abs(), -1.0, 0.9 * wide, s.width / s.half[:, 1]) * end
    ahead, behind = 1 + front + front * z, 1 + back + back * z
    door = band(x, -behind + 0.1, ahead - 0.08, s.width / s.half[:, 0]) * (
        1 - band(x, -0.03, 0.04, s.width / s.half[:, 0])
    )
    colour = mix(s.colour, _GLASS, sill * torch.where(end, pane, door))
    return colour


def _van(s):
    x, y, z = s.unit.unbind(1)
    wall, end = s.on_wall(), s.normal[:, 0].abs() > s.normal[:, 1].abs()
    w = s.width / s.half[:, 2]
    rear = end & (s.normal[:, 0] < 0)
    window = band(y.abs(), 0.08, 0.85, w) * band(z, 0.2, 0.75, w) * rear
    seam = band(y.abs(), -1.0, 0.015, w) * rear + band((x - 0.2).abs(), -1.0, 0.006, w) * ~end
    stripe = band(z, -0.15, 0.1, w) * ~end * (s.variant > 0.5) * wall
    colour = mix(s.colour, (0.08, 0.15, 0.4), stripe)
    letters = (
        _letters(s.local[:, 0], s.width, 0.3) * band(z, 0.25, 0.48, w) * band(x.abs(), -1.0, 0.55, w) * ~end * wall
    )
    colour = mix(colour, (0.1, 0.1, 0.12), letters * (s.variant > 0.3))
    return mix(mix(colour, _GLASS, window), (0.05, 0.05, 0.05), seam)


def _bus(s):
    x, y, z = s.unit.unbind(1)
    wall, end = s.on_wall(), s.normal[:, 0].abs() > s.normal[:, 1].abs()
    u = s.local[:, 0]
    side = band(z, 0.0, 0.68, s.width) * stripes(u, 1.5, 0.92, s.width) * ~end
    doors = torch.maximum(band(x, 0.72, 0.9, s.width), band(x, -0.1, 0.1, s.width)) * band(z, -0.85, 0.7, s.width)
    doors = doors * (~end & (y < 0))
    screen = band(z, -0.25, 0.7, s.width) * band(y.abs(), -1.0, 0.92, s.width) * end
    glass = torch.maximum(torch.maximum(side, doors), screen) * wall
    colour = mix(s.colour, (0.75, 0.75, 0.74), band(z, -1.0, -0.55, s.width) * wall * (s.variant > 0.5))
    colour = mix(colour, _GLASS, glass)
    sign = band(z, 0.76, 0.93, s.width) * band(y.abs(), -1.0, 0.6, s.width) * end * wall
    colour = mix(colour, (0.01, 0.01, 0.01), sign)
    amber = s.colour.new_tensor([0.9, 0.5, 0.05])
    text = sign * _letters(s.local[:, 1], s.width, 0.13) * band(z, 0.79, 0.9, s.width)
    glow = amber * text[:, None] * (0.9 if s.dark else 0.5)
    return colour, glow + (amber * 0.35 * side[:, None] if s.dark else 0)


def _truck_cab(s):
    x, y, z = s.unit.unbind(1)
    w = s.width / s.half[:, 2]
    front = (s.normal[:, 0] > 0.3).to(s.colour.dtype)
    side = (s.normal[:, 1].abs() > 0.5).to(s.colour.dtype)
    screen = front * band(z, 0.05, 0.8, w) * band(y.abs(), -1.0, 0.9, w)
    door = side * band(z, 0.1, 0.75, w) * band(x, 0.0, 0.72, w)
    grille = (
        front * band(z, -0.75, -0.2, w) * band(y.abs(), -1.0, 0.6, w) * stripes(z, 0.14, 0.6, w) * (s.variant > 0.5)
    )
    return mix(mix(s.colour, _GLASS, (screen + door).clamp(max=1)), (0.03, 0.03, 0.03), grille)


def _wheel(s):
    r = torch.hypot(s.local[:, 0], s.local[:, 1]) / s.half[:, 0]
    face = (s.normal[:, 2].abs() > 0.5).to(s.colour.dtype)
    w = s.width / s.half[:, 0]
    angle = torch.atan2(s.local[:, 1], s.local[:, 0]) / (2 * torch.pi)
    rim = band(r, -1.0, 0.66, w) * face
    spokes = stripes(angle * 5, 1.0, 0.5, w * 1.5) * band(r, 0.2, 0.6, w)
    colour = s.colour.new_tensor([0.018, 0.018, 0.02]).expand_as(s.colour)
    return mix(colour, s.colour * (1 - 0.75 * spokes)[:, None], rim)


def _bike_wheel(s):
    r = torch.hypot(s.local[:, 0], s.local[:, 1]) / s.half[:, 0]
    w = s.width / s.half[:, 0]
    angle = torch.atan2(s.local[:, 1], s.local[:, 0]) / (2 * torch.pi)
    inner = band(r, -1.0, 0.84, w) * (s.normal[:, 2].abs() > 0.5)
    spokes = stripes(angle * 14, 1.0, 0.22, 3 * w) * 0.4
    seen_through = s.colour.new_tensor([0.22, 0.22, 0.22]) * (1 + spokes)[:, None]
    return mix(s.colour.new_tensor([0.015, 0.015, 0.015]).expand_as(s.colour), seen_through, inner)


def _lamp(colour, strength):
    def painter(s):
        return s.colour, s.colour.new_tensor(colour).expand_as(s.colour) * strength if s.dark else None

    return painter


def _street_lamp(s):
    below = (s.normal[:, 2] < -0.5).to(s.colour.dtype)[:, None]
    return s.colour, s.colour.new_tensor([1.0, 0.82, 0.55]) * 6 * below if s.dark else None


def _traffic_light(s):
    y, z = s.local[:, 1], s.local[:, 2]
    faces = s.normal[:, 0] < -0.5
    colour, glow = s.colour, torch.zeros_like(s.colour)
    lit = (s.variant < 0.45).long() * 2  # green, else red
    for index, tint in enumerate(((0.9, 0.05, 0.03), (0.9, 0.5, 0.03), (0.05, 0.8, 0.35))):
        lens = band(torch.hypot(y, z - 0.3 + 0.3 * index), -1.0, 0.11, s.width) * faces
        colour = mix(colour, tuple(0.15 * value for value in tint), lens)
        glow = glow + s.colour.new_tensor(tint) * (lens * (lit == index) * (2.5 if s.dark else 1.2))[:, None]
    return colour, glow


def _sign_round(s):
    x, y = s.local[:, 0] / s.half[:, 0], s.local[:, 1] / s.half[:, 0]
    w = s.width / s.half[:, 0]
    r = torch.hypot(x, y)
    front = (s.normal[:, 2] < -0.5).to(s.colour.dtype)
    red, blue = (0.55, 0.02, 0.02), (0.02, 0.1, 0.45)
    limit = mix(s.colour, red, band(r, 0.74, 2.0, w))
    digits = band(y.abs(), -1.0, 0.36, w) * (
        band((x + 0.28).abs(), 0.1, 0.2, w) + band((x - 0.25).abs(), 0.1, 0.2, w)
    ).clamp(max=1)
    digits = torch.maximum(digits, band((y.abs() - 0.33).abs(), -1.0, 0.06, w) * band(x.abs(), 0.08, 0.48, w))
    limit = mix(limit, (0.02, 0.02, 0.02), digits * band(r, -1.0, 0.66, w))
    entry = mix(
        mix(s.colour, red, band(r, -1.0, 0.95, w)),
        (0.8, 0.8, 0.8),
        band(y.abs(), -1.0, 0.16, w) * band(x.abs(), -1.0, 0.7, w),
    )
    arrow = torch.maximum(
        band(x.abs(), -1.0, 0.1, w) * band(y, -0.6, 0.3, w), band(x.abs() + y, 0.0, 0.62, w) * band(y, 0.15, 1.0, w)
    )
    order = mix(mix(s.colour, blue, band(r, -1.0, 0.95, w)), (0.8, 0.8, 0.8), arrow)
    pick = s.variant[:, None]
    face = torch.where(pick < 0.55, limit, torch.where(pick < 0.75, entry, order))
    return mix(s.colour.new_tensor([0.3, 0.3, 0.31]).expand_as(s.colour), face, front)


def _sign_triangle(s):
    y, z = s.unit[:, 1], s.unit[:, 2]
    w = s.width / s.half[:, 1]
    room = (1 + s.slopes[:, 2] + s.slopes[:, 2] * z) - y.abs()
    border = torch.maximum(band(room, -1.0, 0.2, w), band(z, -2.0, -0.76, w))
    mark = band(y.abs(), -1.0, 0.07, w) * band(z, -0.25, 0.35, w) + band(torch.hypot(y, z + 0.48), -1.0, 0.09, w)
    face = mix(mix(s.colour, (0.55, 0.02, 0.02), border), (0.02, 0.02, 0.02), mark.clamp(max=1))
    return mix(s.colour.new_tensor([0.3, 0.3, 0.31]).expand_as(s.colour), face, (s.normal[:, 0] < -0.5).to(w.dtype))


def _board(s):
    """A board with writing and a rim; large ones (a lorry's side) have a few large words."""
    u, span, _ = s.across()
    rim = torch.minimum(torch.minimum(u, span - u), torch.minimum(s.height, 2 * s.half[:, 2] - s.height))
    tall = 2 * s.half[:, 2]
    z = s.height / tall
    size = (tall * 0.22).clamp(max=0.5)
    row = torch.maximum(band(z, 0.58, 0.78, s.width / tall), band(z, 0.24, 0.42, s.width / tall) * (u < 0.7 * span))
    row = row * band(u / span, 0.12, 0.86, s.width / span)
    cell = torch.floor(u / size)
    letters = (
        row * stripes(u / size - 0.12, 1.0, 0.6, s.width / size) * (chance(cell, torch.floor(s.variant * 999)) > 0.15)
    )
    dark = (s.colour.mean(1) > 0.35)[:, None]
    ink = torch.where(dark, s.colour.new_tensor([0.04, 0.05, 0.12]), s.colour.new_tensor([0.8, 0.8, 0.8]))
    wall = s.on_wall()
    colour = mix(s.colour, ink, band(rim, 0.01, 0.035, s.width) * wall)
    return mix(colour, ink, letters * wall)


def _striped(s):
    tilted = s.variant > 0.5
    x = torch.where(tilted, s.local[:, 1] + s.local[:, 2], s.height)
    share = stripes(x, 0.34, 0.5, s.width)
    red, white = s.colour.new_tensor([0.68, 0.06, 0.03]), s.colour.new_tensor([0.78, 0.78, 0.76])
    return torch.lerp(white.expand_as(s.colour), red.expand_as(s.colour), share[:, None])


def _pavement(s):
    x, y = s.local[:, 0], s.local[:, 1]
    joints = stripes(x, 0.6, 0.965, s.width) * stripes(y, 0.6, 0.965, s.width)
    tone = chance(torch.floor(x / 0.6), torch.floor(y / 0.6)) - 0.5
    fade = (1 - s.width / 0.6).clamp(min=0)
    colour = s.colour * (0.8 + 0.2 * joints + 0.12 * tone * fade + 0.12 * noise(x, y, 2.5, s.width))[:, None]
    kerb = band(y + s.half[:, 1], -1.0, 0.16, s.width)
    return mix(
        colour, s.colour.new_tensor([0.5, 0.49, 0.47]) * (0.8 + 0.2 * stripes(x, 1.0, 0.98, s.width))[:, None], kerb
    )


def _brick(s):
    u, _, _ = s.across()
    row = torch.floor(s.height / 0.08)
    mortar = stripes(s.height, 0.08, 0.84, s.width) * stripes(u + 0.12 * (row % 2), 0.24, 0.94, s.width)
    tone = chance(torch.floor((u + 0.12 * (row % 2)) / 0.24), row) - 0.5
    fade = (1 - s.width / 0.12).clamp(min=0)
    colour = s.colour * (1 + 0.35 * tone * fade)[:, None]
    return mix(s.colour.new_tensor([0.42, 0.4, 0.37]).expand_as(colour), colour, mortar)


def _pickets(s):
    u, _, _ = s.across()
    gap = 1 - stripes(u, 0.14, 0.7, s.width)
    return mix(s.colour, (0.06, 0.06, 0.05), gap * s.on_wall() * 0.85)


def _cloth(s):
    folds = noise(s.local[:, 0] + s.local[:, 1], s.local[:, 2], 0.09, s.width)
    return s.colour * (1 + 0.22 * folds)[:, None]


_PAINTERS = {
    p.LEAVES: _leaves, p.BARK: _bark, p.FACADE: _facade, p.SHOP: _shop, p.ROOF: _roof, p.GLASS_CABIN: _cabin,
    p.VAN_BODY: _van, p.BUS_BODY: _bus, p.TRUCK_CAB: _truck_cab, p.WHEEL: _wheel, p.BIKE_WHEEL: _bike_wheel,
    p.HEAD_LAMP: _lamp((1.0, 0.95, 0.8), 5.0), p.TAIL_LAMP: _lamp((0.9, 0.03, 0.02), 2.2), p.STREET_LAMP: _street_lamp,
    p.TRAFFIC_LIGHT: _traffic_light, p.SIGN_ROUND: _sign_round, p.SIGN_TRIANGLE: _sign_triangle, p.SIGN_BOARD: _board,
    p.STRIPED: _striped, p.PAVEMENT: _pavement, p.BRICK: _brick, p.PICKETS: _pickets, p.CLOTH: _cloth,
}  # fmt: skip


def paint_parts(parts, primitive, local, normal, width, dark):
    """Return colour and emission [N, 3] of points on parts.

    parts: Parts; primitive [N] their indices; local [N, 3] in the part's frame; normal [N, 3] in the part's frame.
    """
    colour = parts.colour.float()[primitive]
    glow = torch.zeros_like(colour)
    material = parts.material[primitive]
    present = torch.bincount(material, minlength=p.METAL + 1).tolist()
    whole = Surface(colour, local, normal, parts.half.float(), parts.slopes.float(), width, parts.variant.float(), dark)
    for kind in _PAINTERS:
        if not present[kind]:
            continue
        some = torch.nonzero(material == kind)[:, 0]
        chosen = primitive[some]
        surface = replace(
            whole, colour=colour[some], local=local[some], normal=normal[some], half=whole.half[chosen],
            slopes=whole.slopes[chosen], width=width[some], variant=whole.variant[chosen],
        )  # fmt: skip
        painted, light = paint(kind, surface)
        colour[some] = painted
        if light is not None:
            glow[some] = light
    return colour, glow
