# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that more than one test file uses, and an own DDS domain for the whole run."""

import os
import signal

import pytest
from filelock import FileLock  # of which PyTorch is made, too

import lircdepth_core  # noqa: F401  first: it settles how PyTorch's threads wait for each other
from paths import SHARED

# A shell has what it starts in the background ignore ^C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Not that of a test run beside this one; set before anything starts DDS, and inherited by every process of a test.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)

try:
    import rclpy  # noqa: F401  first: with wheels this starts Python once more, to find its libraries
except ImportError:
    pass
else:
    from lircdepth_ros.dds import profile_environment

    os.environ.update(profile_environment())
    from rig import calibration, context, depth_node, rig, weights  # noqa: F401  fixtures of the node's tests


@pytest.fixture(scope="session")
def street_file(tmp_path_factory):
    """Six packed frames of the street's val split, for the focal length of the weights that ship.

    They are rendered once in a run, whichever of its processes needs them first.
    """
    from lircdepth_core.data.packed import pack
    from lircdepth_core.data.street import StreetFrames

    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "street-val.safetensors"
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            pack(StreetFrames("val", 6, 0.25), path)
    return path


@pytest.fixture(scope="session")
def surround_bag(tmp_path_factory):
    """A bag of a fraction of a second of the street, with six cameras of 160x96 and five radars."""
    from surround import make_bag

    return make_bag(tmp_path_factory.mktemp("surround"), 0.5, (160, 96))


@pytest.fixture(scope="session")
def nuscenes_real():
    """Data root of the one real nuScenes sample; it lies beside the repository and is not part of it."""
    path = SHARED / "nuscenes_real"
    if not path.is_dir():
        pytest.skip(f"the real nuScenes sample is not at {path}")
    return path
