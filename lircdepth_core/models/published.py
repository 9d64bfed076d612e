# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The published checkpoints, which are pickles, read without executing code."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.checkpoints import Header, load_state

_KEY_PREFIX = "module."
_ONLY_IN_TEACHER = "decoder_radar."  # keys that begin with it
_UNUSED_CLASSIFIERS = (
    "encoder.base_model.fc",
    "encoder_radar1.base_model_radar.fc",
    "encoder_radar2.base_model_radar.fc",
)


def load_published(path: str | Path) -> tuple[nn.Module, Header]:
    """Return (LiRCDepth or CaFNet in eval mode, Header) from a published .pth checkpoint.

    CaFNet's checkpoint carries the classifiers of its ResNets, which nothing uses: they are left out. The file is a
    pickle. It is read with ``weights_only=True``; beside tensors only NumPy's reconstruction of arrays is allowed,
    since "best" files hold the evaluation steps as an array.
    Raises LircDepthError when the file is missing, is of another kind, or holds other parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise LircDepthError(f"{path}: no such checkpoint")
    try:
        with torch.serialization.safe_globals(_numpy_reconstruction()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a pickle's version: one that cannot be read is an error anyway
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # reading a damaged pickle may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LircDepthError(f"{path}: not a checkpoint that can be read without executing code: {reason}") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("model"), dict):
        raise LircDepthError(f"{path}: no 'model' state dict inside, expected a published checkpoint")
    state = {key.removeprefix(_KEY_PREFIX): value for key, value in checkpoint["model"].items()}
    name = "lircdepth"
    if any(key.startswith(_ONLY_IN_TEACHER) for key in state):
        name = "cafnet"
        state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in _UNUSED_CLASSIFIERS}
    network = models.build(name)
    load_state(network, state, path)
    return network.eval(), Header(model=name, trained_on=f"nuScenes (published checkpoint {path.name})")


def _numpy_reconstruction() -> list[Any]:
    """Return the globals with which NumPy 1 and 2 pickle an array, under both names that they wrote."""
    reconstruct = np.zeros(1).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("int32", "int64", "float32", "float64")]
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    return [*names, np.ndarray, np.dtype, *kinds]
