# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Import Lightning also where torchvision's operators do not load (see models.torchvision_loader): it imports both."""

from lircdepth_core.models.torchvision_loader import load_torchvision

load_torchvision()
import lightning  # noqa: E402

__all__ = ["lightning"]
