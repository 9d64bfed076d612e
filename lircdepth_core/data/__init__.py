# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames to train and evaluate on: nuScenes, the synthetic street, packed files; augmentation and ground truth."""
