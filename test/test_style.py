# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The style checks that ROS packages run in `colcon test`: ament_copyright, ament_flake8 and ament_pep257.

They are done by ruff with the configuration of this project (ruff.toml): the tools of ament know neither SPDX headers
nor one configuration for the whole project.
"""

import subprocess
import sys

import pytest

from paths import REPOSITORY

pytest.importorskip("ruff", reason="ruff is not installed")


@pytest.mark.parametrize(
    ("tool", "rules"), [("copyright", "CPY001"), ("flake8", "E,F,W"), ("pep257", "D")], ids=lambda value: value
)
def test_every_source_file_keeps_to(tool, rules):
    command = [sys.executable, "-m", "ruff", "check", "--select", rules, "--output-format", "concise", "."]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{tool}:\n{done.stdout}{done.stderr}"
