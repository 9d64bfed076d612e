# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The commands of the documentation run here, page by page, or a mark above them says what they need."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("rosbags", reason="bags are read with rosbags")
pytest.importorskip("nuscenes", reason="bags are converted from nuScenes, through its devkit")

import documented
import serving
from lircdepth_ros import cli, launching
from paths import REPOSITORY, SUPPORT

PROGRAMS = (
    "lircdepth",
    "ros2",
    "make",
    "pip",
    "python",
    "python3",
    "source",
    "export",
    "dask",
    "rviz2",
    "git",
    "$",
    "from",
    "import",
)
ALL_BLOCKS = {page: documented.blocks(page) for page in documented.PAGES}
RUN = {page: [block for block in found if not block.needs] for page, found in ALL_BLOCKS.items()}
MARKED = [block for found in ALL_BLOCKS.values() for block in found if block.needs]
# Those that take seconds run in `make test`.
QUICK = ("docs/bags.md", "docs/distillation.md", "docs/index.md", "docs/radars.md", "docs/research.md")


@pytest.fixture(scope="session")
def taken_for_granted(tmp_path_factory):
    return documented.prepare(tmp_path_factory.mktemp("documented"))


@pytest.fixture
def folder(taken_for_granted, tmp_path, monkeypatch):
    """A page's own folder with what pages take for granted."""
    folder = tmp_path / "page"
    shutil.copytree(taken_for_granted, folder, symlinks=True, copy_function=os.link)
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)  # some pages leave hundreds of megabytes


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=() if page in QUICK else pytest.mark.full) for page, blocks in RUN.items() if blocks],
)
def test_the_commands_of_a_page_run_one_after_the_other(page, folder, capsys):
    for block in RUN[page]:
        if block.language == "python":
            shell(folder, [sys.executable, "-c", block.text])
        elif all(line.startswith("lircdepth ") for line in block.lines) and "$" not in block.text:
            for line in block.lines:
                lircdepth(shlex.split(line, comments=True)[1:], capsys)
        else:
            shell(folder, ["bash", "-euo", "pipefail", "-c", block.text])


def lircdepth(words, capsys):
    words = documented.smaller(words)
    if words[0] == "view":
        if "--live" in words:
            pytest.importorskip("rclpy", reason="--live talks to a running node")
        with serving.running(*words, "--port", serving.free_port(), marker=r"open (http|ws)://"):
            return
    assert cli.main(words) == 0, (words, capsys.readouterr().err[-2000:])


def shell(folder, command):
    """Run a program, in which `lircdepth` is that of ``documented``."""
    program = folder / "bin/lircdepth"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {SUPPORT / "documented.py"} "$@"\n')
    program.chmod(0o755)
    search = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": f"{REPOSITORY}:{SUPPORT}"}
    done = subprocess.run(command, cwd=folder, env=os.environ | search, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", documented.PAGES)
def test_a_command_stands_in_a_block_that_is_run_or_marked(page):
    text = (REPOSITORY / page).read_text()
    for line in re.findall(r"^ {4,}(\S+)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M):
        assert line not in PROGRAMS, f"{line}: a command in an indented block; put it into a fence of sh"
    for fence, mark in re.findall(r"^ *```(\w*)\n\s*(\S+)", text, re.M):
        assert fence in ("sh", "python", "math", "yaml", "text") or mark not in PROGRAMS, f"a fence of {fence}: {mark}"
    marks = len(re.findall("^ *<!-- needs:", text, re.M))
    assert marks == sum(bool(block.needs) for block in ALL_BLOCKS[page]), "a mark stands right above its fence"


@pytest.mark.parametrize("block", MARKED, ids=lambda block: f"{block.page}: {block.lines[0]}")
def test_a_mark_names_what_a_test_lacks_and_its_commands_could_be_given(block):
    assert set(block.needs) <= set(documented.NEEDS), block.needs
    kinds = {
        "ROS": r"\b(ros2|rviz2) ",
        "network": r"\b(make|pip|git|python|catkin_prepare_release)\b",
        "nuScenes": "/data/",
    }
    for need, pattern in kinds.items():
        assert need not in block.needs or re.search(pattern, block.text), f"nothing here needs {need}"


def commands_of(page):
    """Yield the words of each `lircdepth` command that is not run: of marked blocks, and within a sentence."""
    text = re.sub(r"^```.*?^```$", "", (REPOSITORY / page).read_text(), flags=re.M | re.S)
    lines = [" ".join(each.split()) for each in re.findall(r"`(lircdepth [^`]+)`", text)]
    for block in ALL_BLOCKS[page]:
        lines += re.findall(r"lircdepth(?:_ros\.cli)? +(?!-)\S+.*", "\n".join(block.lines)) if block.needs else []
    for line in lines:
        with contextlib.suppress(ValueError):  # a quote that ends in another place of the sentence
            yield tuple(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize(
    "words", sorted({words for page in documented.PAGES for words in commands_of(page)}), ids=" ".join
)
def test_a_command_that_is_not_run_has_only_options_that_there_are(words):
    """A renamed option would leave a page behind. The options of `train` are Lightning's: its files are there."""
    name, *rest = words
    if name.startswith("-") or name.endswith(":"):
        return  # an option of `lircdepth` itself; what it prints
    assert name in cli.COMMANDS
    if name == "train":
        recipes = [word for word in rest if word.startswith("training/")]
        assert all((REPOSITORY / recipe).is_file() for recipe in recipes)
        return
    parser = cli.make_parser({name})
    (commands,) = (action for action in parser._actions if action.choices and name in action.choices)
    known = commands.choices[name]._option_string_actions
    assert {word for word in rest if re.match("--?[a-z]", word)} <= known.keys()


@pytest.mark.parametrize("page", documented.PAGES)
def test_arguments_of_launch_files_targets_of_make_and_programs_are_there(page):
    text = (REPOSITORY / page).read_text()
    made = {"depth": launching.depth_arguments, "replay": launching.replay_arguments, "demo": launching.demo_arguments}
    for file, rest in re.findall(r"lircdepth_ros (\w+)\.launch\.py([^`\n#]*)", text):
        known = {argument.name for argument in made[file](REPOSITORY / "config")}
        assert {word.partition(":=")[0] for word in rest.split() if ":=" in word} <= known | {"weigths"}, rest
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.M)
    assert set(re.findall(r"(?:`|^)make ([a-z][\w-]*)", text, re.M)) <= set(targets)
    for path in re.findall(r"(?:python|pytest)[^`\n]* ((?:benchmarks|test|examples)/[\w/.-]+)", text):
        assert (REPOSITORY / path).exists(), path
