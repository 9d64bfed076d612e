# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Named frames and the transforms between them over time, as tf2 keeps them; without ROS.

Each frame has one parent. A link is static, or it moves: then its poses are interpolated, and extrapolated a little
(geometry.trajectory). Stamps are integer nanoseconds; transforms are 4x4 float64, in metres, named right to left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lircdepth_core.errors import LircDepthError
from lircdepth_core.geometry.trajectory import Trajectory
from lircdepth_core.geometry.transforms import Float64Array, sensor_to_sensor


def frame_name(name: str) -> str:
    """Return a frame's name without the leading slash that tf had and tf2 refuses."""
    return name.lstrip("/")


@dataclass
class _Link:
    """From a frame to its parent: a static transform, or one that moves."""

    parent: str
    static: Float64Array | None = None
    poses: Trajectory = field(default_factory=Trajectory)

    def at(self, stamp: int) -> Float64Array | None:
        return self.static if self.static is not None else self.poses.pose_at(stamp)

    def covers(self, stamp: int) -> bool:
        return self.static is not None or self.poses.covers(stamp)


class FrameTree:
    """Takes ``parent <- child`` transforms, and answers what is between two sensors at two times."""

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}

    def __contains__(self, frame: str) -> bool:
        frame = frame_name(frame)
        return frame in self._links or any(link.parent == frame for link in self._links.values())

    @property
    def frames(self) -> list[str]:
        """All frames, sorted."""
        return sorted({*self._links, *(link.parent for link in self._links.values())})

    @property
    def moves(self) -> bool:
        """Whether any link moves."""
        return any(link.static is None for link in self._links.values())

    def add_static(self, parent: str, child: str, transform: Float64Array) -> None:
        """Take a transform that holds at all times; it replaces what was known of the child."""
        self._links[frame_name(child)] = _Link(frame_name(parent), transform)

    def add(self, parent: str, child: str, stamp: int, transform: Float64Array) -> None:
        """Take a transform at a stamp. A child that gets another parent, or was static, starts anew."""
        parent, child = frame_name(parent), frame_name(child)
        link = self._links.get(child)
        if link is None or link.static is not None or link.parent != parent:
            link = self._links[child] = _Link(parent)
        link.poses.add(stamp, transform)

    def forget_after(self, stamp: int) -> None:
        """Forget transforms that are later than ``stamp``: time went back to before them."""
        for link in self._links.values():
            link.poses.forget_after(stamp)

    def ancestors(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on up to the root."""
        chain = [frame_name(frame)]
        while (link := self._links.get(chain[-1])) is not None and link.parent not in chain:  # a circle has no end
            chain.append(link.parent)
        return chain

    def fixed_frame(self, one: str, other: str, preferred: str = "odom") -> str | None:
        """Return the frame through which the motion of what carries two sensors is known, or None where none is.

        That is ``preferred`` where a link below it moves, else the root above a link that moves.
        """
        above = self.ancestors(self._common_ancestor(one, other))
        moving = [self._links[name].static is None for name in above[:-1]]
        if not any(moving):
            return None
        preferred = frame_name(preferred)
        return preferred if preferred in above and any(moving[: above.index(preferred)]) else above[-1]

    def covers(self, frame: str, ancestor: str, stamp: int) -> bool:
        """Return whether ``ancestor <- frame`` at a stamp is known without extrapolation."""
        chain, ancestor = self.ancestors(frame), frame_name(ancestor)
        if ancestor not in chain:
            return False
        return all(self._links[name].covers(stamp) for name in chain[: chain.index(ancestor)])

    def lookup(self, ancestor: str, frame: str, stamp: int) -> Float64Array | None:
        """Return ``ancestor <- frame`` at a stamp; None where no chain leads up, or a link is not known at the time."""
        chain, ancestor = self.ancestors(frame), frame_name(ancestor)
        if ancestor not in chain:
            return None
        steps = [self._links[name].at(stamp) for name in chain[: chain.index(ancestor)]]
        transform: Float64Array | None = None
        for step in reversed(steps):
            if step is None:
                return None
            transform = step if transform is None else transform @ step
        return np.eye(4) if transform is None else transform

    def sensor_to_sensor(
        self, target: str, target_stamp: int, source: str, source_stamp: int, fixed: str | None
    ) -> tuple[Float64Array, bool]:
        """Return (target <- source, whether the motion between the stamps is in it), through the frame ``fixed``.

        Without a fixed frame, or where it does not hang together with both sensors at their times, the result is that
        of a vehicle which stands still. Raises LircDepthError where no chain connects the sensors.
        """
        base = self._common_ancestor(target, source)
        base_from_target = self.lookup(base, target, target_stamp)
        base_from_source = self.lookup(base, source, source_stamp)
        if base_from_target is None or base_from_source is None:
            raise LircDepthError(
                f"the transform between {frame_name(target)} and {frame_name(source)} is not known at their times"
            )
        if fixed is None or frame_name(fixed) not in self.ancestors(base):
            return sensor_to_sensor(base_from_target, base_from_source), False
        target_pose, source_pose = self.lookup(fixed, base, target_stamp), self.lookup(fixed, base, source_stamp)
        known = target_pose is not None and source_pose is not None
        return sensor_to_sensor(base_from_target, base_from_source, target_pose, source_pose), known

    def _common_ancestor(self, one: str, other: str) -> str:
        """Return the lowest frame above both. Raises LircDepthError, naming the frames, where there is none."""
        for frame in (one, other):
            if frame not in self:
                known = ", ".join(self.frames) or "none"
                raise LircDepthError(f"no transform leads to frame {frame_name(frame)!r}; known: {known}")
        above = self.ancestors(other)
        common = next((frame for frame in self.ancestors(one) if frame in above), None)
        if common is None:
            raise LircDepthError(
                f"frames {frame_name(one)!r} and {frame_name(other)!r} are in two trees, whose roots are "
                f"{self.ancestors(one)[-1]!r} and {above[-1]!r}"
            )
        return common
