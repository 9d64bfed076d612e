# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A backend of one's own, by which the pipeline, the commands and the node run any network.

export PYTHONPATH=examples
lircdepth eval --dataroot DATAROOT --backend own_backend.Mirrored -o out/eval
"""

import torch

from lircdepth_core.inference.backends.backend import Backend
from lircdepth_core.inference.backends.pytorch import PyTorchBackend

LATERAL_VELOCITY = 3  # channel of the radar, which are depth, RCS, velocity ahead and to the left


class Mirrored(Backend):
    """The mean of the depth of an image and that of its mirror image, at twice the time."""

    def __init__(self, network, device, precision):
        super().__init__(device)
        self._once = PyTorchBackend(network, device, precision)

    def infer(self, image, radar):
        """Return depth float32 [N, 1, H, W] in metres on the device, see Backend.infer."""
        mirrored = radar.flip(-1)
        mirrored[:, LATERAL_VELOCITY] *= -1
        other = self._once.infer(image.flip(-1), mirrored).flip(-1)
        return torch.lerp(self._once.infer(image, radar), other, 0.5)

    def release(self):
        """Free the network."""
        self._once.release()

    def describe(self):
        """Return one line for logs and diagnostics."""
        return f"{self._once.describe()}, twice"
