# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Import torchvision also where its compiled operators do not load (a CPU-only torch beside a CUDA torchvision)."""

import functools
import sys
from types import ModuleType

import torch

_declarations: list[torch.library.Library] = []  # kept, since operators vanish with the library that declares them


@functools.cache
def load_torchvision() -> ModuleType:
    """Return the ``torchvision`` module.

    Where its extension does not match torch, the import fails on the operator ``torchvision::nms``. No network here
    uses it, so that it is declared without an implementation, and the import is tried again.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        _declarations.append(library)
        for name in ("nms", "qnms"):
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    loaded: ModuleType = torchvision
    return loaded
