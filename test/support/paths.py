# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the repository and its test helpers are, and the folder ``shared`` beside it that holds data of others."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SUPPORT = REPOSITORY / "test" / "support"
SHARED = REPOSITORY.parent / "shared"
PARITY = REPOSITORY / "test/core/models/parity"
