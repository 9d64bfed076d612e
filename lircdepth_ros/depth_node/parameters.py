# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The depth node's parameters: the one list that declares them; config/depth.yaml and the README document it."""

import math
from dataclasses import dataclass

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from lircdepth_core.errors import LircDepthError


@dataclass(frozen=True)
class Spec:
    """One parameter. A live one may be changed while the node works; the others are read when it is configured."""

    name: str
    default: object
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False


def _live(*arguments, **options):
    return Spec(*arguments, **options, live=True)


SPECS = (
    Spec(
        "image_topic",
        "/CAM_FRONT/image_rect",
        "Rectified camera image; with compressed transport '/compressed' is appended.",
    ),
    Spec("image_transport", "compressed", "How images come: CompressedImage or Image.", choices=("compressed", "raw")),
    Spec("camera_info_topic", "/CAM_FRONT/camera_info", "CameraInfo of the rectified image."),
    Spec("radar_topics", ["/RADAR_FRONT/points"], "PointCloud2 of each radar."),
    Spec(
        "radar_fields",
        "x y z rcs vx vy",
        "PointCloud2 fields: position [m], radar cross section [dBsm], velocity relative to the sensor [m/s].",
    ),
    Spec("odometry_topic", "/odom", "Odometry, read for ego motion when transforms come from a calibration file."),
    Spec("depth_topic", "/CAM_FRONT/depth", "Output: '/image', '/camera_info', '/color' and '/points' are appended."),
    Spec("overlay_topic", "/CAM_FRONT/radar_overlay", "Output: the image with the radar returns drawn in."),
    Spec(
        "weights",
        "street",
        "Weights file (.safetensors), or 'street' (shipped), 'random' or 'tiny' (untrained: depth means nothing).",
    ),
    Spec("device", "auto", "auto (a GPU where there is one), cpu, cuda or cuda:N."),
    Spec("threads", 0, "CPU threads of the network; 0 leaves PyTorch's choice.", 0, 256),
    Spec("backend", "auto", "What runs the network: auto, plain, eager, compiled, onnxruntime or openvino."),
    Spec(
        "precision",
        "float32",
        "What the network computes in: float32, bfloat16, float16 or int8, as the backend has it.",
    ),
    Spec("inference_scale", 1.0, "Scale of the network's input, on top of the focal length's.", 0.05, 4.0),
    _live(
        "upsampling",
        "nearest",
        "How depth of a smaller network input comes to the image's size.",
        choices=("nearest", "edge_aware"),
    ),
    _live("max_range", 100.0, "Depth beyond this [m] is published as +Inf (REP 117).", 1.0, 100000.0),
    _live(
        "depth_encoding",
        "32FC1",
        "32FC1: metres. 16UC1: millimetres, 0 = none (REP 118).",
        choices=("32FC1", "16UC1"),
    ),
    _live("points_stride", 4, "The point cloud has every n-th pixel of each n-th row.", 1, 64),
    _live("sync_window", 0.10, "A radar scan counts within this of the image [s].", 0.0, 10.0),
    _live("max_wait", 0.06, "Longest wait for a radar scan or transform after an image [s].", 0.0, 10.0),
    _live("accumulate_sweeps", 0, "Earlier scans of each radar that are used beside the matched one.", 0, 20),
    _live("velocity_compensation", False, "Move returns of moving things on by their own velocity, too."),
    Spec(
        "transform_source",
        "auto",
        "auto: tf where tf2 is installed, else calibration_file.",
        choices=("auto", "tf", "calibration"),
    ),
    Spec(
        "calibration_file", "", "calibration.yaml with the sensors' mounting; the converter writes one into each bag."
    ),
    Spec("fixed_frame", "odom", "Frame in which the world stands still, for ego motion."),
    _live("stale_after", 2.0, "Diagnostics: STALE without images, ERROR without depth for this long [s].", 0.1, 3600.0),
    _live("latency_warn", 0.5, "Diagnostics: WARN when the median latency exceeds this [s].", 0.0, 3600.0),
    _live("latency_error", 2.0, "Diagnostics: ERROR when the median latency exceeds this [s].", 0.0, 3600.0),
    _live("camera_only_warn", 0.5, "Diagnostics: WARN when a larger share of depth has no radar.", 0.0, 1.0),
    _live("drop_warn", 0.5, "Diagnostics: WARN when a larger share of images is dropped.", 0.0, 1.0),
    Spec("autostart", True, "Configure and activate at start; false waits for lifecycle commands."),
)


def declare(node):
    """Declare every parameter on a node, with its type, description and range."""
    for spec in SPECS:
        description = spec.description + (f" One of: {', '.join(spec.choices)}." if spec.choices else "")
        description += "" if spec.live else " Read when the node is configured."
        descriptor = ParameterDescriptor(description=description)
        if spec.minimum is not None:
            if isinstance(spec.default, int):
                descriptor.integer_range = [IntegerRange(from_value=spec.minimum, to_value=spec.maximum, step=1)]
            else:
                descriptor.floating_point_range = [FloatingPointRange(from_value=spec.minimum, to_value=spec.maximum)]
        node.declare_parameter(spec.name, spec.default, descriptor)


def read(node):
    """Return {name: value} of every parameter. Raises LircDepthError for a value that cannot be worked with."""
    settings = {spec.name: node.get_parameter(spec.name).value for spec in SPECS}
    if len(settings["radar_fields"].split()) != 6:
        raise LircDepthError(
            f"radar_fields is '{settings['radar_fields']}', expected six names, for x y z rcs vx vy in this order"
        )
    if not settings["radar_topics"] or len(set(settings["radar_topics"])) < len(settings["radar_topics"]):
        raise LircDepthError(f"radar_topics is {list(settings['radar_topics'])}, expected one or more different topics")
    return settings


def refuse(parameter, configured):
    """Return why a change is refused, or None. Types and ranges are refused by rclpy itself.

    configured: whether the node has read its parameters, so that only live ones can still change.
    """
    spec = _BY_NAME.get(parameter.name)
    if spec is None:
        return None
    if spec.choices and parameter.value not in spec.choices:
        return f"{spec.name} is '{parameter.value}', expected one of {', '.join(spec.choices)}"
    if isinstance(parameter.value, float) and not math.isfinite(parameter.value):
        return f"{spec.name} is {parameter.value}, expected a finite number"
    if configured and not spec.live:
        return f"{spec.name} is read when the node is configured: clean up the node first"
    return None


_BY_NAME = {spec.name: spec for spec in SPECS}
