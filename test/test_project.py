# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What holds for the project as a whole: its seams, and documents that say what the code does."""

import ast
import json
import re
import subprocess
import sys

import pytest
import yaml

from lircdepth_ros import declarations
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


def test_lightning_is_imported_after_what_it_needs_is_prepared():
    """Where torchvision's operators do not load, Lightning alone does not either, whichever module comes first."""
    loader = "lircdepth_core.training.lightning_loader"
    for folder in ("lircdepth_core", "lircdepth_ros", "test"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
            names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in top]
            packages = [(name or "").partition(".")[0] for name in names]
            first = next((i for i, name in enumerate(packages) if name in ("lightning", "torchmetrics")), None)
            if first is not None and path.name != "lightning_loader.py":
                assert loader in names[:first], f"{path} imports Lightning before {loader}"


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
        "scipy,rosbags,rclpy,distributed,dask,fsspec,pypcd4,platformdirs,tabulate,torchmetrics,torchdata"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, ",".join(allowed), others], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "lircdepth_core.pipeline" in result.stdout


def test_parameter_files_schemas_and_tables_are_those_that_the_declarations_make():
    """`python -m lircdepth_ros.declarations` makes them anew."""
    for path, text in declarations.made_files(REPOSITORY).items():
        assert path.read_text() == text, path


@pytest.mark.parametrize("parameters", declarations.SETS, ids=lambda parameters: parameters.name)
def test_a_parameter_file_its_schema_and_its_table_have_every_parameter_with_its_default(parameters):
    """Read back, so that an error of what makes them shows."""
    declared = {
        option.name: list(option.default) if isinstance(option.default, tuple) else option.default
        for option in parameters.options
    }
    config = REPOSITORY / "config"
    nodes = yaml.safe_load((config / f"{parameters.name}.yaml").read_text())
    assert nodes == {"/**": {"ros__parameters": declared}}, "for a node of any name"
    schema = json.loads((config / f"{parameters.name}.schema.json").read_text())["definitions"]["parameters"]
    of_every_node = {"use_sim_time", "qos_overrides"}
    described = {name: each["default"] for name, each in schema["properties"].items() if name not in of_every_node}
    assert described == declared
    assert schema["additionalProperties"] is False
    text = (REPOSITORY / "docs/node.md").read_text()
    table = re.search(rf"<!-- parameters: {parameters.name} -->\n(.*?)<!-- end -->", text, re.DOTALL)[1]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", table, re.MULTILINE)
    assert {name: yaml.safe_load(default) for name, default, _ in rows} == declared
    assert {name: meaning for name, _, meaning in rows} == {option.name: option.help for option in parameters.options}


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
