# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The network as a graph for other runtimes: exact rewriting, ONNX export, quantisation."""
