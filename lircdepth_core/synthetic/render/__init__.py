# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ray casting and shading of a street."""
