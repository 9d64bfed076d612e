"""Camera, lidar and radar, ray-cast from one World at each sensor's own time.

Sensor models hold nominal nuScenes numbers. Mountings are 4x4 transforms ego_from_sensor as nested tuples. Random
noise comes from the numpy Generator that the caller gives, so that each scan can be made on its own, in any order.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.radar import PCD_DTYPE
from lircdepth_core.synthetic.raycast import Hits, cast
from lircdepth_core.synthetic.shading import albedo, shade

_TILE = 32  # pixels: side of a bundle of camera rays


def _mounting(translation, rotation_wxyz):
    return tuple(map(tuple, geometry.rigid_transform(translation, rotation_wxyz).tolist()))


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera: size and intrinsics in pixels. Optical frame: z forward, x right, y down."""

    channel: str = "CAM_FRONT"
    width: int = 1600
    height: int = 900
    fx: float = 1266.4
    fy: float = 1266.4
    cx: float = 816.3
    cy: float = 491.5
    ego_from_sensor: tuple = _mounting((1.70, 0.016, 1.51), (0.5, -0.5, 0.5, -0.5))

    @property
    def intrinsics(self):
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width, height):
        """Return the camera that takes the same picture in another number of pixels (pixel centres at integers)."""
        right, down = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * right,
            fy=self.fy * down,
            cx=(self.cx + 0.5) * right - 0.5,
            cy=(self.cy + 0.5) * down - 0.5,
        )


@dataclass(frozen=True)
class LidarModel:
    """A spinning lidar. Elevations in degrees, ring 0 first; range noise is one standard deviation in metres."""

    channel: str = "LIDAR_TOP"
    elevations: tuple = tuple(np.linspace(-30.67, 10.67, 32).round(3).tolist())
    azimuths: int = 1080
    range_noise: float = 0.02
    max_range: float = 100.0
    ego_from_sensor: tuple = _mounting((0.94, 0.0, 1.84), (np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)))


@dataclass(frozen=True)
class RadarModel:
    """A front radar like the ARS 408: noise is one standard deviation in metres, degrees, m/s.

    reach: (azimuth in degrees, range in metres) pairs of the field of view's edge, interpolated between.
    """

    channel: str = "RADAR_FRONT"
    max_returns: int = 125
    reach: tuple = ((0.0, 250.0), (9.0, 250.0), (12.0, 110.0), (45.0, 80.0), (60.0, 60.0))
    range_noise: float = 0.15
    azimuth_noise: float = 0.4
    speed_noise: float = 0.07
    clutter: float = 8.0  # returns a scan, on average
    ego_from_sensor: tuple = _mounting((3.41, 0.0, 0.5), (1.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True)
class CameraFrame:
    """image: uint8 [H, W, 3] RGB. depth: float32 [H, W], metres along the optical axis at the pixel's centre, exact,
    +inf for the sky. actor: int64 [H, W], index into World.actors, -1 for ground and sky."""

    image: np.ndarray
    depth: np.ndarray
    actor: np.ndarray


def camera_frame(world, camera, time, device="cpu"):
    """Return what a camera sees at a time [s] as a CameraFrame.

    One ray through each pixel's centre gives depth and colour; pixels where the surface changes get four rays more.
    """
    pose = world.ego_pose(time) @ np.array(camera.ego_from_sensor)
    origin = pose[:3, 3]
    scene = world.snapshot(time, origin, device)
    columns, rows = -(-camera.width // _TILE), -(-camera.height // _TILE)
    v, u = torch.meshgrid(
        torch.arange(rows * _TILE, dtype=torch.float64, device=device),
        torch.arange(columns * _TILE, dtype=torch.float64, device=device),
        indexing="ij",
    )

    def tiled(image):
        return image.reshape(rows, _TILE, columns, _TILE).transpose(1, 2).reshape(rows * columns, -1)

    def untiled(values):
        values = values.reshape(rows, columns, _TILE, _TILE, *values.shape[2:]).transpose(1, 2)
        return values.reshape(rows * _TILE, columns * _TILE, *values.shape[4:])[: camera.height, : camera.width]

    u, v = tiled(u), tiled(v)
    colour, hits = _look(world, camera, scene, pose, origin, u, v)
    depth, primitive, colour = untiled(hits.distance), untiled(hits.primitive), untiled(colour)

    edge = _edges(primitive, untiled(hits.normal))
    v, u = torch.nonzero(edge, as_tuple=True)
    if len(u):
        quarter = torch.tensor([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], device=device).double()
        # Tile by tile, so that the rays of a bundle stay close together; the last bundle repeats its last pixel.
        order = torch.argsort((v // _TILE) * columns + u // _TILE, stable=True)
        bundle = _TILE * _TILE // 16
        order = torch.cat([order, order[-1:].expand(-len(order) % bundle)])
        around = torch.stack([u[order], v[order]], dim=1)[:, None] + quarter
        samples, _ = _look(world, camera, scene, pose, origin, *around.reshape(-1, 4 * bundle, 2).unbind(2))
        colour[v[order], u[order]] = samples.reshape(-1, 4, 3).mean(1)

    actor = torch.where(primitive >= 0, world.boxes.owner.to(device)[primitive.clamp(min=0)], -1)
    image = (colour * 255 + 0.5).to(torch.uint8)
    return CameraFrame(image.cpu().numpy(), depth.cpu().numpy(), actor.cpu().numpy())


def _look(world, camera, scene, pose, origin, u, v):
    """Return colour [T, R, 3] and Hits of the rays through pixel positions u, v [T, R]; distance is depth."""
    optical = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)], dim=2)
    directions = optical @ torch.as_tensor(pose[:3, :3].T.copy(), device=u.device)
    hits = cast(scene, directions)
    # The footprint: a pixel's width at that depth, stretched by the angle of incidence. Half of it, since patterns are
    # stretched in one direction only and would blur in the other.
    flat = Hits(*(values.flatten(0, 1) for values in vars(hits).values()))
    rays = directions.flatten(0, 1)
    slant = (torch.nn.functional.normalize(rays.float(), dim=1) * flat.normal).sum(1).abs().clamp(min=0.02)
    footprint = torch.where(torch.isinf(flat.distance), 0, flat.distance / camera.fx / slant.sqrt())
    return shade(world, scene, rays, flat, origin, footprint).reshape(*u.shape, 3), hits


def _edges(primitive, normal):
    """Return bool [H, W]: pixels whose right, left, upper or lower neighbour shows another surface."""
    edge = torch.zeros(primitive.shape, dtype=torch.bool, device=primitive.device)
    for axis in (0, 1):
        n = primitive.shape[axis] - 1
        first, second = primitive.narrow(axis, 0, n), primitive.narrow(axis, 1, n)
        turned = (normal.narrow(axis, 0, n) - normal.narrow(axis, 1, n)).abs().amax(2) > 0.01
        differs = (first != second) | turned
        edge.narrow(axis, 0, n).logical_or_(differs)
        edge.narrow(axis, 1, n).logical_or_(differs)
    return edge


def lidar_scan(world, lidar, time, generator, device="cpu"):
    """Return one turn of the lidar, taken at one instant: float32 [N, 5] x, y, z [m], intensity 0..255, ring.

    Sensor frame (x right, y forward, z up). Rays that meet nothing within max_range give no point.
    """
    pose = world.ego_pose(time) @ np.array(lidar.ego_from_sensor)
    azimuth = torch.arange(lidar.azimuths, dtype=torch.float64, device=device) * (2 * torch.pi / lidar.azimuths)
    elevation = torch.deg2rad(torch.tensor(lidar.elevations, dtype=torch.float64, device=device))
    rays = _directions(azimuth[:, None], elevation[None, :])
    hits, flat = _cast_columns(world, pose, time, rays)
    ring = torch.arange(len(elevation), device=device).repeat(lidar.azimuths)
    seen = torch.nonzero(hits.distance <= lidar.max_range)[:, 0]
    hits = Hits(*(values[seen] for values in vars(hits).values()))
    direction, distance = flat[seen].cpu().numpy(), hits.distance.cpu().numpy().astype(np.float64)
    distance = distance + generator.normal(0, lidar.range_noise, len(distance))
    scene = world.snapshot(time, pose[:3, 3], device)
    colour = albedo(world, scene, hits, pose[:3, 3], hits.distance * 0.003).mean(1)
    incidence = (hits.normal.double() @ torch.as_tensor(pose[:3, :3].copy(), device=device) * flat[seen]).sum(1).abs()
    intensity = (110 * colour.double() * incidence).cpu().numpy()
    intensity = np.clip(np.rint(intensity * generator.uniform(0.7, 1.3, len(intensity))), 0, 255)
    points = np.column_stack([direction * distance[:, None], intensity, ring[seen].cpu().numpy()])
    return points.astype(np.float32)


def _directions(azimuth, elevation):
    """Return unit vectors [..., 3], x forward at azimuth 0, counter-clockwise."""
    flat = torch.cos(elevation)
    x, y, z = torch.broadcast_tensors(torch.cos(azimuth) * flat, torch.sin(azimuth) * flat, torch.sin(elevation))
    return torch.stack([x, y, z], dim=-1)


def _cast_columns(world, pose, time, rays):
    """Cast rays [azimuths, elevations, 3] of the sensor's frame; return flat Hits and flat rays, azimuth by azimuth."""
    columns, per_column, _ = rays.shape
    together = 8  # neighbouring azimuths in one bundle
    wrapped = torch.arange(-(-columns // together) * together, device=rays.device).clamp(max=columns - 1)
    turn = torch.as_tensor(pose[:3, :3].T.copy(), device=rays.device)
    bundles = (rays[wrapped] @ turn).reshape(-1, together * per_column, 3)
    hits = cast(world.snapshot(time, pose[:3, 3], rays.device), bundles)
    flat = Hits(*(values.flatten(0, 1)[: columns * per_column] for values in vars(hits).values()))
    return flat, rays.flatten(0, 1)


def radar_scan(world, radar, time, generator, device="cpu"):
    """Return one radar scan as nuScenes stores it: structured array [N] of dtype radar.PCD_DTYPE, nearest first.

    Reflections are the strongest hit of each cell of range and azimuth on each object, if it is strong enough. As
    measured in nuScenes' files, vx_comp and vy_comp are the target's own motion along the line of sight, and vx, vy are
    that plus the apparent motion of a fixed point (from the sensor's velocity and turn rate): along the line of sight
    the relative speed, and for a fixed target minus the ego velocity whatever its azimuth. z is 0.
    """
    pose = world.ego_pose(time) @ np.array(radar.ego_from_sensor)
    edges, ranges = np.array(radar.reach).T
    azimuth = torch.deg2rad(torch.arange(-edges[-1], edges[-1] + 0.25, 0.5, dtype=torch.float64, device=device))
    elevation = torch.deg2rad(torch.tensor([-3.0, -1.0, 1.0, 3.5, 7.0], dtype=torch.float64, device=device))
    hits, rays = _cast_columns(world, pose, time, _directions(azimuth[:, None], elevation[None, :]))
    on_box = hits.primitive >= 0
    actor = world.boxes.owner[hits.primitive[on_box].cpu()].numpy()
    point = rays[on_box].cpu().numpy() * hits.distance[on_box].cpu().numpy().astype(np.float64)[:, None]
    normal = hits.normal[on_box].cpu().numpy() @ pose[:3, :3]
    distance = np.linalg.norm(point[:, :2], axis=1)
    bearing = np.arctan2(point[:, 1], point[:, 0])

    # Mean cross section by aspect, fluctuating from scan to scan (Swerling), against what the range leaves of it.
    aspect = np.abs((normal * point).sum(1)) / np.linalg.norm(point, axis=1)
    rcs = world.actors.rcs.numpy()[actor] - 12 + 14 * aspect**2 + generator.normal(0, 4.0, len(actor))
    detected = (rcs - 40 * np.log10(distance / 80) > -12) & (
        distance < np.interp(np.degrees(np.abs(bearing)), edges, ranges)
    )
    strongest = np.flatnonzero(detected)[np.argsort(-rcs[detected], kind="stable")]
    # Resolution: about 1.6 degrees in the far field's narrow beam, 4.5 (ahead) to 9 (aside) in the near field.
    sine = np.sin(bearing)
    azimuth_cell = np.where(np.abs(sine) < np.sin(np.radians(9)), sine // 0.028, 100 + sine // 0.08)
    cells = np.column_stack([actor, distance // 1.8, azimuth_cell])[strongest].astype(np.int64)
    kept = strongest[np.unique(cells, axis=0, return_index=True)[1]]
    kept = generator.permutation(kept)  # which are reported when there are more than the sensor has room for

    # Clutter: weak fixed returns of the road and of what the scene does not model.
    clutter = min(generator.poisson(radar.clutter), radar.max_returns)
    kept = kept[: radar.max_returns - clutter]
    cluttered_bearing = np.radians(generator.uniform(-edges[-1], edges[-1], clutter))
    limit = np.interp(np.degrees(np.abs(cluttered_bearing)), edges, ranges)
    distance = np.concatenate([distance[kept], generator.uniform(3.0, limit)])
    bearing = np.concatenate([bearing[kept], cluttered_bearing])
    rcs = np.concatenate([rcs[kept], generator.uniform(-5, 2, clutter)])

    own, heading = _target_motion(world, time, pose, actor[kept], point[kept])
    own = np.concatenate([own, np.zeros(clutter)])
    crossing = np.concatenate([np.abs(np.sin(heading - bearing[: len(kept)])) > 0.9, np.zeros(clutter, dtype=bool)])
    own = own + generator.normal(0, radar.speed_noise, len(own))
    distance = distance + generator.normal(0, radar.range_noise, len(distance))
    bearing = bearing + np.radians(generator.normal(0, radar.azimuth_noise, len(bearing)))
    sight = np.column_stack([np.cos(bearing), np.sin(bearing)])
    position = np.rint(sight * distance[:, None] / 0.2) * 0.2  # the sensor's resolutions: 0.2 m, 0.25 m/s, 0.5 dB
    moving = np.abs(own) > 0.5
    relative = own[:, None] * sight + _apparent_motion(world, time, pose, position)
    across = generator.normal(0, 1.2, len(own)) * moving  # a mover's tangential speed is the sensor's guess
    relative += across[:, None] * sight[:, ::-1] * (-1, 1)

    returns = np.zeros(len(own), dtype=PCD_DTYPE)
    returns["x"], returns["y"] = position.T
    returns["rcs"] = np.clip(np.rint(rcs * 2) / 2, -5, 60)
    returns["vx"], returns["vy"] = (np.rint(relative / 0.25) * 0.25).T
    returns["vx_comp"], returns["vy_comp"] = (own[:, None] * sight).T
    candidate = np.where(generator.random(len(own)) < 0.35, 3, 1)  # 1 stationary, 3 stationary candidate
    # 0 moving, 2 oncoming, 6 crossing moving (ARS 408 DynProp)
    returns["dyn_prop"] = np.where(moving, np.where(crossing, 6, np.where(own < 0, 2, 0)), candidate)
    returns["is_quality_valid"] = 1
    returns["ambig_state"] = 3  # unambiguous
    returns["x_rms"], returns["y_rms"], returns["vx_rms"], returns["vy_rms"] = 19, 19, 16, 3
    # 0 valid; 4, 9, 11 valid with a caveat (ARS 408 InvalidState)
    returns["invalid_state"] = generator.choice([0, 4, 9, 11], len(own), p=[0.65, 0.12, 0.09, 0.14])
    returns["pdh0"] = generator.choice([1, 3], len(own), p=[0.65, 0.35])  # false-alarm probability below 25 %, 75 %
    returns = returns[np.argsort(distance, kind="stable")]
    returns["id"] = np.arange(len(returns))
    return returns


def _target_motion(world, time, pose, actor, point):
    """Return the speed over ground along the line of sight [N] (m/s, + recedes) of points [N, 3] of the sensor's frame
    that belong to actors [N], and the direction of motion [N] in the sensor's frame (radians)."""
    position, _, velocity = (values.numpy()[actor] for values in world.actors.at(time))
    arm = geometry.transform_points(pose, point) - position
    rate = world.actors.yaw_rate.numpy()[actor]
    velocity = velocity + np.column_stack([-rate * arm[:, 1], rate * arm[:, 0], np.zeros(len(rate))])
    velocity = velocity @ pose[:3, :3]
    sight = point / np.maximum(np.linalg.norm(point, axis=1, keepdims=True), 1e-9)
    return (velocity * sight).sum(1), np.arctan2(velocity[:, 1], velocity[:, 0])


def _apparent_motion(world, time, pose, point):
    """Return how fixed points [N, 2] of the sensor's frame seem to move [N, 2], m/s."""
    velocity, yaw_rate = world.ego_motion(time)
    lever = pose[:3, 3] - world.ego_pose(time)[:3, 3]
    velocity = velocity + yaw_rate * np.array([-lever[1], lever[0], 0.0])
    return -(velocity @ pose[:3, :3])[:2] - yaw_rate * np.column_stack([-point[:, 1], point[:, 0]])


def visible_share(world, actors, time, origin, device="cpu"):
    """Return which share [A] of each of ``actors`` (indices [A]) is seen from a point ``origin`` [3], all around.

    The share of the surface that faces the point, by solid angle, that nothing but the actor itself hides.
    """
    scene = world.snapshot(time, origin, device)
    owner = world.boxes.owner.to(device)
    grid = (torch.arange(4, dtype=torch.float64, device=device) + 0.5) / 2 - 1
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    a, b, one = a.flatten(), b.flatten(), torch.ones(16, dtype=torch.float64, device=device)
    on_unit_box = torch.cat([torch.stack(face, dim=1).roll(axis, dims=1) for axis in range(3)
                             for face in ((one, a, b), (-one, a, b))])  # [96, 3]  # fmt: skip
    outward = torch.eye(3, dtype=torch.float64, device=device).repeat_interleave(32, 0)
    outward = outward * torch.sign((outward * on_unit_box).sum(1, keepdim=True))
    boxes = torch.nonzero(torch.isin(owner, torch.as_tensor(actors, device=device)))[:, 0]
    if not len(boxes):
        return np.zeros(len(actors))
    cos, sin = torch.cos(scene.yaw[boxes]), torch.sin(scene.yaw[boxes])
    zero = torch.zeros_like(cos)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1], dim=1).reshape(-1, 3, 3)
    half = scene.half[boxes]
    points = scene.centre[boxes][:, None] + (half[:, None] * on_unit_box) @ turn.transpose(1, 2)
    normal = outward @ turn.transpose(1, 2)
    area = (half.prod(1, keepdim=True) / (half @ outward.abs().T)) / 4
    distance = points.norm(dim=2)
    weight = area * (-(points * normal).sum(2) / distance**3).clamp(min=0)
    facing = weight > 0
    points, weight, distance = points[facing], weight[facing], distance[facing]
    own = owner[boxes][:, None].expand_as(facing)[facing]
    # One ray a bundle: the points of a box close by can lie more than 90 degrees apart.
    hits = cast(scene, points[:, None])
    hit, reached = hits.primitive[:, 0], hits.distance[:, 0]
    seen = ((hit >= 0) & (owner[hit.clamp(min=0)] == own)) | ((reached - 1).abs() * distance < 0.02)
    total = torch.zeros(len(world.actors.category), dtype=torch.float64, device=device)
    visible = total.clone().index_add_(0, own, weight * seen)
    total.index_add_(0, own, weight)
    return (visible / total.clamp(min=1e-12)).cpu().numpy()[np.asarray(actors)]
