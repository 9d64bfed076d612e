# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name, and how they are built and stored."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from lircdepth_core.errors import LircDepthError

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

    package = path.partition(".")[0]
    if package not in os.environ.get(NETWORKS_VARIABLE, "").split(":"):
        raise LircDepthError(
            f"network {path} is none of this package's ({', '.join(NAMES)}), and its code is run only where you allow "
            f"it: export {NETWORKS_VARIABLE}={package}"
        )
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise LircDepthError(f"network {path}: cannot be imported ({error}); is its folder in PYTHONPATH?") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise LircDepthError(f"network {path}: expected a class derived from torch.nn.Module, found {found!r}")
    return found
