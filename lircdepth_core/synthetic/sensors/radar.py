# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One radar scan, with the 18 fields that nuScenes stores."""

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.radar import PCD_DTYPE
from lircdepth_core.synthetic.sensors.scanning import bearings, cast_columns, directions


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
    view = world.snapshot(time, pose[:3, 3], device)
    hits, rays = cast_columns(view, pose, directions(azimuth[:, None], elevation[None, :]))
    on_box = hits.primitive >= 0
    actor = view.actor(hits.primitive[on_box]).cpu().numpy()
    point = rays[on_box].cpu().numpy() * hits.distance[on_box].cpu().numpy().astype(np.float64)[:, None]
    normal = hits.normal[on_box].cpu().numpy().astype(np.float64) @ pose[:3, :3]
    distance = np.linalg.norm(point[:, :2], axis=1)
    bearing = bearings(point)

    # Mean cross section by aspect, fluctuating from scan to scan (Swerling), against what the range leaves of it.
    aspect = np.abs((normal * point).sum(1)) / np.linalg.norm(point, axis=1)
    rcs = world.actors.rcs.numpy()[actor] - 11 + 13 * aspect**2 + generator.normal(0, 5.5, len(actor))
    detected = (rcs - 40 * np.log10(distance / 80) > -13) & (
        distance < np.interp(np.degrees(np.abs(bearing)), edges, ranges)
    )
    strongest = np.flatnonzero(detected)[np.argsort(-rcs[detected], kind="stable")]
    # Resolution: about 1.6 degrees in the far field's narrow beam, 4.5 (ahead) to 9 (aside) in the near field.
    sine = np.sin(bearing)
    azimuth_cell = np.where(np.abs(sine) < np.sin(np.radians(9)), sine // 0.028, 100 + sine // 0.08)
    cells = np.column_stack([actor, distance // 1.8, azimuth_cell])[strongest].astype(np.int64)
    kept = strongest[np.unique(cells, axis=0, return_index=True)[1]]
    clutter = min(generator.poisson(radar.clutter), radar.max_returns)
    ghosts = min(generator.poisson(radar.ghosts), radar.max_returns - clutter)
    # Which are reported when there are more than the sensor has room for: near ones crowd, and few of them get through.
    room = radar.max_returns - clutter - ghosts
    if len(kept) > room:
        weight = np.interp(distance[kept], *_REPORTED)
        kept = kept[np.argsort(generator.exponential(1.0, len(kept)) / weight)[:room]]
    own, heading = _target_motion(world, time, pose, actor[kept], point[kept])
    distance, bearing, rcs = distance[kept], bearing[kept], rcs[kept]

    # Multipath: a strong echo again, later and weaker, in the same direction and with the same speed.
    strong = np.flatnonzero(rcs > np.median(rcs)) if len(rcs) else np.zeros(0, dtype=np.int64)
    source = generator.choice(strong, ghosts) if len(strong) else strong
    later = distance[source] * generator.uniform(1.3, 2.2, len(source))
    later = np.minimum(later, np.interp(np.degrees(np.abs(bearing[source])), edges, ranges) - 1)
    distance = np.concatenate([distance, later])
    bearing = np.concatenate([bearing, bearing[source] + np.radians(generator.normal(0, 1.0, len(source)))])
    rcs = np.concatenate([rcs, rcs[source] - generator.uniform(4, 12, len(source))])
    own, heading = np.concatenate([own, own[source]]), np.concatenate([heading, heading[source]])

    # Clutter: fixed returns of the road's surface and of what the scene does not model.
    cluttered = np.radians(np.clip(generator.normal(0, 24.0, clutter), -edges[-1], edges[-1]))
    limit = np.interp(np.degrees(np.abs(cluttered)), edges, ranges)
    distance = np.concatenate([distance, np.minimum(generator.gamma(3.6, 15.5, clutter) + 2, limit)])
    bearing = np.concatenate([bearing, cluttered])
    rcs = np.concatenate([rcs, generator.gamma(1.9, 4.6, clutter) - 5])
    own, heading = np.concatenate([own, np.zeros(clutter)]), np.concatenate([heading, cluttered])
    return _measured(world, radar, time, pose, generator, distance, bearing, rcs, own, heading)


# Range [m] and relative chance that an echo from there is reported when there are too many.
_REPORTED = ((0, 10, 20, 40, 60, 80, 110, 150, 250), (0.1, 0.15, 0.3, 0.8, 1.2, 1.5, 1.6, 1.0, 0.6))


def _measured(world, radar, time, pose, generator, distance, bearing, rcs, own, heading):
    """Return the structured array of echoes [N]: distance [m], bearing [rad], rcs [dBsm], own speed over ground
    along the
    line of sight [m/s], heading of the target [rad]; all but rcs exact.
    """
    n = len(distance)
    crossing = np.abs(np.sin(heading - bearing)) > 0.9
    own = own + generator.normal(0, radar.speed_noise, n)
    distance = distance + generator.normal(0, radar.range_noise, n)
    bearing = bearing + np.radians(generator.normal(0, radar.azimuth_noise, n))
    sight = np.column_stack([np.cos(bearing), np.sin(bearing)])
    position = np.rint(sight * distance[:, None] / 0.2) * 0.2  # the sensor's resolutions: 0.2 m, 0.25 m/s, 0.5 dB
    moving = np.abs(own) > 0.5
    relative = own[:, None] * sight + _apparent_motion(world, time, pose, position)
    across = generator.normal(0, 1.2, n) * moving  # a mover's tangential speed is the sensor's guess
    relative += across[:, None] * sight[:, ::-1] * (-1, 1)

    returns = np.zeros(n, dtype=PCD_DTYPE)
    returns["x"], returns["y"] = position.T
    returns["rcs"] = np.clip(np.rint(rcs * 2) / 2, -5, 60)
    returns["vx"], returns["vy"] = (np.rint(relative / 0.25) * 0.25).T
    returns["vx_comp"], returns["vy_comp"] = (own[:, None] * sight).T
    # ARS 408 DynProp: 0 moving, 1 stationary, 2 oncoming, 3 stationary candidate (the farther, the more), 4 unknown,
    # 5 crossing stationary, 6 crossing moving, 7 stopped.
    candidate = generator.random(n) < np.clip(0.16 + 0.0042 * distance, 0, 0.75)
    fixed = np.where(candidate, 3, 1)
    rare = generator.random(n)
    fixed = np.where(rare < 0.01, np.where(rare < 0.004, 5, 7), fixed)
    returns["dyn_prop"] = np.where(moving, np.where(crossing, 6, np.where(own < 0, 2, 0)), fixed)
    young = generator.random(n) < 0.057  # just detected: class, ambiguity and accuracy are not known yet
    returns["dyn_prop"][young] = 4
    returns["is_quality_valid"] = 1
    returns["ambig_state"] = np.where(young, 0, generator.choice([0, 1, 2, 3], n, p=[0.011, 0.024, 0.006, 0.959]))
    for name, values, chances in (
        ("x_rms", (19, 20, 21, 22), (0.58, 0.285, 0.12, 0.015)),
        ("y_rms", (19, 20, 21, 22, 23), (0.455, 0.285, 0.155, 0.08, 0.025)),
        ("vx_rms", (16, 17, 18, 19), (0.763, 0.18, 0.045, 0.012)),
        ("vy_rms", (3,), (1.0,)),
    ):
        returns[name] = np.where(young, 0, generator.choice(values, n, p=chances))
    # 0 valid; 4, 9, 10, 11, 15 and 16 valid with a caveat; 7 and others not (ARS 408 InvalidState)
    states = [0, 3, 4, 7, 9, 10, 11, 15, 16]
    returns["invalid_state"] = generator.choice(
        states, n, p=[0.52, 0.01, 0.108, 0.056, 0.085, 0.007, 0.124, 0.023, 0.067]
    )
    returns["pdh0"] = generator.choice(
        [1, 3, 6], n, p=[0.6, 0.333, 0.067]
    )  # false-alarm probability below 25, 75, 99.9 %
    returns = returns[np.argsort(distance, kind="stable")]
    returns["id"] = np.arange(n)
    return returns


def _target_motion(world, time, pose, actor, point):
    """Return the speed over ground along the line of sight [N] (m/s, + recedes) of points [N, 3] of the sensor's frame
    that belong to actors [N], and the direction of motion [N] in the sensor's frame (radians).
    """
    position, _, velocity = (values.numpy()[actor] for values in world.actors.at(time))
    arm = geometry.transform_points(pose, point) - position
    rate = world.actors.yaw_rate.numpy()[actor]
    velocity = velocity + np.column_stack([-rate * arm[:, 1], rate * arm[:, 0], np.zeros(len(rate))])
    velocity = velocity @ pose[:3, :3]
    sight = point / np.maximum(np.linalg.norm(point, axis=1, keepdims=True), 1e-9)
    return (velocity * sight).sum(1), bearings(velocity)


def _apparent_motion(world, time, pose, point):
    """Return how fixed points [N, 2] of the sensor's frame seem to move [N, 2], m/s."""
    velocity, yaw_rate = world.ego_motion(time)
    lever = pose[:3, 3] - world.ego_pose(time)[:3, 3]
    velocity = velocity + yaw_rate * np.array([-lever[1], lever[0], 0.0])
    return -(velocity @ pose[:3, :3])[:2] - yaw_rate * np.column_stack([-point[:, 1], point[:, 0]])
