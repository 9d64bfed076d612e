# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The teacher's output kept on disk: it depends on nothing but its input, and training sees some inputs again."""

import hashlib
import logging
from pathlib import Path

import torch

from lircdepth_core.files import written_whole
from lircdepth_core.inference.cache import state_sha256
from lircdepth_core.models.interface import TeacherOutput

_LOG = logging.getLogger(__name__)


class TeacherCache:
    """One safetensors file for each sample, named after the teacher's weights, the sample's content and the precision.

    folder: made where it is missing. network: the teacher. About 190 bytes a pixel in bfloat16. A file that is
    not complete is made anew. Samples repeat only where the data are told to draw a limited number of augmentations.
    """

    def __init__(self, folder, network):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._weights = state_sha256(network)

    def __call__(self, run, batch):
        """Return the TeacherOutput of a batch; ``run(batch)`` is asked for those samples that are not kept.

        batch: {"image": [N, 3, H, W], "radar": [N, 4, H, W]}.
        """
        device = batch["image"].device
        paths = [self._path(image, radar) for image, radar in zip(batch["image"], batch["radar"], strict=True)]
        kept = [self._read(path, device) for path in paths]
        missing = [index for index, output in enumerate(kept) if output is None]
        if missing:
            output = run({name: batch[name][missing] for name in ("image", "radar")})
            for row, index in enumerate(missing):
                kept[index] = _named(output, row)
                self._write(paths[index], kept[index])
        return _output({name: torch.stack([tensors[name] for tensors in kept]) for name in kept[0]})

    def _path(self, image, radar):
        device = image.device.type
        precision = str(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else str(image.dtype)
        digest = hashlib.sha256(f"{self._weights} {precision} {tuple(image.shape)}".encode())
        for tensor in (image, radar):
            digest.update(tensor.cpu().contiguous().numpy().data)
        return self._folder / f"{digest.hexdigest()}.safetensors"

    def _read(self, path, device):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path, device=str(device))
        except FileNotFoundError:
            return None
        except SafetensorError as error:
            _LOG.warning("%s: not complete (%s), made anew", path, error)
            return None

    def _write(self, path, tensors):
        from safetensors.torch import save_file

        with written_whole(path) as partial:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)


def _named(output, row):
    """The tensors of one sample by name; those of a list are numbered."""
    tensors = {}
    for field, value in output._asdict().items():
        if isinstance(value, list):
            tensors |= {f"{field}.{index}": tensor[row] for index, tensor in enumerate(value)}
        else:
            tensors[field] = value[row]
    return tensors


def _output(tensors):
    values = {field: [] for field in TeacherOutput._fields}
    for name in sorted(tensors):  # fewer than ten in a list
        field, _, number = name.partition(".")
        values[field] = values[field] + [tensors[name]] if number else tensors[name]
    return TeacherOutput(**values)
