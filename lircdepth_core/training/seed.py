# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one seed of a run: `seed_everything`, which drives initialisation, order, augmentation and radar dropout."""

from __future__ import annotations

import os

_LIGHTNING_SEED = "PL_GLOBAL_SEED"  # environment variable that Lightning's seed_everything sets


def seed_or_global(seed: int | None) -> int:
    """Return a seed that is given, or the one of Lightning's ``seed_everything``; 0 where neither was called."""
    return int(os.environ.get(_LIGHTNING_SEED, 0)) if seed is None else seed
