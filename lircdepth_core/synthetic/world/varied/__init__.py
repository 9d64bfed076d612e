# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Streets that are made for leaving them: more kinds of places, surfaces, skies and light than the usual street has."""
