# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the surfaces of parts are painted: windows, wheels, signs, bark and the rest."""
