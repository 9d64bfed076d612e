# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name, and how they are built and stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_class, require_allowed

if TYPE_CHECKING:
    from torch import nn

NAMES = ("lircdepth", "cafnet", "tiny")


NETWORKS_VARIABLE = "LIRCDEPTH_NETWORKS"  # environment variable: packages of one's own networks, separated by colons


def is_name(name: str) -> bool:
    """Return whether ``build`` may know a name: one of NAMES, or the path of a class such as "my_package.MyNetwork"."""
    return name in NAMES or "." in name


def build(name: str, **config: Any) -> nn.Module:
    """Return the network called ``name``, one of NAMES, or the path of a class. config: arguments of its constructor.

    A weights file names its network, and importing a module runs it: so a class is imported only from packages that the
    environment variable LIRCDEPTH_NETWORKS names. Raises LircDepthError for other packages, for what is no nn.Module,
    and for arguments that its constructor does not take, and KeyError for another name.
    """
    from lircdepth_core.models.cafnet import CaFNet
    from lircdepth_core.models.lircdepth import LiRCDepth
    from lircdepth_core.models.tiny import TinyDepth

    networks: dict[str, type[nn.Module]] = {"lircdepth": LiRCDepth, "cafnet": CaFNet, "tiny": TinyDepth}
    network = _imported(name) if "." in name else networks[name]
    try:
        return network(**config)
    except TypeError as error:
        raise LircDepthError(f"network {name}: {error}") from error


def _imported(path: str) -> type[nn.Module]:
    from torch import nn

    require_allowed("network", path, NETWORKS_VARIABLE)
    return import_class("network", path, nn.Module)
