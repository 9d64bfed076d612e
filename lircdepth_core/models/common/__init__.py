# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What all networks share: their interface, building blocks, and how torchvision is imported."""
