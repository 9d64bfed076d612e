# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What holds for the project as a whole: its seams, and documents that say what the code does."""

import ast
import re
import subprocess
import sys

import pytest
import yaml

from lircdepth_core.options import options_of
from lircdepth_ros.depth_node.settings import Settings
from lircdepth_ros.replay_node.settings import ReplaySettings
from paths import REPOSITORY

ROS_PACKAGES = {
    "rclpy", "launch", "launch_ros", "ament_index_python", "cv_bridge", "sensor_msgs_py", "tf2_ros", "rosbags",
    "rosbag2_py", "message_filters", "lircdepth_ros",
}  # fmt: skip


def imported_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def test_no_module_of_the_core_imports_ros():
    modules = list((REPOSITORY / "lircdepth_core").rglob("*.py"))
    assert len(modules) > 10
    for path in modules:
        for name in imported_names(path):
            package = name.partition(".")[0]
            assert package not in ROS_PACKAGES, f"{path} imports {name}"
            assert not package.endswith(("_msgs", "_interfaces")), f"{path} imports {name}"


def test_the_core_is_importable_with_torch_and_numpy_alone():
    """On a GPU cluster there is no ROS, no devkit and perhaps no torchvision that loads."""
    allowed = {"torch", "numpy", "lircdepth_core"}
    program = """
import importlib, pkgutil, sys
allowed, blocked = set(sys.argv[1].split(",")), []
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2].split(","):
            raise ImportError(name + " is not to be imported at module level")
sys.meta_path.insert(0, Block())
import lircdepth_core
for module in pkgutil.walk_packages(lircdepth_core.__path__, "lircdepth_core."):
    if module.name.startswith("lircdepth_core.training."):
        continue  # what is Lightning's needs Lightning, and all that it needs
    importlib.import_module(module.name)
    print(module.name)
"""
    others = (
        "torchvision,PIL,cv2,matplotlib,tqdm,yaml,nuscenes,pyquaternion,safetensors,"
        "scipy,rosbags,rclpy,pypcd4,platformdirs,tabulate,torchmetrics,torchdata"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, ",".join(allowed), others], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "lircdepth_core.pipeline" in result.stdout


def test_parameters_are_the_same_in_the_code_the_yaml_file_and_the_documentation():
    (node,) = yaml.safe_load((REPOSITORY / "config" / "depth.yaml").read_text()).values()
    assert node["ros__parameters"] == {name: default for name, (default, _) in declared(Settings).items()}
    assert documented("depth_node") == declared(Settings)


def test_replay_parameters_are_the_same_in_the_code_and_the_documentation():
    assert documented("replay_node") == declared(ReplaySettings)


def declared(settings):
    """Return {parameter: (default, meaning)} of a node's declarations; YAML has lists for tuples."""
    return {
        option.name: (list(option.default) if isinstance(option.default, tuple) else option.default, option.help)
        for option in options_of(settings)
    }


def documented(node):
    """Return {parameter: (default, meaning)} of the table in the section of docs/node.md that describes a node."""
    text = (REPOSITORY / "docs/node.md").read_text()
    section = re.split(r"^#+ .*", text, flags=re.MULTILINE)
    titles = re.findall(r"^#+ .*", text, flags=re.MULTILINE)
    title = {"depth_node": "## Parameters of `depth_node`", "replay_node": "## `replay_node`"}[node]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", section[titles.index(title) + 1], re.MULTILINE)
    return {name: (yaml.safe_load(default), meaning) for name, default, meaning in rows}


DOCUMENTS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in (".", "docs", "docs/dev", "training", "benchmarks", "test/core/models/parity")
    for path in (REPOSITORY / folder).glob("*.md")
)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_every_file_that_a_document_links_to_exists(text):
    path = REPOSITORY / text
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_command_has_a_line_in_the_documentation():
    from lircdepth_ros import cli

    commands = set(re.findall(r"^\| `lircdepth ([\w-]+)", (REPOSITORY / "docs/commands.md").read_text(), re.MULTILINE))
    assert commands == set(cli.COMMANDS)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_every_file_of_the_project_that_a_document_names_exists(text):
    """In backticks: `lircdepth_core/pipeline.py`, `test/core/matching` ..."""
    named = re.findall(
        r"`((?:lircdepth_core|lircdepth_ros|test|docs|benchmarks|config|launch)/[\w./-]+)`",
        (REPOSITORY / text).read_text(),
    )
    assert [name for name in named if not (REPOSITORY / name).exists()] == []
