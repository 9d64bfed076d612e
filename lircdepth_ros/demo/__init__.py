# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo: scene -> bag -> replay node -> depth node -> recorded depth -> its errors and a picture."""
