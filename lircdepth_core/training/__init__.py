# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training on Lightning: modules, callbacks, and the `lircdepth train` command line."""
