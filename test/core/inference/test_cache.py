# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Engines and measurements come from the cache, and a damaged cache costs time alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from backend_checks import SIZE, example, run
from lircdepth_core.errors import LircDepthError
from lircdepth_core.inference import cache as module
from lircdepth_core.inference.backends import auto
from lircdepth_core.inference.backends.opening import open_backend
from lircdepth_core.inference.cache import Cache
from lircdepth_core.models import checkpoints
from paths import REPOSITORY


def inodes(folder):
    """Return the inode of each entry's file: an entry that is made anew has another one."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


@pytest.mark.parametrize(("name", "kinds"), [("onnxruntime", {".onnx"}), ("openvino", {".onnx", ".openvino"})])
def test_the_second_start_reads_what_the_first_made(tiny, tmp_path, caplog, name, kinds):
    run(tiny, name, tmp_path)
    made = inodes(tmp_path)
    assert {Path(entry).suffix for entry in made} == kinds
    run(tiny, name, tmp_path)
    assert inodes(tmp_path) == made
    assert not caplog.records


@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "auto"])
def test_the_network_is_only_built_where_nothing_is_kept(tiny, tmp_path, name):
    built = []

    def network():
        built.append(name)
        return tiny

    depths = []
    for _ in range(2):
        try:
            backend = open_backend(network, name=name, device="cpu", weights_sha256="0" * 64, cache=tmp_path)
        except LircDepthError as error:
            pytest.skip(str(error))
        backend.warm_up(*SIZE)
        depths.append(backend.infer(*example()))
        assert (
            built == [name] or "eager" in backend.describe().partition("(")[0]
        )  # the eager backend runs the network itself
    assert torch.equal(*depths)


COMPILE = """
import os
import sys
import torch
from lircdepth_core.models import checkpoints
from lircdepth_core.inference.backends.opening import open_backend
checkpoints.load("random")  # imports torchvision, which sets PyTorch's own default
assert "TORCHINDUCTOR_CACHE_DIR" in os.environ
network = checkpoints.random_weights("tiny")[0]
backend = open_backend(network, name="compiled", device="cpu", threads=1, cache=sys.argv[1])
backend.warm_up(64, 96)
image, radar = torch.rand(1, 3, 64, 96), torch.rand(1, 4, 64, 96)
with torch.inference_mode():
    torch.testing.assert_close(backend.infer(image, radar), network(image, radar).depth)
"""


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on a CPU")
def test_what_the_compiler_made_is_kept_and_a_damaged_entry_is_made_anew(tmp_path):
    """The compiler is a script that notes each call and starts the real one."""
    noted, compiler, cache = tmp_path / "noted", tmp_path / "g++", tmp_path / "cache"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {noted}\nexec {shutil.which("g++")} "$@"\n')
    compiler.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    environment |= {"CXX": str(compiler), "TMPDIR": str(tmp_path)}

    def compiled():
        """Run in a process of its own; return how many files it compiled, and its standard error."""
        noted.write_text("")
        done = subprocess.run(
            [sys.executable, "-c", COMPILE, cache],
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not list(tmp_path.glob("lircdepth-compiled-*")), "the process left its folder behind"
        return sum(".so" in line for line in noted.read_text().splitlines()), done.stderr

    first, _ = compiled()
    (entry,) = cache.iterdir()
    assert entry.suffix == ".inductor"
    second, said = compiled()
    assert first > second == 0
    assert "made anew" not in said
    flip_a_bit(entry)
    third, said = compiled()
    assert third == first
    assert f"{entry}: cache entry is made anew: truncated or changed" in said


def test_other_weights_get_other_entries(tiny, tmp_path):
    run(tiny, "openvino", tmp_path)
    made = inodes(tmp_path)
    other, _ = checkpoints.random_weights("tiny", seed=1)
    run(other, "openvino", tmp_path)
    assert len(inodes(tmp_path)) == 2 * len(made)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "auto"])
def test_damaged_entries_are_made_anew(tiny, tmp_path, caplog, damage, name):
    """Native readers of these formats may crash on damaged data, so that it must never reach them."""
    run(tiny, name, tmp_path)
    made = inodes(tmp_path)
    for path in tmp_path.iterdir():
        damage(path)
    run(tiny, name, tmp_path)
    lines = [record.getMessage() for record in caplog.records]
    assert lines
    assert all("made anew: truncated or changed" in line for line in lines)
    assert inodes(tmp_path).keys() == made.keys()
    caplog.clear()
    run(tiny, name, tmp_path)
    assert not caplog.records


def test_an_entry_of_another_key_is_made_anew(tiny, tmp_path, caplog):
    """Such an entry is whole, but its content belongs to another key."""
    run(tiny, "onnxruntime", tmp_path)
    (entry,) = tmp_path.iterdir()
    other, _ = checkpoints.random_weights("tiny", seed=1)
    run(other, "onnxruntime", tmp_path / "other")
    (stale,) = (tmp_path / "other").iterdir()
    shutil.copy(stale, entry)
    run(tiny, "onnxruntime", tmp_path)
    assert "made anew" in caplog.text


@pytest.mark.parametrize("name", ["openvino", "auto"])
def test_a_cache_that_cannot_be_written_costs_one_warning(tiny, tmp_path, caplog, name):
    (tmp_path / "file").touch()
    run(tiny, name, tmp_path / "file" / "cache")
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()


def test_the_default_cache_is_where_xdg_says(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run(tiny, "onnxruntime", None)
    assert [path.suffix for path in (tmp_path / "lircdepth").iterdir()] == [".onnx"]


def test_only_the_caches_own_entries_are_removed_and_the_oldest_first(tmp_path, monkeypatch):
    """A user may name a folder that holds other things: seven of thirty pictures were once removed from one."""
    monkeypatch.setattr(module, "_BYTES_KEPT", 5_000)
    foreign = [tmp_path / name for name in ("a.png", "0123456789abcdef0123456789abcdef.png", "notes.onnx", "f" * 32)]
    for path in foreign:
        path.write_bytes(bytes(10_000))
    (tmp_path / "0123456789abcdef0123456789abcdef.onnx").mkdir()
    cache = Cache(tmp_path)
    for number in range(8):
        cache.get("onnx", number, lambda: bytes(1_000), len)
        for path in tmp_path.glob("*.onnx"):  # in the order in which they were made, on coarse clocks, too
            if path.is_file() and path not in foreign and path.stat().st_atime > 1_000:
                os.utime(path, (number, number))
    assert all(path.read_bytes() == bytes(10_000) for path in foreign)
    assert (tmp_path / "0123456789abcdef0123456789abcdef.onnx").is_dir()
    made = []
    for number in range(8):
        cache.get("onnx", number, lambda number=number: made.append(number) or bytes(1_000), len)
    assert made[0] == 0, "the oldest ones were removed"
    own = [path for path in tmp_path.glob("*.onnx") if path.is_file() and path not in foreign]
    assert sum(path.stat().st_size for path in own) <= 5_000
    assert len(own) == 4


def test_an_entry_that_is_larger_than_the_bound_is_kept_until_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BYTES_KEPT", 500)
    cache, made = Cache(tmp_path), []
    for _ in range(2):
        assert cache.get("onnx", 1, lambda: made.append(1) or bytes(1_000), len) == 1_000
    assert made == [1]


def test_times_that_were_measured_on_a_busy_machine_are_measured_again(tiny, tmp_path, monkeypatch):
    """Up to three times in all, since a machine may never be idle; times of an idle machine stand."""
    measured = []
    original = auto.AutoBackend._measured
    monkeypatch.setattr(auto.AutoBackend, "_measured", lambda *given: measured.append(1) or original(*given))

    def start(busy):
        monkeypatch.setattr(auto, "_BUSY_SHARE", -1.0 if busy else 2.0)
        backend = open_backend(tiny, name="auto", device="cpu", cache=tmp_path)
        backend.warm_up(*SIZE)
        return len(measured)

    assert [start(busy=True) for _ in range(5)] == [1, 2, 3, 3, 3]
    for entry in tmp_path.glob("*.auto.json"):  # the documented way to measure again
        entry.unlink()
    assert [start(busy) for busy in (True, False, True, True)] == [4, 5, 5, 5]


def test_work_of_others_is_told_from_ones_own():
    """Another process that uses a core for a while is seen; this one's own work is not."""
    if not Path("/proc/stat").exists():
        pytest.skip("no /proc")
    others = auto._OtherWork()
    subprocess.run([sys.executable, "-c", "x = 0\nfor i in range(20_000_000): x += i"], check=True)
    assert others.share() > 0.2 / (os.cpu_count() or 1)
