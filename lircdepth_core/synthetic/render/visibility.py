# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How much of an actor can be seen from a point."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from lircdepth_core.synthetic.render.raycast import cast
from lircdepth_core.synthetic.world.world import World


def visible_share(
    world: World,
    actors: Sequence[int] | npt.NDArray[np.int64],
    time: float,
    origin: npt.NDArray[np.float64],
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float64]:
    """Return which share [A] of each of ``actors`` (indices [A]) is seen from a point ``origin`` [3] (global, metres).

    Rays go to points spread through each actor's parts. A ray that meets the actor counts as seen, one that meets
    something else first as hidden.
    """
    actors = np.asarray(actors, dtype=np.int64)
    if not len(actors):
        return np.zeros(0)
    view = world.snapshot(time, origin, device, every=True)
    owner = view.parts.owner
    wanted = torch.full((len(world.actors.category),), -1, dtype=torch.int64)
    wanted[torch.as_tensor(actors)] = torch.arange(len(actors))
    part = torch.nonzero(wanted.to(device)[owner] >= 0)[:, 0]
    grid = torch.tensor([-0.85, -0.3, 0.3, 0.85], dtype=torch.float64, device=device)
    inside = torch.cartesian_prod(grid, grid, grid)
    targets = view.scene.centre[part][:, None] + inside @ view.scene.axes[part].transpose(1, 2)
    rays = torch.nn.functional.normalize(targets, dim=2)
    hits = cast(view.scene, rays).flat()  # one bundle a part
    met = hits.primitive
    actor = wanted.to(device)[owner[part]].repeat_interleave(len(inside))
    own = (met >= 0) & (wanted.to(device)[owner[met.clamp(min=0)]] == actor)
    # Rays are weighted by the part's solid angle; those that miss it, since its corners are round, do not count.
    reach = targets.norm(dim=2).flatten()
    passes = ~own & (hits.distance > reach)
    size = view.scene.half[part]
    area = (size[:, 0] * size[:, 1] + size[:, 1] * size[:, 2] + size[:, 0] * size[:, 2]).repeat_interleave(len(inside))
    weight = area / reach**2 * ~passes
    total = torch.zeros(len(actors), dtype=torch.float64, device=device).index_add_(0, actor, weight)
    seen = torch.zeros_like(total).index_add_(0, actor, weight * own)
    return (seen / total.clamp(min=1e-12)).cpu().numpy()
