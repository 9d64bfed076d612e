# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Inference backends, one a file, behind the interface of ``backend.Backend``; ``opening.open_backend`` chooses one."""
