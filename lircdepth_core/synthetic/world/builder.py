# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a seed to a World: the street's plan, traffic, people and everything beside the road."""

import numpy as np
import torch

from lircdepth_core.errors import LircDepthError
from lircdepth_core.synthetic.world import scenery, vehicles, weather
from lircdepth_core.synthetic.world.parts import PAVEMENT, box, extent
from lircdepth_core.synthetic.world.road import KERB_HEIGHT, Road, Street
from lircdepth_core.synthetic.world.world import MAX_DURATION, START, Actors, Parts, World

DIFFICULTIES = {"easy": 0.5, "medium": 1.0, "hard": 1.6}  # how much traffic and how many people
_BEYOND = 290.0  # metres of street ahead of where the ego vehicle may end
_SETTINGS = ("town", "suburb", "arterial")
_VEHICLES = (
    (vehicles.car, 0.66),
    (vehicles.van, 0.12),
    (vehicles.truck, 0.1),
    (vehicles.bus, 0.05),
    (vehicles.motorcycle, 0.07),
)


def build_world(seed, corner=None, weather_name=None, difficulty=None):
    """Return the World of a seed (an int or a sequence of ints).

    corner: (x, y) of the south-west corner of the road's extent in global coordinates [m]; drawn between 300 and 500 m
    when it is None. weather_name: one of weather.WEATHERS; difficulty: easy, medium or hard; drawn when they are None.
    Raises LircDepthError for another name.
    """
    random = np.random.default_rng(seed)
    if difficulty is not None and difficulty not in DIFFICULTIES:
        raise LircDepthError(f"difficulty {difficulty!r} is unknown; there are {', '.join(DIFFICULTIES)}")
    drawn = random.choice(list(DIFFICULTIES), p=(0.25, 0.5, 0.25))
    difficulty = str(drawn) if difficulty is None else difficulty
    conditions = weather.draw(np.random.default_rng(random.integers(1 << 32)), weather_name)
    setting = random.choice(_SETTINGS, p=(0.5, 0.25, 0.25))
    builder = _Builder(_plan(random, setting, corner), setting, DIFFICULTIES[difficulty], random)
    builder.pavements()
    builder.traffic()
    builder.parked()
    builder.roadside()
    builder.plots()
    for s in builder.street.junctions:
        builder.crossing(s)
    builder.people()
    return builder.world(conditions, difficulty, int(np.random.default_rng(seed).integers(1 << 30)))


def _plan(random, setting, corner):
    """Draw the Street: its curve, cross section and junctions."""
    fast = setting == "arterial"
    length = START + 15.0 * MAX_DURATION + _BEYOND
    curvature = random.choice([-1, 1]) * (1e-6 if random.random() < 0.4 else 1 / random.uniform(170.0, 800.0))
    road = Road(0.0, 0.0, random.uniform(-np.pi, np.pi), curvature, length)
    drawn = random.uniform(300.0, 500.0, 2)
    x, y, _ = road.pose(np.linspace(0, length, 200), 0.0)
    west, south = drawn if corner is None else corner
    road = Road(west - x.min(), south - y.min(), road.heading, curvature, length)
    lanes = int(random.choice([1, 2], p=(0.2, 0.8) if fast else (0.75, 0.25)))
    lane_width = random.uniform(3.1, 3.6)
    parking = bool(not fast and random.random() < 0.75)
    kerb = lanes * lane_width + (2.3 if parking else 0.9)
    edge = (
        kerb
        + {"town": random.uniform(2.6, 4.5), "suburb": random.uniform(1.8, 2.6), "arterial": random.uniform(1.6, 3.0)}[
            setting
        ]
    )
    s, junctions = START + random.uniform(25, 110), []
    while s < length - 60:
        junctions.append(float(s))
        s += random.uniform(90, 190)
    verge = {"town": (0.3, 0.29, 0.27), "suburb": (0.17, 0.26, 0.08), "arterial": (0.26, 0.28, 0.14)}[setting]
    return Street(
        road, lanes, lane_width, parking, kerb, edge, tuple(junctions), random.uniform(3.4, 5.5),
        bool(fast or random.random() < 0.3), verge,
    )  # fmt: skip


class _Builder:
    """Collects actors along a street."""

    def __init__(self, street, setting, density, random):
        self.street, self.setting, self.density, self.random = street, setting, density, random
        self.road = street.road
        self.actors, self.parts = [], []
        self.movers = []  # (x, y, yaw, speed, turn rate, radius)
        self.lamp_period = 0.0
        self.ego_speed = random.uniform(9.0, 14.5) if setting == "arterial" else random.uniform(5.5, 10.5)
        self.ego_lane = int(random.integers(street.lanes))

    # Placing ---------------------------------------------------------------------------------------------------------

    def place(self, x, y, yaw, drawing, category="", attribute="", speed=0.0, turn_rate=0.0, z=0.0):
        """Add an actor; ``drawing`` is (parts, rcs), its frame's origin at (x, y, z)."""
        parts, rcs = drawing
        low, high = extent(parts)
        middle = (low + high)[:2] / 2
        c, s = np.cos(yaw), np.sin(yaw)
        position = (x + c * middle[0] - s * middle[1], y + s * middle[0] + c * middle[1], z)
        shift = np.array((*middle, 0.0))
        self.parts += [
            (len(self.actors), part._replace(offset=tuple(np.subtract(part.offset, shift)))) for part in parts
        ]
        size = (*(high - low)[:2], high[2])
        self.actors.append((category, attribute, size, position, yaw, speed, turn_rate, rcs))
        if speed:
            self.movers.append((position[0], position[1], yaw, speed, turn_rate, np.hypot(*size[:2]) / 2))

    def along(self, s, d, drawing, turn=0.0, z=None, **motion):
        """Add an actor at (s, d), turned by ``turn`` against the road; on the pavement's height where there is one."""
        x, y, yaw = self.road.pose(s, d)
        z = KERB_HEIGHT * (self.street.kerb <= abs(d) <= self.street.edge) if z is None else z
        self.place(float(x), float(y), float(yaw + turn), drawing, z=z, **motion)

    def facing(self, s, d, drawing, **more):
        """Add what faces the street."""
        self.along(s, d, drawing, 0.0 if d > 0 else np.pi, **more)

    def drive(self, s, d, drawing, category, attribute, speed, against=False):
        """Add what follows the road, or comes against it, or stands so."""
        rate = speed * self.road.curvature / (1 - self.road.curvature * d) * (-1 if against else 1)
        self.along(s, d, drawing, np.pi if against else 0.0, z=0.0, category=category, attribute=attribute,
                   speed=speed, turn_rate=rate)  # fmt: skip

    def blocks(self, margin):
        """Return the intervals of s between junctions, ``margin`` metres from the crossing street's middle."""
        borders = [0.0, *(s + side * margin for s in self.street.junctions for side in (-1, 1)), self.road.length]
        return [(a, b) for a, b in zip(borders[::2], borders[1::2], strict=True) if b - a > 1]

    def free(self, candidate, clearance=2.0):
        """Return whether a mover stays clear of all others and of the ego vehicle during the scene."""
        times = np.arange(-1.0, MAX_DURATION + 2, 0.2)

        def path(x, y, yaw, speed, rate):
            half = 0.5 * rate * times
            chord = speed * times * np.sinc(half / np.pi)
            return np.stack([x + chord * np.cos(yaw + half), y + chord * np.sin(yaw + half)], axis=1)

        own = path(*candidate[:5])
        ego = np.stack(self.road.pose(START + self.ego_speed * times, self.ego_offset())[:2], axis=1)
        if (np.linalg.norm(own - ego, axis=1) < candidate[5] + 5.0 + clearance).any():
            return False
        return all(
            (np.linalg.norm(own - path(*other[:5]), axis=1) > candidate[5] + other[5] + clearance).all()
            for other in self.movers
        )

    def ego_offset(self):
        return -self.street.lane_centre(self.ego_lane)

    def draw_vehicle(self):
        random = self.random
        function = _VEHICLES[random.choice(len(_VEHICLES), p=[share for _, share in _VEHICLES])][0]
        parts, category, rcs = function(random)
        attribute = "cycle.with_rider" if category == "vehicle.motorcycle" else "vehicle.moving"
        return (parts, rcs), category, attribute

    # Filling ---------------------------------------------------------------------------------------------------------

    def pavements(self):
        """Raised slabs with kerbs, on both sides of the road and of what crosses it."""
        street, width = self.street, self.street.edge - self.street.kerb
        middle = (street.kerb + street.edge) / 2
        for start, end in self.blocks(street.crossing_kerb):
            count = max(1, round((end - start) / 9.0))
            pitch = (end - start) / count
            for s in start + (np.arange(count) + 0.5) * pitch:
                for side in (-1, 1):
                    # Outside of a bend the slabs must be longer to meet.
                    length = pitch * (1 + abs(self.road.curvature) * street.edge)
                    slab = box((0, 0, KERB_HEIGHT / 2), (length, width, KERB_HEIGHT), (0.4, 0.385, 0.36), PAVEMENT)
                    self.facing(s, side * middle, ([slab], -10.0), z=0.0)
        for s in street.junctions:
            for side in (-1, 1):
                for a in (-1, 1):
                    centre = street.crossing_kerb + width / 2
                    x, y, yaw = street.crossing_pose(s, a * centre, side * (street.edge + 60.0))
                    slab = box((0, 0, KERB_HEIGHT / 2), (120.0, width, KERB_HEIGHT), (0.4, 0.385, 0.36), PAVEMENT)
                    self.place(x, y, yaw + (-np.pi / 2 if a > 0 else np.pi / 2), ([slab], -10.0))

    def traffic(self):
        """One speed a lane, so that nobody runs into another."""
        random, street = self.random, self.street
        for lane in range(street.lanes):
            own = lane == self.ego_lane
            speed = self.ego_speed if own else self.ego_speed + random.uniform(-1.5, 2.5)
            s = START + random.uniform(16, 40) if own else random.uniform(0, 40)
            if own:
                self.drive(START - random.uniform(18, 40), -street.lane_centre(lane), *self.draw_vehicle(), speed)
            while s < self.road.length - 20:
                self.drive(s, -street.lane_centre(lane), *self.draw_vehicle(), speed)
                s += random.uniform(18, 70) / self.density + 6
            speed, s = self.ego_speed + random.uniform(-1.0, 3.0), random.uniform(0, 40)
            while s < self.road.length + 12 * MAX_DURATION and s < self.road.length - 20:
                self.drive(s, street.lane_centre(lane), *self.draw_vehicle(), speed, against=True)
                s += random.uniform(18, 70) / self.density + 6
        if not street.parking:  # cyclists keep to the kerb
            for s in np.arange(START + 20, self.road.length - 30, 60) + random.uniform(0, 40):
                if random.random() < 0.4 * self.density:
                    parts, category, rcs = vehicles.bicycle(random)
                    d = -(street.kerb - 0.45)
                    speed = random.uniform(3.5, 5.0)
                    # Beside the lane, not in it: only other cyclists can be in the way.
                    self.drive(s, d, (parts, rcs), category, "cycle.with_rider", speed)

    def parked(self):
        random, street = self.random, self.street
        if not street.parking:
            return
        for side in (-1, 1):
            for start, end in self.blocks(street.crossing_kerb + 9.0):
                s = start + random.uniform(2, 8)
                while s < end - 3:
                    if random.random() < 0.72:
                        drawing = vehicles.van(random) if random.random() < 0.12 else vehicles.car(random)
                        parts, category, rcs = drawing
                        d = side * (street.carriageway + 1.15 + random.uniform(-0.08, 0.08))
                        self.drive(s, d, (parts, rcs), category, "vehicle.parked", 0.0, against=side > 0)
                    s += random.uniform(5.9, 7.5)

    def roadside(self):
        """Lamps, trees, signs, bins and such between kerb and facade; road works now and then."""
        random, street = self.random, self.street
        if self.setting != "suburb" or random.random() < 0.6:
            self.lamp_period = float(random.uniform(24, 34))
        trees, tall = random.random() < (0.85 if self.setting != "arterial" else 0.5), random.uniform(6.5, 8.5)
        pitch = random.uniform(8, 15)
        blocks = self.blocks(street.crossing_kerb + 2.5)
        for side in (-1, 1):
            near = side * (street.kerb + 0.55)
            for start, end in blocks:
                taken = []
                if self.lamp_period:
                    first = np.ceil((start + 1) / self.lamp_period) * self.lamp_period
                    for s in np.arange(first, end - 1, self.lamp_period):
                        self.facing(s, near, scenery.street_lamp(random, tall))
                        taken.append(s)
                # Posts at the junction that traffic comes to.
                corner = end - 0.8 if side < 0 else start + 0.8
                if 0 < corner < self.road.length and any(abs(corner - j) < 12 for j in street.junctions):
                    self.along(corner, near, scenery.traffic_light(random) if random.random() < 0.6 else
                               scenery.sign(random), 0.0 if side < 0 else np.pi)  # fmt: skip
                s = start + random.uniform(2, pitch)
                while s < end - 2:
                    if all(abs(s - other) > 2.5 for other in taken):
                        kind = random.random()
                        wide = street.edge - street.kerb
                        if trees and kind < 0.62 and wide > 2.2:
                            self.along(s, near + side * 0.3, scenery.tree(random), random.uniform(-3, 3))
                        elif kind < 0.72:
                            self.along(s, near, scenery.sign(random), 0.0 if side < 0 else np.pi)
                        elif kind < 0.79:
                            self.facing(s, near, scenery.bin_(random))
                        elif kind < 0.84 and wide > 2.5:
                            self.facing(s, side * (street.edge - 0.6), scenery.bench(random))
                        elif kind < 0.87 and wide > 3.0:
                            self.facing(s, side * (street.edge - 0.9), scenery.bus_stop(random))
                        elif kind < 0.93:
                            for step in range(4):
                                self.along(s + 1.4 * step, near - side * 0.1, scenery.bollard(random))
                    s += random.uniform(0.6, 1.4) * pitch
        if random.random() < 0.45 * self.density:  # road works in the parking strip or at the kerb
            side = random.choice([-1, 1])
            start, end = blocks[random.integers(min(3, len(blocks)))]
            s = random.uniform(start, max(start + 1, end - 15))
            d = side * (street.carriageway + (0.5 if street.parking else 0.1))
            for step in range(random.integers(4, 9)):
                drawing = scenery.cone(random) if step % 2 else scenery.barrier(random)
                category = "movable_object.trafficcone" if step % 2 else "movable_object.barrier"
                if not street.parking or not self._parked_near(s + 2.2 * step, d):
                    self.along(s + 2.2 * step, d, drawing, np.pi / 2 if step % 2 == 0 else 0.0, category=category)

    def _parked_near(self, s, d):
        x, y, _ = self.road.pose(s, d)
        return any(
            actor[1] == "vehicle.parked" and np.hypot(actor[3][0] - x, actor[3][1] - y) < 3.2 for actor in self.actors
        )

    def plots(self):
        """Buildings, gardens and boundaries beyond the pavement."""
        street = self.street
        for side in (-1, 1):
            for start, end in self.blocks(street.edge - street.kerb + street.crossing_kerb):
                self._row(
                    start, end, lambda s, out, drawing, side=side: self.facing(s, side * out, drawing), street.edge
                )

    def _row(self, start, end, put, line, room=60.0):
        """Fill the side of a street from ``start`` to ``end``; ``put(s, distance, drawing)``, ``line``: where plots
        begin.
        """
        random, bend = self.random, abs(self.road.curvature)
        s = start
        while s < end - 5:
            if self.setting == "town":
                front, depth = min(random.uniform(8, 20), end - s), min(random.uniform(9, 14), room)
                if random.random() < 0.9:
                    # The chord of a curved road cuts into it: move back by its sagitta.
                    back = line + depth / 2 + 0.25 + front**2 * bend / 8
                    put(s + front / 2, back, scenery.town_building(random, front - 0.05, depth))
                else:
                    put(s + front / 2, line + 0.5, scenery.fence(random, front - 0.5))
                    for _ in range(3):
                        put(s + random.uniform(2, front - 1), line + random.uniform(3, 9), scenery.tree(random))
                s += front
            elif self.setting == "suburb":
                front, garden = random.uniform(15, 24), random.uniform(3.5, 8.0)
                wide, depth = random.uniform(7, 10), min(random.uniform(7, 10), room)
                if s + front > end:
                    break
                put(s + front / 2 - 1.5, line + garden + depth / 2, scenery.house(random, wide, depth))
                if random.random() < 0.75:
                    put(s + front / 2 - 1.5, line + 0.45, scenery.fence(random, front - 4))
                for _ in range(random.integers(0, 4)):
                    drawing = scenery.tree(random) if random.random() < 0.45 else scenery.bush(random)
                    put(s + random.uniform(1, front - 1), line + random.uniform(1.2, max(garden - 1.2, 1.3)), drawing)
                s += front
            else:
                front, back = random.uniform(25, 55), random.uniform(4, 16)
                front = min(front, end - s)
                kind = random.random()
                if kind < 0.6 and front > 14:
                    depth = min(random.uniform(14, 24), room)
                    put(
                        s + front / 2,
                        line + back + depth / 2 + front**2 * bend / 8,
                        scenery.hall(random, 0.8 * front, depth),
                    )
                for _ in range(random.integers(1, 6)):
                    drawing = scenery.tree(random) if random.random() < 0.6 else scenery.bush(random)
                    put(s + random.uniform(0, front), line + random.uniform(1.5, max(back - 2, 2)), drawing)
                for step in np.arange(s + 6, s + front - 5, 12.0):
                    drawing = scenery.guard_rail(random, 12.0) if kind < 0.35 else scenery.fence(random, 11.8)
                    if kind < 0.7:
                        put(step, line + 0.35, drawing)
                s += front

    def crossing(self, s):
        """What stands and drives on a crossing street."""
        random, street = self.random, self.street
        half = street.crossing_kerb
        lane = half / 2

        def at(a, left, turn):  # metres along the main road, to its left; direction relative to its tangent
            x, y, yaw = street.crossing_pose(s, a, left)
            return float(x), float(y), float(yaw + turn)

        for side in (-1, 1):
            # Traffic keeps right: towards the junction from the left side it drives along -l.
            for direction in (-1, 1):
                a, turn = direction * lane, direction * np.pi / 2
                incoming = direction == -side
                if incoming and random.random() < 0.55 * self.density:
                    drawing, category, _ = self.draw_vehicle()
                    if category == "vehicle.motorcycle":
                        continue
                    place = at(a, side * (street.kerb + 7.5 + 3.0 * (category != "vehicle.car")), turn)
                    self.place(*place, drawing, category=category, attribute="vehicle.stopped")
                elif not incoming and random.random() < 0.6 * self.density:
                    parts, category, rcs = vehicles.car(random)
                    self.place(
                        *at(a, side * (street.edge + random.uniform(15, 50)), turn),
                        (parts, rcs),
                        category=category,
                        attribute="vehicle.stopped",
                    )
            for a in (-1, 1):
                along = np.arange(street.edge + 17.0, 110.0)

                def put(distance, out, drawing, a=a, side=side):
                    turn = -np.pi / 2 if a > 0 else np.pi / 2
                    x, y, yaw = at(a * out, side * distance, turn)
                    self.place(x, y, yaw, drawing)

                self._row(along[0], along[-1], put, half + street.edge - street.kerb, room=12.0)
        for _ in range(6):  # someone crosses, where nobody is hit
            direction = random.choice([-1, 1])
            speed, start = random.uniform(6, 10), random.uniform(-140, 20)
            x, y, yaw = at(direction * lane, direction * start, direction * np.pi / 2)
            drawing, category, attribute = self.draw_vehicle()
            low, high = extent(drawing[0])
            standing = [actor for actor in self.actors if actor[1] == "vehicle.stopped"]
            blocked = any(abs(np.cos(yaw) * (q[3][1] - y) - np.sin(yaw) * (q[3][0] - x)) < 1.8 and
                          np.hypot(q[3][0] - x, q[3][1] - y) < 400 for q in standing)  # fmt: skip
            if not blocked and self.free((x, y, yaw, speed, 0.0, np.hypot(*(high - low)[:2]) / 2)):
                self.place(x, y, yaw, drawing, category=category, attribute=attribute, speed=speed)
                break

    def people(self):
        """On the pavements, and some who cross the road."""
        random, street = self.random, self.street
        busy = {"town": 1.0, "suburb": 0.4, "arterial": 0.25}[self.setting] * self.density
        for side in (-1, 1):
            for start, end in self.blocks(street.crossing_kerb + 1.0):
                for s in np.arange(start + 2, end - 2, 4.5):
                    if random.random() > 0.32 * busy:
                        continue
                    walking = random.random() < 0.75
                    d = side * random.uniform(street.kerb + 1.1, max(street.edge - 0.5, street.kerb + 1.2))
                    for neighbour in range(random.choice([1, 2, 3], p=(0.7, 0.22, 0.08))):
                        parts, category, rcs = vehicles.pedestrian(random, walking, random.random() < 0.12)
                        speed, back = (random.uniform(0.9, 1.6) if walking else 0.0), random.random() < 0.5
                        turn = (np.pi if back else 0.0) if walking else random.uniform(-np.pi, np.pi)
                        rate = speed * self.road.curvature * (-1 if back else 1)
                        attribute = "pedestrian.moving" if walking else "pedestrian.standing"
                        self.along(s + 0.8 * neighbour, d, (parts, rcs), turn, KERB_HEIGHT, category=category,
                                   attribute=attribute, speed=speed, turn_rate=rate)  # fmt: skip
        for junction in street.junctions:
            for _ in range(round(5 * busy)):
                across = junction + random.choice([-1, 1]) * (street.crossing_kerb + random.uniform(1.6, 3.4))
                direction = random.choice([-1, 1])
                speed = random.uniform(1.0, 1.6)
                x, y, yaw = self.road.pose(across, -direction * (street.kerb + random.uniform(-6, 12)))
                turn = direction * np.pi / 2
                if self.free((float(x), float(y), float(yaw + turn), speed, 0.0, 0.4), 1.0):
                    parts, category, rcs = vehicles.pedestrian(random)
                    self.place(float(x), float(y), float(yaw + turn), (parts, rcs), category=category,
                               attribute="pedestrian.moving", speed=speed)  # fmt: skip

    def world(self, conditions, difficulty, number):
        category, attribute, *numbers = zip(*self.actors, strict=True)
        owners, parts = zip(*self.parts, strict=True)
        kind, offset, half, rotation, slopes, colour, material, variant = zip(*parts, strict=True)

        def real(values):
            return torch.as_tensor(np.array(values, dtype=np.float64))

        return World(
            self.street,
            Actors(category, attribute, *map(real, numbers)),
            Parts(
                torch.tensor(owners), torch.tensor(kind), real(offset), real(half), real(rotation), real(slopes),
                real(colour).clamp(0, 1), torch.tensor(material), real(variant),
            ),
            conditions,
            float(self.ego_speed),
            float(self.random.uniform(0, 2 * np.pi)),
            float(self.ego_offset()),
            self.lamp_period,
            number,
            difficulty,
        )  # fmt: skip
