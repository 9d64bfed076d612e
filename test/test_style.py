# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The style checks that ROS packages run in `colcon test`: ament_copyright, ament_flake8 and ament_pep257.

They are done by ruff with the configuration of this project (ruff.toml): the tools of ament know neither SPDX headers
nor one configuration for the whole project.
"""

import re
import shutil
import subprocess
import sys

import pytest

from paths import REPOSITORY

pytest.importorskip("ruff", reason="ruff is not installed")


@pytest.mark.parametrize(("tool", "rules"), [("copyright", ["CPY"]), ("flake8", ["E", "F", "W"]), ("pep257", ["D"])])
def test_every_source_file_keeps_to(tool, rules):
    """The project's own configuration holds, with only one tool's rules left in it."""
    (selected,) = re.findall(r"^select = \[(.*)\]", (REPOSITORY / "ruff.toml").read_text(), re.MULTILINE)
    selected = re.findall(r"\w+", selected)
    others = [rule for rule in selected if not rule.startswith(tuple(rules))]
    assert len(others) < len(selected), "the configuration has rules of the tool"
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--extend-ignore",
        ",".join(others),
        "--output-format",
        "concise",
        ".",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{tool}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("module", "arrow", "contract"),
    [
        (
            "lircdepth_core/inference/cache.py",
            "from lircdepth_core.data import packed",
            "In the core arrows point down",
        ),
        ("lircdepth_core/geometry/transforms.py", "import launch_ros", "The core knows nothing of ROS"),
        (
            "lircdepth_ros/bags/reading.py",
            "import rclpy",
            "Only the nodes, and the demo that starts them, import rclpy",
        ),
    ],
    ids=["upwards", "core to ROS", "bags to rclpy"],
)
def test_an_arrow_that_the_architecture_does_not_allow_breaks_a_contract(tmp_path, module, arrow, contract):
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    for package in ("lircdepth_core", "lircdepth_ros"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("weights", "__pycache__")
        )
    shutil.copy(REPOSITORY / ".importlinter", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{arrow}\n")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"{contract} BROKEN" in done.stdout
    assert done.stdout.count("BROKEN") == 1
