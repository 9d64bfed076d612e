"""`lircdepth nuscenes-to-bag`: one nuScenes scene as a rosbag2 bag (MCAP). Needs no ROS installation.

A message's log time is its header stamp: the sensor's time, to the microsecond. At equal times transforms and odometry
come first, then camera_info and image, radar, lidar.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from lircdepth_core import radar
from lircdepth_core.calibration import BASE_FRAME, Calibration
from lircdepth_core.data import nuscenes
from lircdepth_core.errors import LircDepthError
from lircdepth_ros import bag_messages

_LIDAR_FILE = np.dtype([(name, "<f4") for name in ("x", "y", "z", "intensity", "ring")])
# ROS lidar drivers give the ring as a 16-bit integer, and readers rely on it.
_LIDAR_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("ring", "<u2")])
_ORDER = {"pose": 0, "camera": 1, "radar": 2, "lidar": 3}  # at equal times
_NANOSECONDS = 1000  # per nuScenes' microsecond


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("--dataroot", required=True, help="nuScenes folder (holds samples/, sweeps/ and the tables)")
    parser.add_argument("--version", default="v1.0-mini", help="which tables (default: %(default)s)")
    parser.add_argument("--scene", required=True, help="scene name, such as scene-0061")
    parser.add_argument("-o", "--output", required=True, metavar="BAG", help="bag directory to create")
    parser.add_argument(
        "--skip-missing", action="store_true", help="leave out missing or damaged sensor files instead of stopping"
    )


def run(arguments):
    """Convert, and print one line about the result. Raises LircDepthError."""
    if Path(arguments.output).exists():  # before the tables are read, which takes a minute for the full set
        raise LircDepthError(f"{arguments.output} exists already and is not overwritten")
    nusc = nuscenes.open_nuscenes(arguments.dataroot, arguments.version)
    scene = nuscenes.find_scene(nusc, arguments.scene)
    counts, skipped, seconds = convert(nusc, scene, arguments.output, arguments.skip_missing)
    for reason in skipped[:5]:
        print(f"skipped: {reason}", file=sys.stderr)
    if len(skipped) > 5:
        print(f"skipped: ... and {len(skipped) - 5} more", file=sys.stderr)
    size = sum(path.stat().st_size for path in Path(arguments.output).iterdir())
    print(
        f"{arguments.output}: {counts.total()} messages on {len(counts)} topics, {size} bytes, {seconds:.3f} s,"
        f" {len(skipped)} sensor files skipped"
    )


def convert(nusc, scene, output, skip_missing=False):
    """Write one scene of an open NuScenes as the bag directory ``output``, with calibration.yaml in it.

    Returns ({topic: messages}, [why a sensor file was left out], duration in seconds). Raises LircDepthError when a
    sensor file is missing or damaged (unless ``skip_missing``), or when ``output`` exists.
    """
    from tqdm import tqdm

    typestore = bag_messages.typestore()
    channels = nuscenes.scene_channels(nusc, scene)
    records = [record for channel in channels for record in nuscenes.channel_records(nusc, scene, channel)]
    skipped = {
        record["token"]: f"{path} is missing"
        for record in records
        if not (path := Path(nusc.dataroot, record["filename"])).is_file()
    }
    if skipped and not skip_missing:
        more = f", and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        raise LircDepthError(f"{next(iter(skipped.values()))}{more} (--skip-missing leaves them out)")
    if len(skipped) == len(records):
        raise LircDepthError(f"{nusc.dataroot} has none of the {len(records)} sensor files of {scene['name']}")

    calibration = _calibration(nusc, scene, records)
    events = [(record["timestamp"], record["sensor_modality"], record["channel"], record) for record in records]
    events += [(stamp, "pose", "", messages) for stamp, messages in _pose_messages(nusc, records)]
    events.sort(key=lambda event: (event[0], _ORDER[event[1]], event[2]))
    start, end = events[0][0], events[-1][0]

    counts = Counter()
    with bag_messages.new_bag(output) as writer:
        for key, value in (("dataset", f"nuScenes {nusc.version}"), ("scene", scene["name"])):
            writer.set_custom_data(key, value)
        connections = {
            topic: writer.add_connection(topic, msgtype, typestore=typestore, offered_qos_profiles=[qos])
            for topic, msgtype, qos in _topics(channels)
        }

        def write(stamp, messages):
            for topic, message in messages:
                writer.write(connections[topic], stamp * _NANOSECONDS, bag_messages.serialize(message))
                counts[topic] += 1

        write(start, [("/tf_static", _static_transforms(calibration, start * _NANOSECONDS))])
        for stamp, modality, _, payload in tqdm(events, desc=scene["name"], unit=" messages", disable=None):
            if modality == "pose":
                write(stamp, payload)
            elif payload["token"] not in skipped:
                try:
                    messages = _sensor_messages(nusc, payload)
                except LircDepthError as error:
                    if not skip_missing:
                        raise
                    skipped[payload["token"]] = str(error)
                else:
                    write(stamp, messages)
        calibration.save(writer.path / "calibration.yaml")
    return counts, list(skipped.values()), (end - start) / 1e6


def _topics(channels):
    """Yield (topic, message type, QoS to record) in the order in which the bag lists them.

    Reliable everywhere: at best effort an image is lost with the first of its many fragments. Fast DDS notices a loss
    at its heartbeat, every 3 s, and resends what the queue still holds: queues are longer than that.
    """
    sensor_qos = bag_messages.offered_qos(80)  # 4 s of the lidar's 20 Hz
    pose_qos = bag_messages.offered_qos(800)  # every sensor's time has a pose: some 200 Hz
    yield "/tf_static", "tf2_msgs/msg/TFMessage", bag_messages.offered_qos(1, transient_local=True)
    yield "/tf", "tf2_msgs/msg/TFMessage", pose_qos
    yield "/odom", "nav_msgs/msg/Odometry", pose_qos
    for channel, modality in channels.items():
        if modality == "camera":
            yield f"/{channel}/camera_info", "sensor_msgs/msg/CameraInfo", sensor_qos
            yield f"/{channel}/image_rect/compressed", "sensor_msgs/msg/CompressedImage", sensor_qos
        else:
            yield f"/{channel}/points", "sensor_msgs/msg/PointCloud2", sensor_qos


def _calibration(nusc, scene, records):
    """Return the scene's Calibration: a bag has one /tf_static, so every sensor must have stayed where it was."""
    base_from_sensor = {}
    for channel, token in sorted({(record["channel"], record["calibrated_sensor_token"]) for record in records}):
        transform = nuscenes.base_from_sensor(nusc.get("calibrated_sensor", token))
        if not np.array_equal(transform, base_from_sensor.setdefault(channel, transform)):
            raise LircDepthError(f"{scene['name']} has two different calibrations of {channel}; a bag can hold one")
    return Calibration(base_from_sensor)


def _static_transforms(calibration, stamp):
    frames = [("map", "odom", np.eye(4))]
    frames += [(BASE_FRAME, frame, calibration.base_from_sensor[frame]) for frame in calibration.base_from_sensor]
    return bag_messages.tf_message(bag_messages.transform_stamped(stamp, *frame) for frame in frames)


def _pose_messages(nusc, records):
    """Yield (microseconds, [/tf and /odom messages]) at every ego pose; odom is nuScenes' global frame."""
    poses = [nusc.get("ego_pose", token) for token in {record["ego_pose_token"] for record in records}]
    # Sensors that fired in the same microsecond have a pose each; one message a stamp is what tf allows.
    poses = {pose["timestamp"]: pose for pose in sorted(poses, key=lambda pose: (pose["timestamp"], pose["token"]))}
    transforms = [nuscenes.global_from_base(pose) for pose in poses.values()]
    # Seconds from the first pose: float64 seconds since 1970 would round to a quarter of a microsecond.
    seconds = (np.array(list(poses)) - min(poses)) / 1e6
    for microseconds, transform, linear, angular in zip(
        poses, transforms, *nuscenes.body_twists(seconds, transforms), strict=True
    ):
        stamp = microseconds * _NANOSECONDS
        tf = bag_messages.tf_message([bag_messages.transform_stamped(stamp, "odom", BASE_FRAME, transform)])
        odometry = bag_messages.odometry(stamp, "odom", BASE_FRAME, transform, linear, angular)
        yield microseconds, [("/tf", tf), ("/odom", odometry)]


def _sensor_messages(nusc, record):
    """Return [(topic, message)] of one sensor file. Raises LircDepthError, naming it, when it is damaged."""
    path = Path(nusc.dataroot, record["filename"])
    data = path.read_bytes()
    channel, stamp = record["channel"], record["timestamp"] * _NANOSECONDS
    if record["sensor_modality"] == "camera":
        intrinsics = nusc.get("calibrated_sensor", record["calibrated_sensor_token"])["camera_intrinsic"]
        info = bag_messages.camera_info(stamp, channel, intrinsics, record["width"], record["height"])
        image = bag_messages.compressed_image(stamp, channel, data, _image_format(data, path))
        return [(f"/{channel}/camera_info", info), (f"/{channel}/image_rect/compressed", image)]
    points = radar.decode_pcd(data, path) if record["sensor_modality"] == "radar" else _lidar_points(data, path)
    return [(f"/{channel}/points", bag_messages.point_cloud(stamp, channel, points))]


def _image_format(data, path):
    if data.startswith(b"\xff\xd8") and data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82"):
        return "png"
    raise LircDepthError(f"{path}: truncated, or neither JPEG nor PNG")


def _lidar_points(data, path):
    if not data or len(data) % _LIDAR_FILE.itemsize:
        raise LircDepthError(f"{path}: truncated: {len(data)} bytes, expected a multiple of {_LIDAR_FILE.itemsize}")
    scan = np.frombuffer(data, _LIDAR_FILE)
    with np.errstate(invalid="ignore"):
        points = scan.astype(_LIDAR_POINT)
    if not np.array_equal(points["ring"], scan["ring"]):
        raise LircDepthError(f"{path}: a ring number is not a whole number from 0 to 65535")
    return points
