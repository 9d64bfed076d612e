# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a seed to a street: what stands and moves where."""
