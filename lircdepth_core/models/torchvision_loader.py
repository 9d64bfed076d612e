# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Import torchvision also where its compiled operators do not load (a CPU-only torch beside a CUDA torchvision)."""

import functools
import sys

import torch


@functools.cache
def load_torchvision():
    """Return the ``torchvision`` module.

    Where its extension does not match torch, the import fails on ``torchvision::nms``, an operator that no network
    here uses: it is declared, without an implementation, and the import is tried again.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        global _declarations  # operators vanish with the library that declares them
        _declarations = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _declarations.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision
