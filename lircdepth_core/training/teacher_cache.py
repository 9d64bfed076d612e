# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's output kept on disk: it depends on nothing but its input, and training sees some inputs again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lircdepth_core.files import written_whole
from lircdepth_core.inference.cache import state_sha256
from lircdepth_core.models.common.interface import TeacherOutput

_LOG = logging.getLogger(__name__)

Batch = dict[str, Tensor]


class TeacherCache:
    """One safetensors file for each sample, named after the teacher's weights, the sample's content and the precision.

    folder: made where it is missing. network: the teacher. About 190 bytes a pixel in bfloat16. A file that is
    not complete is made anew. Samples repeat only where the data are told to draw a limited number of augmentations.
    """

    def __init__(self, folder: str | Path, network: nn.Module) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._weights = state_sha256(network)

    def __call__(self, run: Callable[[Batch], TeacherOutput], batch: Batch) -> TeacherOutput:
        """Return the TeacherOutput of a batch; ``run(batch)`` is asked for those samples that are not kept.

        batch: {"image": [N, 3, H, W], "radar": [N, 4, H, W]}.
        """
        device = batch["image"].device
        paths = [self._path(image, radar) for image, radar in zip(batch["image"], batch["radar"], strict=True)]
        kept = {index: tensors for index, path in enumerate(paths) if (tensors := self._read(path, device)) is not None}
        missing = [index for index in range(len(paths)) if index not in kept]
        if missing:
            output = run({name: batch[name][missing] for name in ("image", "radar")})
            for row, index in enumerate(missing):
                kept[index] = _named(output, row)
                self._write(paths[index], kept[index])
        return _output({name: torch.stack([kept[index][name] for index in range(len(paths))]) for name in kept[0]})

    def _path(self, image: Tensor, radar: Tensor) -> Path:
        device = image.device.type
        precision = str(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else str(image.dtype)
        digest = hashlib.sha256(f"{self._weights} {precision} {tuple(image.shape)}".encode())
        for tensor in (image, radar):
            digest.update(tensor.cpu().contiguous().numpy().data)
        return self._folder / f"{digest.hexdigest()}.safetensors"

    def _read(self, path: Path, device: torch.device) -> Batch | None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path, device=str(device))
        except FileNotFoundError:
            return None
        except SafetensorError as error:
            _LOG.warning("%s: not complete (%s), made anew", path, error)
            return None

    def _write(self, path: Path, tensors: Batch) -> None:
        from safetensors.torch import save_file

        with written_whole(path) as partial:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)


def _named(output: TeacherOutput, row: int) -> Batch:
    """Return the tensors of one sample by name; those of a list are numbered."""
    tensors: Batch = {}
    for field, value in output._asdict().items():
        if isinstance(value, list):
            tensors |= {f"{field}.{index}": tensor[row] for index, tensor in enumerate(value)}
        else:
            tensors[field] = value[row]
    return tensors


def _output(tensors: Batch) -> TeacherOutput:
    values: dict[str, Any] = {field: [] for field in TeacherOutput._fields}
    for name in sorted(tensors):  # fewer than ten in a list
        field, _, number = name.partition(".")
        values[field] = values[field] + [tensors[name]] if number else tensors[name]
    return TeacherOutput(**values)
