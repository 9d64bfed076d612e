# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One radar scan: echoes of the street, of detours and of clutter, as the radar reports them."""

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.sensors.radar_returns import Echoes, report
from lircdepth_core.synthetic.sensors.rig import RadarModel
from lircdepth_core.synthetic.sensors.scanning import bearings, cast_columns, directions
from lircdepth_core.synthetic.world.world import World

_AZIMUTH_STEP_DEGREES = 0.5
_ELEVATIONS_DEGREES = (-3.0, -1.0, 1.0, 3.5, 7.0)
_RANGE_CELL_M = 1.8
# Range [m] and relative chance that an echo from there is reported when there are too many.
_REPORTED = ((0, 10, 20, 40, 60, 80, 110, 150, 250), (0.1, 0.15, 0.3, 0.8, 1.2, 1.5, 1.6, 1.0, 0.6))


def radar_scan(
    world: World,
    radar: RadarModel,
    time: float,
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.void]:
    """Return one radar scan as nuScenes stores it: structured array [N] of dtype radar.PCD_DTYPE, nearest first.

    time: seconds. generator: of everything that is random; it is drawn from in the order of the returns, so that one
    return more or fewer changes all that follow.
    Reflections are the strongest hit of each cell of range and azimuth on each object, if it is strong enough. As
    measured in nuScenes' files, vx_comp and vy_comp are the target's own motion along the line of sight, and vx, vy are
    that plus the apparent motion of a fixed point (from the sensor's velocity and turn rate): along the line of sight
    the relative speed, and for a fixed target minus the ego velocity whatever its azimuth. z is 0.
    """
    pose = world.ego_pose(time) @ np.array(radar.ego_from_sensor)
    actor, point, normal = _reflections(world, radar, time, pose, device)
    distance, bearing = np.linalg.norm(point[:, :2], axis=1), bearings(point)

    # Mean cross section by aspect, fluctuating from scan to scan (Swerling), against the loss over the range.
    aspect = np.abs((normal * point).sum(1)) / np.linalg.norm(point, axis=1)
    rcs = world.actors.rcs.numpy()[actor] - 11 + 13 * aspect**2 + generator.normal(0, 5.5, len(actor))
    detected = (rcs - 40 * np.log10(distance / 80) > -13) & (distance < _farthest(radar, bearing))
    kept = _strongest_by_cell(actor, distance, bearing, rcs, detected)
    clutter = min(generator.poisson(radar.clutter), radar.max_returns)
    ghosts = min(generator.poisson(radar.ghosts), radar.max_returns - clutter)
    # The sensor has room for so many; of the near echoes, which are frequent, it reports few.
    room = radar.max_returns - clutter - ghosts
    if len(kept) > room:
        weight = np.interp(distance[kept], *_REPORTED)
        kept = kept[np.argsort(generator.exponential(1.0, len(kept)) / weight)[:room]]
    speed, heading = _target_motion(world, time, pose, actor[kept], point[kept])
    echoes = Echoes(distance[kept], bearing[kept], rcs[kept], speed, heading)
    echoes = echoes.joined(_detours(echoes, radar, ghosts, generator))
    echoes = echoes.joined(_clutter(radar, clutter, generator))
    return report(world, radar, time, pose, generator, echoes)


def _reflections(
    world: World, radar: RadarModel, time: float, pose: npt.NDArray[np.float64], device: torch.device | str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return actor [N], point [N, 3] and surface normal [N, 3] of all rays that meet an actor, azimuth by azimuth.

    Points and normals are in the sensor's frame.
    """
    widest = radar.reach[-1][0]
    step = _AZIMUTH_STEP_DEGREES
    azimuth = torch.deg2rad(torch.arange(-widest, widest + step / 2, step, dtype=torch.float64, device=device))
    elevation = torch.deg2rad(torch.tensor(_ELEVATIONS_DEGREES, dtype=torch.float64, device=device))
    view = world.snapshot(time, pose[:3, 3], device)
    rays = directions(azimuth[:, None], elevation[None, :])
    [hits] = cast_columns([view], [pose], rays)
    met = hits.primitive >= 0
    actor = view.actor(hits.primitive[met]).cpu().numpy()
    point = rays.flatten(0, 1)[met].cpu().numpy() * hits.distance[met].cpu().numpy().astype(np.float64)[:, None]
    return actor, point, hits.normal[met].cpu().numpy().astype(np.float64) @ pose[:3, :3]


def _farthest(radar: RadarModel, bearing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the range [N] of the field of view's edge at bearings [N], metres."""
    edges, ranges = np.array(radar.reach).T
    return np.interp(np.degrees(np.abs(bearing)), edges, ranges)


def _strongest_by_cell(
    actor: npt.NDArray[np.int64],
    distance: npt.NDArray[np.float64],
    bearing: npt.NDArray[np.float64],
    rcs: npt.NDArray[np.float64],
    detected: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Return the indices of the strongest detected echo in each cell of range and azimuth on each actor.

    The resolution in azimuth is about 1.6 degrees in the far field's narrow beam, and 4.5 (ahead) to 9 (aside) in the
    near field. The rays at 9 degrees lie on the border between the two, so that the last bit of their bearing decides:
    see scanning.bearings.
    """
    strongest = np.flatnonzero(detected)[np.argsort(-rcs[detected], kind="stable")]
    sine = np.sin(bearing)
    azimuth_cell = np.where(np.abs(sine) < np.sin(np.radians(9)), sine // 0.028, 100 + sine // 0.08)
    cells = np.column_stack([actor, distance // _RANGE_CELL_M, azimuth_cell])[strongest].astype(np.int64)
    return strongest[np.unique(cells, axis=0, return_index=True)[1]]


def _detours(echoes: Echoes, radar: RadarModel, count: int, generator: np.random.Generator) -> Echoes:
    """Return echoes by a detour: strong ones again, later and weaker, in the same direction and with the same speed."""
    rcs = echoes.rcs
    strong = np.flatnonzero(rcs > np.median(rcs)) if len(rcs) else np.zeros(0, dtype=np.int64)
    source = generator.choice(strong, count) if len(strong) else strong
    again = echoes[source]
    later = again.distance * generator.uniform(1.3, 2.2, len(source))
    return Echoes(
        np.minimum(later, _farthest(radar, again.bearing) - 1),
        again.bearing + np.radians(generator.normal(0, 1.0, len(source))),
        again.rcs - generator.uniform(4, 12, len(source)),
        again.speed,
        again.heading,
    )


def _clutter(radar: RadarModel, count: int, generator: np.random.Generator) -> Echoes:
    """Return fixed echoes of the road's surface and of what the scene does not model."""
    widest = radar.reach[-1][0]
    bearing = np.radians(np.clip(generator.normal(0, 24.0, count), -widest, widest))
    distance = np.minimum(generator.gamma(3.6, 15.5, count) + 2, _farthest(radar, bearing))
    return Echoes(distance, bearing, generator.gamma(1.9, 4.6, count) - 5, np.zeros(count), bearing)


def _target_motion(
    world: World,
    time: float,
    pose: npt.NDArray[np.float64],
    actor: npt.NDArray[np.int64],
    point: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return speed over ground along the line of sight [N] and direction of motion [N] of points on actors [N].

    point: [N, 3] in the sensor's frame. The speed is in m/s, positive when receding, the direction in radians in the
    sensor's frame.
    """
    position, _, velocity = (values.numpy()[actor] for values in world.actors.at(time))
    arm = geometry.transform_points(pose, point) - position
    rate = world.actors.yaw_rate.numpy()[actor]
    velocity = velocity + np.column_stack([-rate * arm[:, 1], rate * arm[:, 0], np.zeros(len(rate))])
    velocity = velocity @ pose[:3, :3]
    sight = point / np.maximum(np.linalg.norm(point, axis=1, keepdims=True), 1e-9)
    return (velocity * sight).sum(1), bearings(velocity)
