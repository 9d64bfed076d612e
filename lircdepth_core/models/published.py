# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The published checkpoints, which are pickles, read without executing code."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.models.checkpoints import Header, load_state

_STATE_NAMES = ("model", "state_dict", "model_state_dict", "model_state", "network", "net", "weights", "params", "ema")
_KEY_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.", "student.")
_NESTED, _KEYS_SHOWN = 3, 6
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
        raise LircDepthError(
            f"{path}: not a checkpoint that can be read without executing code: {_reason(error)}"
        ) from error
    state = _state_of(checkpoint, path)
    name = "lircdepth"
    if any(key.startswith(_ONLY_IN_TEACHER) for key in state):
        name = "cafnet"
        state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in _UNUSED_CLASSIFIERS}
    network = models.build(name)
    load_state(network, state, path)
    return network.eval(), Header(model=name, trained_on=f"nuScenes (published checkpoint {path.name})")


def _reason(error: Exception) -> str:
    """Return why a pickle was not read, in one line: the name of the class or function in the way, where there is one.

    PyTorch's own text has many lines, escape codes, and the advice to read the file all the same.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    found = re.search(r"GLOBAL ([\w.]+)", text) or re.search(r"class ([\w.]+)", text)
    if found and "." in found.group(1):
        return f"it holds {found.group(1)}; save the state dict alone"
    return (text or type(error).__name__).splitlines()[0]


def _state_of(checkpoint: Any, path: Path) -> dict[str, Tensor]:
    """Return the state dict in a checkpoint: bare, or under one of the names that people use.

    Prefixes that every key has (of DataParallel, torch.compile, Lightning modules) are taken away. Raises
    LircDepthError where there is none.
    """
    found = checkpoint
    for _ in range(_NESTED):
        if not isinstance(found, dict) or _is_state(found):
            break
        found = next((found[name] for name in _STATE_NAMES if isinstance(found.get(name), dict)), None)
    if not isinstance(found, dict) or not _is_state(found):
        inside = f"a {type(checkpoint).__name__}"
        if isinstance(checkpoint, dict):
            inside = ", ".join(map(str, list(checkpoint)[:_KEYS_SHOWN])) or "nothing"
        raise LircDepthError(
            f"{path}: no state dict inside, but {inside}; expected one, or one under {', '.join(_STATE_NAMES)}"
        )
    state = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    while prefix := next((p for p in _KEY_PREFIXES if all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _is_state(value: dict[Any, Any]) -> bool:
    """Return whether a dictionary is a state dict: texts to tensors."""
    return bool(value) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def _numpy_reconstruction() -> list[Any]:
    """Return the globals with which NumPy 1 and 2 pickle an array, under both names that they wrote."""
    reconstruct = np.zeros(1).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("int32", "int64", "float32", "float64")]
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    return [*names, np.ndarray, np.dtype, *kinds]
