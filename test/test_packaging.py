# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What pip, colcon and the ROS build farm are told about the package, and that it installs as they are told."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from test_privacy import infer

from lircdepth_core.dependencies import EXTRAS, REQUIRED
from lircdepth_core.models import checkpoints
from paths import REPOSITORY

requirements = pytest.importorskip("packaging.requirements")
utils = pytest.importorskip("packaging.utils")

OURS = {"lircdepth_core", "lircdepth_ros"}
# {module: rosdep key}, for modules whose key is not python3-MODULE.
ROSDEP_KEYS = {
    "PIL": "python3-pil", "cv2": "python3-opencv", "yaml": "python3-yaml", "torch": "python3-pytorch-pip",
    "torchvision": "python3-pytorch-pip", "rosbags": "python3-rosbags-pip", "nuscenes": "python3-nuscenes-devkit-pip",
    "onnxruntime": "python3-onnxruntime-pip", "tf2_ros": "tf2_ros_py",
}  # fmt: skip
WITHOUT_KEY = {
    "safetensors", "openvino", "onnx", "tensorrt", "lightning", "jsonargparse", "torchdata", "torchmetrics",
    "pyquaternion", "pypcd4", "huggingface_hub", "dask", "dask_jobqueue", "distributed", "fsspec", "s3fs", "plotly",
    "viser", "foxglove", "shtab", "rich_argparse",
}  # fmt: skip
# tf2_msgs, std_msgs, geometry_msgs, visualization_msgs: the replay node imports the message types of a bag by name.
BY_NAME = {"std_msgs", "geometry_msgs", "visualization_msgs", "tf2_msgs"}


def manifest():
    return ElementTree.parse(REPOSITORY / "package.xml")


def depended(*kinds):
    return {element.text for kind in kinds for element in manifest().iter(f"{kind}_depend")}


class WithoutTypes(ast.NodeTransformer):
    def visit_If(self, node):
        return None if getattr(node.test, "id", "") == "TYPE_CHECKING" else node


def imported(*folders):
    """Return the top-level modules that the files of folders import, by import statements and by import_package."""
    names = set()
    for path in (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(WithoutTypes().visit(ast.parse(path.read_text()))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_package":
                names |= {word.value for word in node.args if isinstance(word, ast.Constant)}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - OURS


def key(module):
    of_ros = module.endswith(("_msgs", "_interfaces", "_srvs", "_py", "launch_ros", "_python"))
    if of_ros or module in ("rclpy", "launch", "cv_bridge"):
        return module
    return ROSDEP_KEYS.get(module, f"python3-{module}")


def test_package_xml_lists_what_is_imported_and_nothing_else():
    expected = {key(module) for module in imported("lircdepth_core", "lircdepth_ros", "launch") - WITHOUT_KEY}
    assert depended("exec") == expected | BY_NAME


def test_package_xml_lists_what_only_the_tests_import():
    of_ros = {key(module) for module in imported("test") if key(module).endswith("_msgs")}
    assert of_ros <= depended("exec", "test")
    assert {"python3-pytest", "python3-hypothesis"} <= depended("test")


def test_everything_that_is_imported_is_declared_for_pip():
    """But for what no registry has: the packages of a ROS installation, and of TensorRT."""
    declared = {module for packages in (REQUIRED, *EXTRAS.values()) for module in packages.values()}
    modules = imported("lircdepth_core", "lircdepth_ros")
    of_ros = {module for module in modules if not key(module).startswith("python3-")}
    assert modules - declared - of_ros == {"tensorrt"}


def test_package_xml_is_what_the_tools_of_ros_want():
    """catkin_pkg reads it for colcon, rosdep and bloom."""
    package = pytest.importorskip("catkin_pkg.package")
    warnings = []
    parsed = package.parse_package(str(REPOSITORY / "package.xml"), warnings=warnings)
    parsed.validate(warnings=warnings)
    assert warnings == []
    assert {url.type for url in parsed.urls} == {"website", "repository", "bugtracker"}
    assert parsed.authors
    assert [license.file for license in parsed.licenses] == ["LICENSE"]


def test_the_version_is_one():
    """catkin_prepare_release raises both, and names the section of the changelog; it needs a literal in setup.py."""
    version = manifest().findtext("version")
    assert re.findall(r"version=([\'\"])(\d+\.\d+\.\d+)\1,", (REPOSITORY / "setup.py").read_text()) == [('"', version)]
    changelog = (REPOSITORY / "CHANGELOG.rst").read_text()
    sections = re.findall(r"^(Forthcoming|\d\S+ \(\d{4}-\d\d-\d\d\))\n-+$", changelog, re.MULTILINE)
    assert sections[0] == "Forthcoming"
    assert sections[1].startswith(f"{version} ")


def test_the_tested_versions_are_among_the_declared_ones():
    """requirements.txt pins; dependencies.py declares. Each declared package is tested, in a version that it allows."""
    pinned = {}
    for line in (REPOSITORY / "requirements.txt").read_text().splitlines():
        if line.partition("#")[0].strip():
            pin = requirements.Requirement(line)
            if pin.marker is None or pin.marker.evaluate():
                pinned[utils.canonicalize_name(pin.name)] = pin
    for text in (text for packages in (REQUIRED, *EXTRAS.values()) for text in packages):
        declared = requirements.Requirement(text)
        pin = pinned[utils.canonicalize_name(declared.name)]
        exact = [specifier.version for specifier in pin.specifier if specifier.operator == "=="]
        assert all(declared.specifier.contains(version) for version in exact), f"{pin} against {declared}"
        assert declared.extras <= pin.extras


def test_the_documentation_names_every_extra_and_no_version():
    text = (REPOSITORY / "docs/node.md").read_text()
    (table,) = re.findall(r"^\| extra \| for \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    named = {extra for row in table.splitlines() for extra in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(EXTRAS)
    assert "==" not in text


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what git has, since a build writes into its tree."""
    target = tmp_path_factory.mktemp("tree") / "lircdepth"
    folders = ("config", "launch", "lircdepth_core", "lircdepth_ros", "resource")
    for folder in folders:
        shutil.copytree(REPOSITORY / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "package.xml", "LICENSE", "README.md", "CHANGELOG.rst"):
        shutil.copy(REPOSITORY / name, target)
    return target


def run(*command, **keywords):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **keywords)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tree):
    """Return (wheel, sdist); the wheel is built from the sdist. Without isolation, which would need a network."""
    pytest.importorskip("build")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tree.parent / "dist", tree)
    (wheel,), (sdist,) = ((tree.parent / "dist").glob(pattern) for pattern in ("*.whl", "*.tar.gz"))
    return wheel, sdist


def test_wheel_and_sdist_hold_the_weights_and_what_ros_looks_for(distributions):
    wheel, sdist = distributions
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition(".data/data/")[2] or name for name in archive.namelist()}
    share = "share/lircdepth_ros"
    assert {"share/ament_index/resource_index/packages/lircdepth_ros", f"{share}/package.xml"} <= names
    assert {f"{share}/launch/depth.launch.py", f"{share}/config/depth.yaml"} <= names
    shipped = ("weights/street.safetensors", "sample/image.jpg", "evaluation/templates/report.html.j2")
    assert {f"lircdepth_core/{name}" for name in shipped} <= names
    assert {f"{share}/launch/demo.launch.py", f"{share}/config/viewers/surround.rviz"} <= names
    modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "lircdepth_core").rglob("*.py")}
    assert modules <= names
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "package.xml", "setup.py", "lircdepth_core/weights/street.safetensors"} <= source


def test_an_installed_package_finds_its_config_files_under_any_prefix(distributions, tmp_path):
    """Of the system's Python it is /usr/local, and ~/.local with --user; sys.prefix is /usr then."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--ignore-installed")
    run(*pip, "--prefix", tmp_path, distributions[0])
    (site,) = tmp_path.glob("lib/python*/site-packages")
    program = "from lircdepth_ros.share import config_directory; print(config_directory())"
    found = run(sys.executable, "-c", program, cwd=tmp_path, env=clean() | {"PYTHONPATH": str(site)})
    assert found.strip() == str(tmp_path / "share/lircdepth_ros/config")


PROGRAM = """
import sys
allowed = set(sys.argv[1].split(",")) | set(sys.stdlib_module_names) | {"lircdepth_core", "lircdepth_ros"}
class Only:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if "." in name or name in allowed or name.startswith("_"):
            return self.finder.find_spec(name, path, target)
sys.meta_path = [Only(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
from lircdepth_ros.cli import main
sys.exit(main(sys.argv[2:]))
"""


def with_packages(packages, *words):
    """Run a command where nothing but packages and what these depend on can be imported; return the process.

    packages: {requirement: module}.
    """
    found, waiting = set(), [requirements.Requirement(text) for text in packages]
    modules = set(packages.values())
    names = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            names.setdefault(utils.canonicalize_name(owner), set()).add(module)
    while waiting:
        requirement = waiting.pop()
        name = utils.canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        modules |= names.get(name, set())
        try:
            texts = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:  # apt's OpenCV
            continue
        for text in texts:
            needed = requirements.Requirement(text)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    command = [sys.executable, "-c", PROGRAM, ",".join(sorted(modules)), *map(str, words)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_infer_runs_with_what_is_required_alone(tmp_path):
    done = with_packages(REQUIRED, *infer(tmp_path, "auto", "street", 640, 384))
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "depth.npy").shape == (384, 640)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("bags", "infer-bag bag -o {root}/depth"),
        ("bags", "eval-bag bag"),
        ("nuscenes", "nuscenes-to-bag --dataroot {root} --scene scene-0061 -o {root}/bag"),
        ("train", "train fit"),
        ("cluster", "pack-street --frames 4 --cluster local -o {root}/frames.safetensors"),
        ("hub", "info --weights hf://owner/name"),
        ("onnx", "export {root}/tiny.safetensors -o {root}/tiny.onnx --format onnx --size 96 160"),
        ("openvino", "export {root}/tiny.safetensors -o {root}/tiny.xml --format openvino --size 96 160"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_it(tmp_path, extra, words):
    (tmp_path / "v1.0-mini").mkdir()
    (tmp_path / "v1.0-mini/scene.json").write_text("[]")
    network, _ = checkpoints.random_weights("tiny")
    checkpoints.save(tmp_path / "tiny.safetensors", network, checkpoints.Header(model="tiny"))
    present = {"nuscenes": ("bags",), "openvino": ("onnx",)}.get(extra, ())
    packages = REQUIRED | {name: module for other in present for name, module in EXTRAS[other].items()}
    done = with_packages(packages, *words.format(root=tmp_path).split())
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"is needed: pip install 'lircdepth_ros[{extra}]'")


@pytest.fixture(scope="module")
def ros_environment(tmp_path_factory):
    """The Python of an environment that has OpenCV as Ubuntu's python3-opencv: a module that pip does not know of."""
    folder = tmp_path_factory.mktemp("ros")
    packages = folder / "dist-packages"
    packages.mkdir()
    for path in Path(np.__file__).parents[1].iterdir():
        if path.suffix != ".pth" and not path.name.startswith(("opencv_python", "lircdepth")):
            (packages / path.name).symlink_to(path)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env")
    (site,) = (folder / "env/lib").glob("python*/site-packages")
    (site / "apt.pth").write_text(str(packages))
    python = folder / "env/bin/python"
    run(python, "-c", "import cv2")
    return python


def clean():
    """The environment of a shell that has nothing sourced."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


@pytest.mark.parametrize("option", [(), ("--symlink-install",)], ids=["copied", "linked"])
def test_scripts_of_colcon_start_where_opencv_is_not_known_to_pip(ros_environment, tree, tmp_path, option):
    """Whoever imports pkg_resources in them has it check what is declared: it raises DistributionNotFound."""
    pytest.importorskip("colcon_ros")
    bases = ("--build-base", tmp_path / "build", "--install-base", tmp_path / "install")
    colcon = [ros_environment, "-m", "colcon", "--log-base", tmp_path / "log", "build", "--base-paths", tree, *bases]
    run(*colcon, *option, cwd=tmp_path, env=clean())
    script = tmp_path / "install/lircdepth_ros/lib/lircdepth_ros/lircdepth"
    assert script.read_text().startswith(f"#!{ros_environment}\n"), "it runs in the Python that ran colcon"
    shell = f". {tmp_path}/install/setup.sh && exec {{}}"
    assert "lircdepth " in run("sh", "-c", shell.format(f"{script} --version"), env=clean())
    program = "import pkg_resources as p; print(p.load_entry_point('lircdepth_ros', 'console_scripts', 'lircdepth'))"
    assert "main" in run("sh", "-c", shell.format(f'{ros_environment} -c "{program}"'), env=clean())
    # What a message about a missing extra says to do brings the extra, not another copy of this package.
    pip = f"{ros_environment} -m pip install --dry-run --no-index 'lircdepth_ros[bags]'"
    assert "Would install" not in run("sh", "-c", shell.format(pip), env=clean())


def test_pip_fetches_no_second_opencv_beside_that_of_the_system(ros_environment, tree):
    """With --no-index pip fails on whatever is declared and not there."""
    pip = (ros_environment, "-m", "pip", "install", "--dry-run", "--no-index", "--no-build-isolation")
    assert "Would install lircdepth_ros" in run(*pip, tree, env=clean()).replace("-", "_")
    listed = run(ros_environment, tree / "lircdepth_core/dependencies.py", "bags", env=clean()).split()
    assert listed == [text for text in (*REQUIRED, *EXTRAS["bags"]) if not text.startswith("opencv")]


@pytest.mark.full  # downloads PyTorch
@pytest.mark.parametrize("kind", [0, 1], ids=["wheel", "sdist"])
def test_in_a_clean_environment_infer_runs(distributions, tmp_path, kind):
    environment = tmp_path / "env"
    run(sys.executable, "-m", "venv", environment)
    pins = (REPOSITORY / "requirements.txt").read_text().splitlines()
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(line for line in pins if line.startswith(("torch==", "torchvision=="))))
    command = [environment / "bin/pip", "install", "-q", "-c", constraints, distributions[kind]]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode and re.search("No matching distribution|ConnectionError|Temporary failure", done.stderr):
        pytest.skip(f"packages cannot be had: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "lircdepth " in run(environment / "bin/lircdepth", "--version", cwd=tmp_path)
    run(environment / "bin/lircdepth", *infer(tmp_path, "auto"), cwd=tmp_path)
    assert np.load(tmp_path / "depth.npy").shape == (96, 160)


def shell_syntax(text):
    """Raise where a shell does not understand a text."""
    run("bash", "-n", "-c", text)


def test_the_workflow_runs_the_tools_of_ros_on_every_distribution_and_python():
    import yaml

    text = (REPOSITORY / ".github/workflows/ci.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert jobs["ros"]["strategy"]["matrix"]["distribution"] == ["humble", "jazzy", "kilted", "rolling"]
    commands = [step["run"] for step in jobs["ros"]["steps"] if "run" in step]
    for tool in ("rosdep install", "colcon build", "colcon test ", "colcon test-result"):
        assert any(tool in command for command in commands), tool
    assert jobs["python"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12"]
    for command in (step["run"] for job in jobs.values() for step in job["steps"] if "run" in step):
        shell_syntax(re.sub(r"\$\{\{.*?\}\}", "humble", command))
    assert "Not run yet" in text


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_a_dockerfile_is_of_instructions_that_a_shell_understands(name):
    text = (REPOSITORY / f"docker/{name}.Dockerfile").read_text()
    assert "Not run" in text
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found = [line.partition(" ")[::2] for line in joined.splitlines() if line]
    assert {word for word, _ in found} <= {"FROM", "SHELL", "WORKDIR", "COPY", "RUN", "ENV", "ENTRYPOINT", "CMD"}
    for word, rest in found:
        if word == "RUN":
            shell_syntax(rest)
        elif word in ("SHELL", "ENTRYPOINT", "CMD"):
            assert all(isinstance(argument, str) for argument in json.loads(rest))
    skipped = re.search(r'--skip-keys\s+"([^"]*)"', joined).group(1).split()
    assert set(skipped) == {key for key in depended("exec") if key.endswith("-pip")}
