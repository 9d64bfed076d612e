# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages of nuScenes' CAN bus expansion."""

import json
from pathlib import Path

from lircdepth_core.data.nuscenes.tables import Record
from lircdepth_core.errors import LircDepthError


def can_messages(dataroot: str | Path, scene: Record, kind: str) -> list[Record]:
    """Return a scene's messages of one kind ("ms_imu", "pose") from the CAN bus expansion, in time order.

    They are the expansion's own dictionaries; ``utime`` is in microseconds. The list is empty where there is no such
    file: the expansion is optional, and some scenes have none. Raises LircDepthError when the file is damaged.
    """
    path = Path(dataroot, "can_bus", f"{scene['name']}_{kind}.json")
    if not path.is_file():
        return []
    try:
        return sorted(json.loads(path.read_bytes()), key=lambda message: message["utime"])
    except (ValueError, TypeError, KeyError) as error:
        raise LircDepthError(f"{path} is corrupt: {error!r}") from error
