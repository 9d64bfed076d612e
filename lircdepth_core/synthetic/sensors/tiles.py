# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The pixels of a camera in tiles, so that the rays of a bundle look to one small part of the picture."""

import torch

from lircdepth_core.synthetic.sensors.rig import CameraModel

TILE_PIXELS = 16  # side of a tile, whose rays form one bundle
_GROUP_TILES = 4  # side of a group of neighbouring bundles
_GROUP_PIXELS = TILE_PIXELS * _GROUP_TILES


class Tiles:
    """The pixels of a camera, tile by tile and the tiles in groups, padded at the right and lower border."""

    def __init__(self, camera: CameraModel, device: torch.device | str) -> None:
        self.camera, self.device = camera, device
        self.columns, self.rows = -(-camera.width // _GROUP_PIXELS), -(-camera.height // _GROUP_PIXELS)

    def positions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the columns u and rows v [T, R] (float64) of all pixels, tile by tile."""
        v, u = torch.meshgrid(
            torch.arange(self.rows * _GROUP_PIXELS, dtype=torch.float64, device=self.device),
            torch.arange(self.columns * _GROUP_PIXELS, dtype=torch.float64, device=self.device),
            indexing="ij",
        )
        return self._tiled(u), self._tiled(v)

    def _tiled(self, image: torch.Tensor) -> torch.Tensor:
        split = image.reshape(self.rows, _GROUP_TILES, TILE_PIXELS, self.columns, _GROUP_TILES, TILE_PIXELS)
        return split.permute(0, 3, 1, 4, 2, 5).reshape(-1, TILE_PIXELS * TILE_PIXELS)

    def image(self, values: torch.Tensor) -> torch.Tensor:
        """Return values [T, R, ...] (or flat [T * R, ...]) as an image [H, W, ...]."""
        tiled = values.dim() > 1 and values.shape[1] == TILE_PIXELS * TILE_PIXELS
        trailing = values.shape[2:] if tiled else values.shape[1:]
        split = values.reshape(self.rows, self.columns, _GROUP_TILES, _GROUP_TILES, TILE_PIXELS, TILE_PIXELS, *trailing)
        whole = split.permute(0, 2, 4, 1, 3, 5, *range(6, split.dim()))
        whole = whole.reshape(self.rows * _GROUP_PIXELS, self.columns * _GROUP_PIXELS, *trailing)
        return whole[: self.camera.height, : self.camera.width].contiguous()

    def number(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Return the number of the tile that each pixel is in, in the order of ``positions``."""
        group = (v // _GROUP_PIXELS) * self.columns + u // _GROUP_PIXELS
        row, column = v % _GROUP_PIXELS // TILE_PIXELS, u % _GROUP_PIXELS // TILE_PIXELS
        return (group * _GROUP_TILES + row) * _GROUP_TILES + column
