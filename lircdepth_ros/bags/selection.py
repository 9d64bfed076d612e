# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What of a nuScenes scene becomes messages."""

from __future__ import annotations

from dataclasses import dataclass

from lircdepth_core.errors import LircDepthError


@dataclass(frozen=True)
class Selection:
    """What of a scene becomes messages.

    cameras, radars: channel names, None for all. raw: images decoded (bgr8) instead of the original files.
    ground_truth: the lidar's key frames projected into each camera (16UC1, millimetres).
    """

    cameras: tuple[str, ...] | None = None
    radars: tuple[str, ...] | None = None
    lidar: bool = True
    key_frames_only: bool = False
    raw: bool = False
    ground_truth: bool = False

    def channels(self, available: dict[str, str]) -> dict[str, str]:
        """Return {channel: modality} of what is chosen from ``available``. Raises LircDepthError for unknown names."""
        for modality, names in (("camera", self.cameras), ("radar", self.radars)):
            known = [channel for channel in available if available[channel] == modality]
            for name in names or ():
                if name not in known:
                    raise LircDepthError(f"no {modality} {name!r}; there are {', '.join(known) or 'none'}")
        wanted: dict[str, tuple[str, ...] | None]
        wanted = {"camera": self.cameras, "radar": self.radars, "lidar": None if self.lidar else ()}
        return {
            channel: modality
            for channel, modality in available.items()
            if (names := wanted[modality]) is None or channel in names
        }
