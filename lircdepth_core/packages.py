# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Optional packages, imported where they are used: the core itself needs torch and numpy alone."""

import importlib
from types import ModuleType

from lircdepth_core.errors import LircDepthError


def import_package(name: str) -> ModuleType:
    """Import an optional package and return it. Raises LircDepthError when it is not installed or does not load."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LircDepthError(f"the package {name} is needed: {error}") from error
