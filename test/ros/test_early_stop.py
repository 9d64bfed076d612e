# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A stop signal in the first seconds of a node, while Python still imports."""

import importlib.util
import os
import signal
import subprocess
import sys

import pytest

from paths import REPOSITORY

if importlib.util.find_spec("rclpy") is None:
    pytest.skip("nodes need rclpy", allow_module_level=True)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("node", "module"),
    [
        ("depth_node", "numpy"),
        ("depth_node", "torch._C"),
        ("depth_node", "torch.nn"),
        ("replay_node", "rclpy.qos"),
    ],
)
def test_a_stop_while_the_node_is_imported_ends_it_in_silence(node, module, told):
    """A KeyboardInterrupt in an import is a traceback of a hundred lines, which looks like a crash."""
    child = subprocess.Popen(
        [sys.executable, "-m", f"lircdepth_ros.{node}", "--ros-args", "-p", "bag:=absent"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},  # tells each module when it has been imported
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert any(line.rpartition("|")[2].strip() == module for line in child.stderr), f"{module} was not imported"
        child.send_signal(told)
        rest = child.stderr.read()
        assert child.wait(timeout=120) == 0, rest
    finally:
        child.kill()
    assert [line for line in rest.splitlines() if not line.startswith("import time:")] == []
