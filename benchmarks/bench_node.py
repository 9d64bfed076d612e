"""The depth node's own time at full size: what its callbacks cost, and the latency that its stages add.

    python benchmarks/bench_node.py [--model tiny|lircdepth] [--seconds 20]

Prints one row for compressed and one for raw images (1600x900 at 12 Hz, radar, odometry), from the node's diagnostics.
Callbacks should stay below 2 ms (p99): they only check and hand over; decoding is in the worker.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test")]
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))

import rclpy  # noqa: E402  first: with wheels this starts Python once more

from lircdepth_ros.dds import profile_environment  # noqa: E402

COLUMNS = (
    "image_callback_ms",
    "radar_callback_ms",
    "decode_ms",
    "preprocess_ms",
    "network_ms",
    "publish_ms",
    "total_ms",
)


def measure(transport, model, seconds):
    """Run a node for a while; return its diagnostics."""
    import array
    import io

    import numpy as np
    from PIL import Image as Picture
    from rig import BASE_FROM_CAMERA, BASE_FROM_RADAR, RETURNS, Rig, command, header
    from sensor_msgs.msg import CompressedImage, Image

    from lircdepth_core.calibration import Calibration

    small = np.random.default_rng(0).integers(0, 256, (225, 400, 3), dtype=np.uint8)
    picture = Picture.fromarray(small).resize((1600, 900))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    jpeg, raw = array.array("B", buffer.getvalue()), array.array("B", picture.tobytes())
    intrinsics = np.array([[1266.0, 0, 800], [0, 1266.0, 450], [0, 0, 1.0]])
    node = rclpy.create_node("bench")
    rig = Rig(node)
    with tempfile.TemporaryDirectory() as folder:
        calibration = Path(folder) / "calibration.yaml"
        Calibration({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR}).save(calibration)
        process = subprocess.Popen(
            command(calibration, model=model, image_transport=transport, threads=2), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        publisher = rig.raw_image if transport == "raw" else rig.image
        rig.wait(publisher.get_subscription_count, "depth node", timeout=120)
        begin = time.monotonic()
        for frame in range(int(12 * seconds)):
            stamp = time.time_ns()
            rig.send_info(stamp, 1600, 900, intrinsics)
            rig.send_pose(stamp, 10.0 * frame / 12)
            rig.send_scan(stamp, np.repeat(RETURNS, 62, axis=0))
            if transport == "raw":
                image = Image(height=900, width=1600, encoding="rgb8", step=4800, data=raw)
            else:
                image = CompressedImage(format="jpeg", data=jpeg)
            image.header = header(stamp, "CAM_FRONT")
            publisher.publish(image)
            rig.spin(max(0.001, begin + (frame + 1) / 12 - time.monotonic()))
        rig.spin(2.0)
        process.terminate()
        process.wait()
    node.destroy_node()
    return rig.status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    os.environ.update(profile_environment())
    rclpy.init()
    print(
        f"{'p50 / p99 [ms]':16}"
        + "".join(f"{name.removesuffix('_ms'):>19}" for name in COLUMNS)
        + f"{'in/out/dropped':>18}"
    )
    for transport in ("compressed", "raw"):
        status = measure(transport, arguments.model, arguments.seconds)
        cells = [f"{status.get(f'{name}_p50', '-')} / {status.get(f'{name}_p99', '-')}" for name in COLUMNS]
        counts = "/".join(status.get(name, "-") for name in ("frames_in", "frames_out", "dropped"))
        print(f"{transport:16}" + "".join(f"{cell:>19}" for cell in cells) + f"{counts:>18}", flush=True)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
