# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The command line answers at once: --help and --version wait for no large package."""

import ast
import json
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from lircdepth_ros.cli import COMMANDS
from lircdepth_ros.depth_node.settings import PARAMETERS
from paths import REPOSITORY

# Each takes a tenth of a second or more to import, or needs ROS.
SLOW = {"torch", "cv2", "matplotlib", "nuscenes", "rosbags", "lightning", "scipy", "onnxruntime", "openvino", "rclpy"}
SLOW |= {"plotly", "jinja2", "viser", "foxglove", "shtab", "rich_argparse", "rich"}
PROGRAM = """
import runpy, sys
module, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = module
try:
    runpy.run_module(module, run_name="__main__")
except SystemExit as end:
    print(end.code)
finally:
    print(sorted(name for name in sys.modules if "." not in name))
"""


def answer(module, *words):
    """Run a module as a program; return (what it printed, its exit status, the packages that it imported)."""
    command = [sys.executable, "-c", PROGRAM, module, *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    *text, status, modules = done.stdout.splitlines()
    return "\n".join(text) + done.stderr, status, set(ast.literal_eval(modules))


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_the_command_without_a_subcommand_imports_the_standard_library_alone(word):
    _, status, modules = answer("lircdepth_ros.cli", word)
    foreign = modules - set(sys.stdlib_module_names) - {"__main__", "lircdepth_core", "lircdepth_ros"}
    # What the environment itself imports at every start of Python, such as the wheels of ROS.
    usual = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True)
    assert foreign <= {name.partition(".")[0] for name in usual.stdout.split()}
    assert status == "0"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_subcommand_imports_no_large_package(command):
    text, status, modules = answer("lircdepth_ros.cli", command, "--help")
    assert status == "0", text
    assert f"usage: lircdepth {command}" in text or command == "train"  # whose help is Lightning's
    assert modules & SLOW == set()


@pytest.mark.parametrize("module", ["lircdepth_ros.cli", "lircdepth_ros.depth_node", "lircdepth_ros.replay_node"])
def test_the_version_is_that_of_the_package(module):
    text, status, modules = answer(module, "--version")
    assert text.strip() == f"lircdepth {ElementTree.parse(REPOSITORY / 'package.xml').findtext('version')}"
    assert status == "0"
    assert modules & SLOW == set()


def test_help_of_the_node_lists_every_parameter_and_needs_no_ros():
    text, status, modules = answer("lircdepth_ros.depth_node", "--help")
    assert [parameter.name for parameter in PARAMETERS if f"\n  {parameter.name} (default" not in text] == []
    assert status == "0"
    assert modules & SLOW == set()


def test_an_argument_that_is_not_of_ros_is_refused_by_the_node():
    """`depth_node --backend eager` would start with another backend: parameters come after --ros-args."""
    text, status, _ = answer("lircdepth_ros.depth_node", "--backend", "eager", "--ros-args", "-p", "weights:=tiny")
    assert "depth_node: error: unrecognized arguments: --backend eager" in text
    assert status == "2"


def test_synth_offers_every_weather_difficulty_and_split_that_there_is():
    """Its parser names them by itself, since importing the street takes seconds."""
    from lircdepth_core.synthetic.world.builder import DIFFICULTIES
    from lircdepth_core.synthetic.world.splits import SPLITS
    from lircdepth_core.synthetic.world.weather import WEATHERS

    text, _, _ = answer("lircdepth_ros.cli", "synth", "--help")
    for names in (DIFFICULTIES, SPLITS, WEATHERS):
        assert "{" + ",".join(names) + "}" in text


def test_help_ends_with_examples_that_can_be_parsed_and_is_plain_without_a_terminal():
    from lircdepth_ros.cli import EXAMPLES, make_parser

    text, status, _ = answer("lircdepth_ros.cli", "infer", "--help")
    assert (status, "\033[" in text) == ("0", False)
    assert text.rstrip().splitlines()[-2].strip() == EXAMPLES["infer"][0]
    for command, lines in EXAMPLES.items():
        for line in lines:
            if line.startswith("lircdepth "):
                words = shlex.split(line)[1:]
                assert words[0] == command
                make_parser({command}).parse_args(words)


def test_help_has_colours_on_a_terminal_alone(monkeypatch):
    pytest.importorskip("rich_argparse")
    from lircdepth_ros.cli import EXAMPLES, make_parser

    def shown():
        (commands,) = (action for action in make_parser({"infer"})._actions if action.choices)
        return commands.choices["infer"].format_help()

    plain = shown()
    assert "\033[" not in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = shown()
    assert "\033[36m--sample\033[0m" in coloured
    text = re.sub(r"\033\[[0-9;]*m", "", coloured)
    assert text.endswith("\n".join(f"  {line}" for line in EXAMPLES["infer"]) + "\n")
    assert "hf://owner/name[/file]" in "".join(text.split()), "brackets mark no style"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown() == plain


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_commands_and_options(shell, tmp_path):
    """bash runs what shtab wrote; zsh's text is looked at."""
    pytest.importorskip("shtab")
    text, status, _ = answer("lircdepth_ros.cli", "completion", shell)
    assert status == "0"
    script = tmp_path / "completion"
    script.write_text(text)
    if shell == "zsh":
        assert text.startswith("#compdef lircdepth")
        assert "infer-bag" in text
        return
    for words, expected in (("lircdepth inf", "infer infer-bag info"), ("lircdepth infer --samp", "--sample")):
        last = len(words.split()) - 1
        program = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE='{words}'; COMP_POINT={len(words)}; "
            "_shtab_lircdepth; echo ${COMPREPLY[@]}"
        )
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
        assert expected.split()[0] in done.stdout.split(), (done.stdout, done.stderr)


def test_what_a_machine_reads_is_json_and_nothing_else(capsys, tmp_path):
    from lircdepth_ros import cli

    assert cli.main(["info", "--weights", "street", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parts"]["all"]["parameters"] == 12_645_228
    assert found["header"]["model"] == "lircdepth"
    words = ["infer", "--sample", "--weights", "tiny", "-o", str(tmp_path / "depth.npy"), "--json"]
    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["returns_seen"], found["returns"], found["picture"]) == (103, 125, str(tmp_path / "depth.jpg"))
