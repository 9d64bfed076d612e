"""One radar scan, with the 18 fields that nuScenes stores."""

import numpy as np
import torch

from lircdepth_core import geometry
from lircdepth_core.radar import PCD_DTYPE
from lircdepth_core.synthetic.scanning import cast_columns, directions


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
