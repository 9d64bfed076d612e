"""The depth node's parameters: the one list that declares them; config/depth.yaml and the README document it."""

from dataclasses import dataclass

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from lircdepth_core.errors import LircDepthError


@dataclass(frozen=True)
class Spec:
    """One parameter: all are read once, when the node is configured."""

    name: str
    default: object
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


SPECS = (
    Spec(
        "image_topic",
        "/CAM_FRONT/image_rect",
        "Rectified camera image; with compressed transport '/compressed' is appended.",
    ),
    Spec("image_transport", "compressed", "How images come: CompressedImage or Image.", choices=("compressed", "raw")),
    Spec("camera_info_topic", "/CAM_FRONT/camera_info", "CameraInfo of the rectified image."),
    Spec("radar_topics", ["/RADAR_FRONT/points"], "PointCloud2 of each radar."),
    Spec("odometry_topic", "/odom", "Odometry, read for ego motion when transforms come from a calibration file."),
    Spec("depth_topic", "/CAM_FRONT/depth", "Output: '/image' and '/camera_info' are appended."),
    Spec(
        "input_reliability",
        "best_effort",
        "QoS of the subscriptions; best_effort matches every publisher.",
        choices=("best_effort", "reliable"),
    ),
    Spec("weights", "random", "Weights file (.safetensors), or 'random': untrained, depth means nothing."),
    Spec(
        "model", "lircdepth", "Network for random weights; a weights file names its own.", choices=("lircdepth", "tiny")
    ),
    Spec("device", "auto", "auto (a GPU where there is one), cpu, cuda or cuda:N."),
    Spec("threads", 0, "CPU threads of the network; 0 leaves PyTorch's choice.", 0, 256),
    Spec("inference_scale", 1.0, "Scale of the network's input, on top of the focal length's.", 0.05, 4.0),
    Spec("max_range", 100.0, "Depth beyond this [m] is published as +Inf (REP 117).", 1.0, 100000.0),
    Spec(
        "depth_encoding", "32FC1", "32FC1: metres. 16UC1: millimetres, 0 = none (REP 118).", choices=("32FC1", "16UC1")
    ),
    Spec("sync_window", 0.10, "A radar scan counts within this of the image [s].", 0.0, 10.0),
    Spec("max_wait", 0.06, "Longest wait for a radar scan or transform after an image [s].", 0.0, 10.0),
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
    Spec(
        "radar_fields",
        "x y z rcs vx vy",
        "PointCloud2 fields: position [m], radar cross section [dBsm], velocity relative to the sensor [m/s].",
    ),
    Spec("autostart", True, "Configure and activate at start; false waits for lifecycle commands."),
)


def declare(node):
    """Declare every parameter on a node, with its type, description and range."""
    for spec in SPECS:
        description = spec.description + (f" One of: {', '.join(spec.choices)}." if spec.choices else "")
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


def invalid_choice(parameter):
    """Return why a parameter's value is refused, or None. Types and ranges are refused by rclpy itself."""
    for spec in SPECS:
        if spec.name == parameter.name and spec.choices and parameter.value not in spec.choices:
            return f"{spec.name} is '{parameter.value}', expected one of {', '.join(spec.choices)}"
    return None
