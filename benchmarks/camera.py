# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A car's camera, radar and odometry for the benchmarks that run the depth node: 1600x900, real time stamps."""

import array
import io
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from sensor_msgs.msg import CompressedImage, Image

from lircdepth_core.geometry.calibration import Calibration
from rig import BASE_FROM_CAMERA, BASE_FROM_RADAR, RETURNS, command, header

WIDTH, HEIGHT = 1600, 900
INTRINSICS = np.array([[1266.0, 0, 800], [0, 1266.0, 450], [0, 0, 1.0]])


def cpu_seconds(pid):
    """CPU time, user's and kernel's, of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Camera:
    """Sends a picture as JPEG, or raw, with what belongs to it. rig: test/support/rig.py's."""

    def __init__(self, rig, transport="compressed"):
        self._rig, self._transport, self._sent = rig, transport, 0
        small = np.random.default_rng(0).integers(0, 256, (225, 400, 3), dtype=np.uint8)
        picture = Picture.fromarray(small).resize((WIDTH, HEIGHT))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG")
        self._jpeg, self._raw = array.array("B", buffer.getvalue()), array.array("B", picture.tobytes())
        self.publisher = rig.raw_image if transport == "raw" else rig.image

    def command(self, folder, **settings):
        """Return the command that starts a node with the calibration file that is written into ``folder``."""
        calibration = Path(folder) / "calibration.yaml"
        Calibration({"CAM_FRONT": BASE_FROM_CAMERA, "RADAR_FRONT": BASE_FROM_RADAR}).save(calibration)
        return command(calibration, image_transport=self._transport, **settings)

    def send(self):
        """Send one frame, stamped with the time at hand."""
        stamp = time.time_ns()
        self._rig.send_info(stamp, WIDTH, HEIGHT, INTRINSICS)
        self._rig.send_pose(stamp, 10.0 * self._sent / 12)
        self._rig.send_scan(stamp, np.repeat(RETURNS, 62, axis=0))
        if self._transport == "raw":
            image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH, data=self._raw)
        else:
            image = CompressedImage(format="jpeg", data=self._jpeg)
        image.header = header(stamp, "CAM_FRONT")
        self.publisher.publish(image)
        self._sent += 1
