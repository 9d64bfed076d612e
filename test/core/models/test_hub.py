# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights of the Hugging Face hub: without a network, from its cache; what is missing is one line."""

import os
import re
import socket
import subprocess
import sys

import pytest

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints
from paths import REPOSITORY

PROGRAM = """
import sys
from lircdepth_ros import cli
sys.exit(max(cli.main(["info", "--size", "64x96", "--weights", name]) for name in sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "name", ["hf://", "hf://owner", "hf://owner/name/weights.pth", "hf://owner/name@", "hf:///name", "hf://a/b?c"]
)
def test_a_malformed_name_is_one_line(name):
    with pytest.raises(LircDepthError, match="expected hf://owner/name, with @revision") as info:
        checkpoints.load(name)
    assert str(info.value).startswith(f"{name}: ")


def info(*names, home, **environment):
    """Run `lircdepth info` on weights, one after the other, for a user with a hub's cache below a folder."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=REPOSITORY,
        env=os.environ | {"HF_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def cached(tmp_path):
    """A hub's cache, as huggingface_hub lays it out, with two files of one repository; its folder."""
    pytest.importorskip("huggingface_hub")
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub/models--owner--street.v1"
    for name, trained_on in (("model", "roads"), ("small/b", "lanes")):
        path = repository / f"snapshots/{commit}/{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        network, _ = checkpoints.random_weights("tiny")
        checkpoints.save(path, network, checkpoints.Header(model="tiny", trained_on=trained_on))
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    return tmp_path


def test_what_is_in_the_cache_is_taken_without_asking_the_hub(cached):
    """A vehicle has no network, and waits for no answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        name = "hf://owner/street.v1"
        done = info(name, f"{name}@main", f"{name}/small/b.safetensors", home=cached, HF_ENDPOINT=endpoint)
        assert done.returncode == 0, done.stderr
        assert re.findall(r"trained_on +(\w+)", done.stdout) == ["roads", "roads", "lanes"]
        assert done.stderr == ""
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_without_a_network_what_is_not_in_the_cache_is_one_line(cached):
    done = info("hf://owner/another", home=cached, HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "hf://owner/another: cannot be downloaded: " in line
