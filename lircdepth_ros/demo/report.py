# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the demo measured: recorded depth against the lidar of key frames, the node's counters, and a picture."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.pictures import Panel, montage
from lircdepth_core.evaluation.report import ErrorCollector
from lircdepth_core.evaluation.truth import at_pixels
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.messages import definitions
from lircdepth_ros.messages.depth import depth_of

CAMERA, LIDAR, RADAR = "CAM_FRONT", "LIDAR_TOP", "RADAR_FRONT"
_COUNTERS = ("frames_out", "dropped", "frames_waiting", "fused", "camera_only", "without_ego_motion")
_CAUSE = "dropped_"

Record = dict[str, Any]
KeyFrameDepth = tuple[Record, npt.NDArray[np.float32]]  # (sample, depth [H, W] metres)


def key_frame_depths(nusc: Any, scene: Record, depth_bag: str | Path) -> list[KeyFrameDepth]:
    """Return the recorded depth of the scene's key frames, of those that have any."""
    stamps = {}
    for sample in nuscenes.scene_samples(nusc, scene):
        record = nusc.get("sample_data", sample["data"][CAMERA])
        stamps[record["timestamp"] * 1000] = sample
    found = []
    with closing(open_bag(depth_bag)) as reader:
        images = [connection for connection in reader.connections if connection.topic.endswith("/image")]
        for connection, stamp, data in read_messages(reader, images):
            if stamp in stamps:
                message: definitions.Message = definitions.typestore().deserialize_cdr(data, connection.msgtype)
                found.append((stamps[stamp], depth_of(message)))
    return found


def metrics(nusc: Any, scene: Record, frames: list[KeyFrameDepth], status: dict[str, str]) -> dict[str, Any]:
    """Return the content of metrics.json. status: the depth node's last diagnostics."""
    collector = ErrorCollector()
    for sample, depth in frames:
        pixels, truth = nuscenes.project_channel(nusc, sample, LIDAR, CAMERA)
        collector.add("depth", at_pixels(depth, pixels), truth)
    report = collector.report({"truth": "lidar"}) if frames else None
    latency: dict[str, dict[str, float]] = {}
    for name, value in status.items():
        stage, separator, percentile = name.rpartition("_ms_")
        if separator:
            latency.setdefault(stage, {})[percentile] = float(value)
    images, received = len(nuscenes.channel_records(nusc, scene, CAMERA)), int(status.get("frames_in", 0))
    return {
        "frames_in": images,
        "lost_before_the_node": images - received,
        **{name: int(status.get(name, 0)) for name in _COUNTERS},
        "dropped_by_cause": {
            name.removeprefix(_CAUSE): int(value) for name, value in status.items() if name.startswith(_CAUSE)
        },
        "latency_ms": latency,
        "key_frames_evaluated": len(frames),
        "mae": report.mean("mae") if report else float("nan"),
        "abs_rel": report.mean("abs_rel") if report else float("nan"),
        "report": report.as_dict() if report else None,
        "weights": status.get("weights"),
        "caution": status.get("caution", ""),
        "backend": status.get("backend"),
    }


def draw(path: Path, nusc: Any, frames: list[KeyFrameDepth], values: dict[str, Any]) -> None:
    """Write the picture of the middle key frame. Raises LircDepthError when no key frame has depth."""
    from PIL import Image

    if not frames:
        raise LircDepthError("no key frame has depth: the network was too slow for the replay; use a lower --rate")
    sample, depth = frames[len(frames) // 2]
    image = np.asarray(Image.open(nusc.get_sample_data_path(sample["data"][CAMERA])))
    radar = nuscenes.project_channel(nusc, sample, RADAR, CAMERA)
    lidar = nuscenes.project_channel(nusc, sample, LIDAR, CAMERA)
    panels = [
        Panel("camera", image),
        Panel(f"radar: {len(radar[1])} returns in view", image, points=radar),
        Panel("depth, as the node published it", depth=depth),
        Panel("ground truth: lidar", np.full_like(image, 255), points=lidar),
    ]
    montage(path, panels, f"lircdepth demo - {values['caution'] or 'weights ' + str(values['weights'])}")
