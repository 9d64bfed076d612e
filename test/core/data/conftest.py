# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A nuScenes data root with a world in it that is ray-cast by hand, and its dense depth."""

import pytest

import street_nuscenes
from lircdepth_ros import cli


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return street_nuscenes.write(tmp_path_factory.mktemp("street") / "root")


@pytest.fixture(scope="session")
def dense(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense")
    words = ("--dataroot", root, "--version", "v1.0-mini", "--split", "all", "-o", folder, "--jobs", 1)
    assert cli.main(["ground-truth", *map(str, words)]) == 0
    return folder
