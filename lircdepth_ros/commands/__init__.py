# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The sub-commands of `lircdepth` that work on bags, and the demo. One module a command."""
