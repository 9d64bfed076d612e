# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the demo measured: recorded depth against the lidar of key frames, the node's counters, and a picture."""

from __future__ import annotations

import functools
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lircdepth_core import geometry
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.colours import Picture
from lircdepth_core.evaluation.pictures import Panel, montage
from lircdepth_core.evaluation.report import ErrorCollector, Report
from lircdepth_core.evaluation.truth import at_pixels
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.pictures import decode_picture
from lircdepth_ros.bags.reading import open_bag, read_messages
from lircdepth_ros.demo.recording import Replayed
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


def errors(nusc: Any, frames: list[KeyFrameDepth]) -> Report | None:
    """Return the errors of recorded depth against the lidar, or None without any."""
    collector = ErrorCollector()
    for sample, depth in frames:
        pixels, truth = nuscenes.project_channel(nusc, sample, LIDAR, CAMERA)
        draw = functools.partial(_error_view, nusc, sample, depth, pixels, truth)
        collector.add("depth", at_pixels(depth, pixels), truth, image=sample["token"], draw=draw)
    return collector.report({"truth": "lidar"}) if frames else None


def metrics(nusc: Any, scene: Record, report: Report | None, replayed: Replayed) -> dict[str, Any]:
    """Return the content of metrics.json. report: of ``errors``."""
    status = replayed.status
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
        "latencies_ms": [round(latency, 2) for latency in replayed.latencies_ms],
        "key_frames_evaluated": report.frames if report else 0,
        "mae": report.mean("mae") if report else float("nan"),
        "abs_rel": report.mean("abs_rel") if report else float("nan"),
        "report": report.as_dict() if report else None,
        "weights": status.get("weights"),
        "caution": status.get("caution", ""),
        "backend": status.get("backend"),
    }


def _error_view(
    nusc: Any, sample: Record, depth: npt.NDArray[np.float32], pixels: npt.NDArray[Any], truth: npt.NDArray[Any]
) -> Picture:
    places, nearest = geometry.nearest_points(pixels, truth, depth.shape[1])
    truth_map = np.zeros(depth.size, np.float32)
    truth_map[places] = truth[nearest]
    radar = nuscenes.project_channel(nusc, sample, RADAR, CAMERA)
    return error_view(depth, truth_map.reshape(depth.shape), _image(nusc, sample), radar)


def _image(nusc: Any, sample: Record) -> npt.NDArray[np.uint8]:
    path = Path(nusc.get_sample_data_path(sample["data"][CAMERA]))
    return decode_picture(path.read_bytes(), path)


def draw(path: Path, nusc: Any, frames: list[KeyFrameDepth], values: dict[str, Any]) -> None:
    """Write the picture of the middle key frame. Raises LircDepthError when no key frame has depth."""
    if not frames:
        raise LircDepthError("no key frame has depth: the network was too slow for the replay; use a lower --rate")
    sample, depth = frames[len(frames) // 2]
    image = _image(nusc, sample)
    radar = nuscenes.project_channel(nusc, sample, RADAR, CAMERA)
    lidar = nuscenes.project_channel(nusc, sample, LIDAR, CAMERA)
    panels = [
        Panel("camera", image),
        Panel(f"radar: {len(radar[1])} returns in view", image, points=radar),
        Panel("depth, as the node published it", depth=depth),
        Panel("ground truth: lidar", np.full_like(image, 255), points=lidar),
    ]
    montage(path, panels, f"lircdepth demo - {values['caution'] or 'weights ' + str(values['weights'])}")
