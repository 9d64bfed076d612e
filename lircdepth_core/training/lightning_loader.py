# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Lightning and torchmetrics, which import torchvision, loaded so that its operators need not load.

See models.common.torchvision_loader. Warnings of runs without a fault are left out: nobody who trains can mend them.
"""

import warnings

from lircdepth_core.models.common.torchvision_loader import load_torchvision

load_torchvision()
import lightning  # noqa: E402
import torchmetrics  # noqa: E402

__all__ = ["lightning", "torchmetrics"]

# What Lightning 2.6 and torchdata 0.11 call inside, with PyTorch 2.13.
warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning, r"lightning\.pytorch\.")
warnings.filterwarnings("ignore", "'set_vital' is deprecated", UserWarning, r"torchdata\.")
# Parameters are in float32 with mixed precision, too, so that the summary is right.
warnings.filterwarnings("ignore", "Precision .*-mixed is not supported by the model", UserWarning, r"lightning\.")
# A run goes on in its folder, and run_folder refuses that of another run.
warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty", UserWarning, r"lightning\.")
