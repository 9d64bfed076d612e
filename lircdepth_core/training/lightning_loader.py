# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning and torchmetrics, which import torchvision, loaded so that its operators need not load.

See models.common.torchvision_loader.
"""

from lircdepth_core.models.common.torchvision_loader import load_torchvision

load_torchvision()
import lightning  # noqa: E402
import torchmetrics  # noqa: E402

__all__ = ["lightning", "torchmetrics"]
