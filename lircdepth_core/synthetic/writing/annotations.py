# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which actors of a scene are annotated in which samples, and the rows that say so."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core import geometry
from lircdepth_core.synthetic.render.visibility import visible_share
from lircdepth_core.synthetic.sensors.rig import CameraModel, LidarModel, SensorModel
from lircdepth_core.synthetic.world.world import World
from lircdepth_core.synthetic.writing.schedule import Capture
from lircdepth_core.synthetic.writing.schema import VISIBILITIES, Row, Tables, links, token

_ANNOTATED_RANGE_M = 100.0
_LARGEST_ACTOR_M = 20.0
_LEVELS = (0.4, 0.6, 0.8)  # shares that divide the levels of visibility


def points_in_actors(world: World, model: SensorModel, points: npt.ArrayLike, time: float) -> npt.NDArray[np.int64]:
    """Return how many points [N, 3] of a sensor's frame lie in each actor's box at a time [s]; scenery counts 0.

    Radar points have no height (their z is 0): only their place on the ground counts.
    """
    actors = world.actors
    sensor = world.ego_pose(time) @ np.array(model.ego_from_sensor)
    places = geometry.transform_points(sensor, points)
    position, yaw, _ = (values.numpy() for values in actors.at(time))
    size = actors.size.numpy()
    inside = np.zeros(len(yaw), dtype=np.int64)
    near_enough = np.linalg.norm(position - sensor[:3, 3], axis=1) < _ANNOTATED_RANGE_M + _LARGEST_ACTOR_M
    for actor in np.flatnonzero((np.array(actors.category) != "") & near_enough):
        offset = places - position[actor]
        length, width, height = size[actor]
        near = offset[np.abs(offset[:, :2]).max(1) < np.hypot(length, width)]
        c, s = np.cos(yaw[actor]), np.sin(yaw[actor])
        within = (np.abs(near[:, 0] * c + near[:, 1] * s) <= length / 2) & (
            np.abs(near[:, 1] * c - near[:, 0] * s) <= width / 2
        )
        if isinstance(model, LidarModel):
            within &= (near[:, 2] >= 0) & (near[:, 2] <= height)
        inside[actor] = within.sum()
    return inside


def annotation_tables(
    world: World,
    camera: CameraModel,
    samples: Sequence[Capture],
    sample_tokens: Sequence[str],
    lidar_points: npt.NDArray[np.int64],
    radar_points: npt.NDArray[np.int64],
    own_token: Callable[..., str],
    device: torch.device | str = "cpu",
) -> Tables:
    """Return the tables instance and sample_annotation.

    An actor is annotated from the first to the last sample in which it is in range and a point lies on it. camera: the
    one whose place decides the visibility. lidar_points, radar_points: how many points lie on each actor in each
    sample, [S, A]. own_token: gives the scene's own token of a key.
    """
    states = [[values.numpy() for values in world.actors.at(capture.time)] for capture in samples]
    distance = np.array(
        [
            np.linalg.norm(position - world.ego_pose(capture.time)[:3, 3], axis=1)
            for (position, _, _), capture in zip(states, samples, strict=True)
        ]
    )
    measured = (lidar_points + radar_points > 0) & (distance < _ANNOTATED_RANGE_M)
    spans = {int(a): np.flatnonzero(measured[:, a]) for a in np.flatnonzero(measured.any(0))}
    visibility = []
    for index, capture in enumerate(samples):
        present = [a for a, seen in spans.items() if seen[0] <= index <= seen[-1]]
        eye = (world.ego_pose(capture.time) @ np.array(camera.ego_from_sensor))[:3, 3]
        share = visible_share(world, present, capture.time, eye, device)
        visibility.append(dict(zip(present, share, strict=True)))
    tables: Tables = {"instance": [], "sample_annotation": []}
    for actor, seen in spans.items():
        indices = range(seen[0], seen[-1] + 1)
        tokens = [own_token("annotation", actor, index) for index in indices]
        instance_token = own_token("instance", actor)
        tables["instance"].append(_instance(instance_token, world.actors.category[actor], tokens))
        for step, index in enumerate(indices):
            position, yaw, _ = states[index]
            level = int(np.searchsorted(_LEVELS, visibility[index][actor], side="right"))
            tables["sample_annotation"].append(
                {
                    "token": tokens[step],
                    "sample_token": sample_tokens[index],
                    "instance_token": instance_token,
                    "visibility_token": VISIBILITIES[level][0],
                    **_box(world, actor, position[actor], yaw[actor]),
                    **links(tokens, step),
                    "num_lidar_pts": int(lidar_points[index, actor]),
                    "num_radar_pts": int(radar_points[index, actor]),
                }
            )
    return tables


def _instance(instance_token: str, category: str, annotation_tokens: Sequence[str]) -> Row:
    return {
        "token": instance_token,
        "category_token": token("category", category),
        "nbr_annotations": len(annotation_tokens),
        "first_annotation_token": annotation_tokens[0],
        "last_annotation_token": annotation_tokens[-1],
    }


def _box(world: World, actor: int, position: npt.NDArray[np.float64], yaw: float) -> Row:
    """Return the columns of an annotation that say what the actor does and where it is."""
    length, width, height = world.actors.size[actor].tolist()
    attribute = world.actors.attribute[actor]
    return {
        "attribute_tokens": [token("attribute", attribute)] if attribute else [],
        "translation": (position + (0, 0, height / 2)).tolist(),
        "size": [width, length, height],
        "rotation": [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))],
    }
