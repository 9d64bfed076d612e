# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint of Lightning to a weights file that the pipeline loads."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints


def export(checkpoint: str | Path, output: str | Path, half: bool = True) -> checkpoints.Header:
    """Write a Lightning checkpoint's network (its average where there is one) as a weights file; return the Header.

    half: matrices in float16, which halves the file and changes depth by less than 1e-3 of itself. Raises
    LircDepthError when it is no checkpoint of these modules.
    """
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        values, state = content["weights_header"], content["state_dict"]
    except FileNotFoundError as error:
        raise LircDepthError(f"{checkpoint}: no such checkpoint") from error
    except Exception as error:  # a damaged pickle makes its reader raise whatever its parts raise
        raise LircDepthError(f"{checkpoint}: not a checkpoint of `lircdepth train`: {error!r}") from error
    network = models.build(values["model"], **values.get("config", {}))
    state = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    checkpoints.load_state(network, state, checkpoint)
    values["focal_length_range"] = tuple(values.get("focal_length_range", ()))
    header = checkpoints.Header(**(values | {"input_size": tuple(values["input_size"])}))
    checkpoints.save(output, _halved(network) if half else network, header)
    return header


def _halved(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half()
    return network
