# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name, and how they are built and stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

NAMES = ("lircdepth", "cafnet", "tiny")


def build(name: str, **config: Any) -> nn.Module:
    """Return the network called ``name``, one of NAMES. config: arguments of its constructor.

    Raises KeyError for another name.
    """
    from lircdepth_core.models.cafnet import CaFNet
    from lircdepth_core.models.lircdepth import LiRCDepth
    from lircdepth_core.models.tiny import TinyDepth

    networks: dict[str, type[nn.Module]] = {"lircdepth": LiRCDepth, "cafnet": CaFNet, "tiny": TinyDepth}
    return networks[name](**config)
