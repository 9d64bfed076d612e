# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A data set of one's own: a class of two methods, and a data module of one.

    export PYTHONPATH=examples
    lircdepth train fit -c training/synthetic_small/student.yaml --data own_data.FolderData --data.folder FOLDER

The folder holds image-0000.png, radar-0000.npy and lidar-0000.npy, and so on.
"""

from pathlib import Path

import numpy as np
import torch

from lircdepth_core.pictures import decode_picture
from lircdepth_core.training.data_modules import DepthData


class FolderFrames:
    """Frames of one camera. size: (height, width) pixels. focal_length: pixels. description: says what they are."""

    size = (96, 160)
    focal_length = 120.0
    description = "frames of a folder"

    def __init__(self, folder):
        self.images = sorted(Path(folder).glob("image-*.png"))

    def __len__(self):
        """Return the number of frames."""
        return len(self.images)

    def frame(self, index):
        """Return {"image", "radar", "dense", "single"}, see lircdepth_core.data.frame."""
        path = self.images[index]
        radar, lidar = (
            np.load(path.with_name(path.stem.replace("image", name) + ".npy")) for name in ("radar", "lidar")
        )
        single = torch.from_numpy(lidar.astype(np.float32))[None]  # metres, 0 = unknown
        return {
            "image": torch.from_numpy(decode_picture(path.read_bytes(), path).copy()).permute(2, 0, 1),
            "radar": torch.from_numpy(radar.astype(np.float32)),  # [4, H, W]: depth, RCS, vx, vy; 0 = no return
            "dense": torch.zeros_like(single),  # accumulated lidar, where there is some
            "single": single,
        }


class FolderData(DepthData):
    """Trains on a folder and validates on the same one: give two folders in earnest."""

    def __init__(self, folder: str, batch_size: int = 2, crop: tuple[int, int] = (64, 96)):
        super().__init__(
            batch_size, val_batch_size=1, crop=crop, flip=0.5, colour=0.5, drop_scan=0.0, drop_points=0.0, seed=None,
            val_limit=None, repeat=None,
        )  # fmt: skip
        self.folder = folder

    def setup(self, stage=None):
        """Open the frames."""
        self.train_frames = FolderFrames(self.folder)
        self.val_sets = {"folder": FolderFrames(self.folder)}
