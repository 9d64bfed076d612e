"""A street scene: what stands where at any time, as plain tensors.

Global coordinates: x east, y north, z up, metres; the ground is z = 0. Time is in seconds from the scene's start.
Everything is an *actor* (one rigid body: a car, a building, a pole) that owns one or more *boxes*; all tensors are
float64 on the CPU. ``World.snapshot`` is what ray casting needs of one moment.
"""

from dataclasses import dataclass

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.raycast import Scene

MAX_DURATION = 20.0  # seconds: the length of a nuScenes scene, and what the street is long enough for
LANE_WIDTH = 3.5  # metres; one lane each way, then parking strip, pavement, facades
KERB = 5.8
FACADE = 9.5
PLAIN, FACADE_TEXTURE, BODY, CABIN = range(4)  # textures of a box
_START = 40.0  # the ego vehicle's first position along the road


@dataclass(frozen=True)
class Road:
    """A centre line of constant curvature [1/m] (not 0) that starts at (x, y) [m] with a heading [rad]."""

    x: float
    y: float
    heading: float
    curvature: float
    length: float

    def pose(self, s, d):
        """Return x, y, yaw (float64 arrays) at ``s`` metres along the road and ``d`` metres left of its centre line."""
        s, d = np.asarray(s, dtype=np.float64), np.asarray(d, dtype=np.float64)
        turn = self.curvature * s
        ahead = np.sin(turn) / self.curvature - d * np.sin(turn)
        left = (1 - np.cos(turn)) / self.curvature + d * np.cos(turn)
        c, sn = np.cos(self.heading), np.sin(self.heading)
        return self.x + c * ahead - sn * left, self.y + sn * ahead + c * left, self.heading + turn

    def coordinates(self, points, origin):
        """Return (s, d) of points [..., 2] (any float dtype) that are given relative to ``origin`` (x, y).

        The offset is taken in float64 and the formula has no difference of large numbers, so that float32 points
        keep their accuracy however far from the map's origin the road lies.
        """
        c, sn = float(np.cos(self.heading)), float(np.sin(self.heading))
        east, north = float(origin[0]) - self.x, float(origin[1]) - self.y
        ahead = c * points[..., 0] + sn * points[..., 1] + (c * east + sn * north)
        left = c * points[..., 1] - sn * points[..., 0] + (c * north - sn * east)
        q = self.curvature * (ahead**2 + left**2) - 2 * left
        d = -q / (1 + torch.sqrt((1 + self.curvature * q).clamp(min=0)))
        return torch.atan2(self.curvature * ahead, 1 - self.curvature * left) / self.curvature, d


@dataclass(frozen=True)
class Actors:
    """A rigid bodies; each moves at constant speed and turn rate (0 for what stands).

    category, attribute: A strings, nuScenes names ("" for scenery, which is not annotated); size [A, 3] length,
    width, height [m]; position [A, 2] of the footprint's centre, yaw [A], speed [A] (along yaw, m/s) and
    yaw_rate [A] (rad/s) at time 0; rcs [A] mean radar cross section [dBsm].
    """

    category: tuple
    attribute: tuple
    size: torch.Tensor
    position: torch.Tensor
    yaw: torch.Tensor
    speed: torch.Tensor
    yaw_rate: torch.Tensor
    rcs: torch.Tensor

    def at(self, time):
        """Return position [A, 3] (centre of the footprint, z = 0), yaw [A] and velocity [A, 3] at a time [s]."""
        half_turn = 0.5 * self.yaw_rate * time
        chord = self.speed * time * torch.sinc(half_turn / torch.pi)
        middle = self.yaw + half_turn
        zero = torch.zeros_like(chord)
        moved = torch.stack([chord * torch.cos(middle), chord * torch.sin(middle), zero], dim=1)
        yaw = self.yaw + self.yaw_rate * time
        velocity = torch.stack([self.speed * torch.cos(yaw), self.speed * torch.sin(yaw), zero], dim=1)
        return torch.nn.functional.pad(self.position, (0, 1)) + moved, yaw, velocity


@dataclass(frozen=True)
class Boxes:
    """The K boxes that the actors are made of.

    owner [K] index of the actor; offset [K, 3] of the box's centre from the centre of the actor's footprint, in the
    actor's frame (x forward, y left); size [K, 3] length, width, height; colour [K, 3] in 0..1; texture [K].
    """

    owner: torch.Tensor
    offset: torch.Tensor
    size: torch.Tensor
    colour: torch.Tensor
    texture: torch.Tensor


@dataclass(frozen=True)
class World:
    """One scene. sun: unit vector [3] towards the sun. ego_speed: mean speed of the ego vehicle [m/s]."""

    road: Road
    actors: Actors
    boxes: Boxes
    sun: torch.Tensor
    ego_speed: float
    ego_phase: float

    def ego_pose(self, time):
        """Return the ego vehicle's pose at a time [s] as the 4x4 transform global_from_ego, at ground level."""
        # Keeps its lane with a gentle weave and a gentle change of speed, both smooth.
        s = _START + self.ego_speed * time + 1.2 * (np.sin(0.5 * time + self.ego_phase) - np.sin(self.ego_phase))
        s_rate = self.ego_speed + 0.6 * np.cos(0.5 * time + self.ego_phase)
        d = -LANE_WIDTH / 2 + 0.2 * np.sin(0.7 * time + self.ego_phase)
        d_rate = 0.14 * np.cos(0.7 * time + self.ego_phase)
        x, y, yaw = self.road.pose(s, d)
        yaw = yaw + np.arctan2(d_rate, s_rate * (1 - self.road.curvature * d))
        return geometry.rigid_transform((x, y, 0.0), (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)))

    def ego_motion(self, time):
        """Return the ego vehicle's velocity [3] in global axes [m/s] and its yaw rate [rad/s] at a time [s]."""
        step = 1e-3  # central difference: its error is below 1e-6 m/s for this trajectory
        before, after = self.ego_pose(time - step), self.ego_pose(time + step)
        turned = before[:3, :3].T @ after[:3, :3]
        yaw_rate = np.arctan2(turned[1, 0], turned[0, 0]) / (2 * step)
        return (after[:3, 3] - before[:3, 3]) / (2 * step), yaw_rate

    def snapshot(self, time, origin, device="cpu"):
        """Return the boxes at a time [s] as a Scene seen from ``origin`` [3] (global, metres)."""
        position, yaw, _ = self.actors.at(time)
        owner, offset = self.boxes.owner, self.boxes.offset
        cos, sin = torch.cos(yaw)[owner], torch.sin(yaw)[owner]
        centre = position[owner] - torch.as_tensor(np.asarray(origin, dtype=np.float64))
        centre = centre + torch.stack(
            [cos * offset[:, 0] - sin * offset[:, 1], sin * offset[:, 0] + cos * offset[:, 1], offset[:, 2]], dim=1
        )
        return Scene(centre.to(device), (self.boxes.size / 2).to(device), yaw[owner].to(device), -float(origin[2]))


class _Builder:
    """Collects actors along a road."""

    def __init__(self, road, generator):
        self.road, self.generator = road, generator
        self.actors, self.boxes = [], []

    def add(self, s, d, size, boxes, category="", attribute="", speed=0.0, rcs=5.0, against=False):
        """Add an actor at (s, d) that looks along the road or against it; a negative speed goes against it, too.

        Boxes: (offset, size, colour, texture) each.
        """
        x, y, yaw = self.road.pose(s, d)
        turn_rate = speed * self.road.curvature / (1 - self.road.curvature * d)  # follows the road
        if speed < 0 or against:
            yaw += np.pi
        self.boxes += [(len(self.actors), *box) for box in boxes]
        self.actors.append((category, attribute, size, (x, y), yaw, abs(speed), turn_rate, rcs))

    def vehicle(self, s, d, category, attribute, speed=0.0, against=False):
        random = self.generator
        colour = np.array(_PAINT[random.integers(len(_PAINT))]) * random.uniform(0.85, 1.0)
        if category == "vehicle.truck":
            length, width, height = random.uniform(7, 9), random.uniform(2.3, 2.5), random.uniform(2.9, 3.4)
            cab = 2.0
            boxes = [
                (((length - cab) / 2, 0, 0.4 * height), (cab, width, 0.8 * height), colour, BODY),
                ((-cab / 2, 0, height / 2), (length - cab, width, height), (0.78, 0.78, 0.76), BODY),
            ]
        else:
            length, width, height = random.uniform(4.0, 4.9), random.uniform(1.75, 1.95), random.uniform(1.42, 1.75)
            waist = 0.58 * height
            boxes = [
                ((0, 0, waist / 2), (length, width, waist), colour, BODY),
                (
                    (-0.05 * length, 0, (waist + height) / 2),
                    (0.55 * length, 0.88 * width, height - waist),
                    colour,
                    CABIN,
                ),
            ]
        rcs = 18.0 if category == "vehicle.truck" else 10.0
        self.add(s, d, (length, width, height), boxes, category, attribute, speed, rcs, against)

    def pedestrian(self, s, d, speed):
        random = self.generator
        height, width = random.uniform(1.55, 1.9), random.uniform(0.45, 0.6)
        boxes = [
            ((0, 0, 0.24 * height), (0.24, 0.3, 0.48 * height), (0.16, 0.17, 0.22), PLAIN),
            ((0, 0, 0.66 * height), (0.28, width, 0.36 * height), random.uniform(0.15, 0.85, 3), PLAIN),
            ((0, 0, 0.92 * height), (0.22, 0.2, 0.16 * height), (0.72, 0.53, 0.43), PLAIN),
        ]
        attribute = "pedestrian.moving" if speed else "pedestrian.standing"
        self.add(s, d, (0.28, width, height), boxes, "human.pedestrian.adult", attribute, speed, rcs=-2.0)


_PAINT = (
    (0.85, 0.85, 0.86),
    (0.1, 0.1, 0.11),
    (0.5, 0.52, 0.55),
    (0.6, 0.1, 0.1),
    (0.12, 0.2, 0.45),
    (0.75, 0.7, 0.55),
)
_WALLS = ((0.62, 0.36, 0.28), (0.74, 0.68, 0.55), (0.55, 0.55, 0.57), (0.8, 0.77, 0.72), (0.45, 0.3, 0.25))


def build_world(seed, corner=None):
    """Return the World of a seed (an int or a sequence of ints).

    corner: (x, y) of the south-west corner of the road's extent in global coordinates [m]; drawn from the seed
    between 300 and 500 m when it is None.
    """
    random = np.random.default_rng(seed)
    length = _START + 10.5 * MAX_DURATION + 250.0
    curvature = random.choice([-1, 1]) / random.uniform(350.0, 1000.0)
    road = Road(0.0, 0.0, random.uniform(-np.pi, np.pi), curvature, length)
    drawn = random.uniform(300.0, 500.0, 2)
    x, y, _ = road.pose(np.linspace(0, length, 200), 0.0)
    west, south = drawn if corner is None else corner
    road = Road(west - x.min(), south - y.min(), road.heading, curvature, length)
    speed = random.uniform(8.0, 10.0)
    builder = _Builder(road, random)

    # Traffic, one speed a lane so that nobody runs into another. The ego vehicle keeps to the right lane.
    ahead = _START + random.uniform(16, 26)
    while ahead < _START + 200:
        kind = "vehicle.truck" if random.random() < 0.25 else "vehicle.car"
        builder.vehicle(ahead, -LANE_WIDTH / 2, kind, "vehicle.moving", speed)
        ahead += random.uniform(25, 60)
    builder.vehicle(_START - random.uniform(15, 30), -LANE_WIDTH / 2, "vehicle.car", "vehicle.moving", speed)
    oncoming, oncoming_speed = _START + random.uniform(20, 35), random.uniform(7.0, 11.0)
    while oncoming < length:
        kind = "vehicle.truck" if random.random() < 0.2 else "vehicle.car"
        builder.vehicle(oncoming, LANE_WIDTH / 2, kind, "vehicle.moving", -oncoming_speed)
        oncoming += random.uniform(25, 60)

    for side in (-1, 1):
        s = random.uniform(0, 6)
        while s < length:  # parked cars, facing the way of their side
            if random.random() < 0.7:
                builder.vehicle(s, side * 4.75, "vehicle.car", "vehicle.parked", against=side > 0)
            s += random.uniform(6.0, 9.0)
        s = random.uniform(0, 20)
        while s < length:
            walking = random.choice([-1, 0, 1], p=[0.4, 0.2, 0.4]) * random.uniform(1.0, 1.6)
            builder.pedestrian(s, side * random.uniform(6.8, 8.8), walking)
            s += random.uniform(8, 25)
        for s in np.arange(random.uniform(0, 25), length, 25.0):
            pole = ((0, 0, 3.0), (0.18, 0.18, 6.0), (0.3, 0.31, 0.33), PLAIN)
            builder.add(s, side * 6.2, (0.18, 0.18, 6.0), [pole], rcs=3.0)
        s = 0.0
        while s < length:
            front, depth, height = random.uniform(9, 22), random.uniform(9, 14), 3.2 * random.integers(2, 7) + 0.8
            wall = np.array(_WALLS[random.integers(len(_WALLS))]) * random.uniform(0.85, 1.1)
            if random.random() < 0.9:  # else a gap
                # The chord of a curved road cuts into it: move back by its sagitta.
                d = side * (FACADE + depth / 2 + front**2 * abs(curvature) / 8)
                box = ((0, 0, height / 2), (front, depth, height), wall.clip(0, 1), FACADE_TEXTURE)
                builder.add(s + front / 2, d, (front, depth, height), [box], rcs=8.0)
            s += front + random.uniform(0.0, 1.5)

    category, attribute, *numbers = zip(*builder.actors, strict=True)
    owner, *shapes, texture = zip(*builder.boxes, strict=True)
    elevation, azimuth = random.uniform(0.6, 1.1), random.uniform(-np.pi, np.pi)
    sun = (np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation))
    tensors = [torch.as_tensor(np.array(column), dtype=torch.float64) for column in numbers]
    return World(
        road,
        Actors(category, attribute, *tensors),
        Boxes(
            torch.tensor(owner),
            *(torch.as_tensor(np.array(column), dtype=torch.float64) for column in shapes),
            torch.tensor(texture),
        ),
        torch.tensor(sun, dtype=torch.float64),
        float(speed),
        float(random.uniform(0, 2 * np.pi)),
    )
