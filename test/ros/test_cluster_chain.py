# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Scenes are generated, converted, verified, given ground truth and packed on a cluster: the bytes of one process."""

import json
import shutil
import subprocess
import time

import pytest

pytest.importorskip("distributed", reason="the extra cluster is not installed")
pytest.importorskip("nuscenes")
pytest.importorskip("rosbags")

import street_nuscenes
from dask_cluster import Cluster
from lircdepth_core import manifest
from lircdepth_ros import cli


def tree(folder):
    """{relative path: bytes}, but of the manifest its items and hashes: it names processes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == manifest.NAME:
            entries = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = {entry["item"]: entry["files"] for entry in entries}
            assert len(found[name]) == len(entries), f"{name} has an item twice"
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def chain(folder, root, names, *who):
    """Run every command into ``folder``; `synth` first where the data root is to be made. Return what they wrote."""
    bags, dense, frames = (folder / name for name in ("bags", "dense", "frames"))
    sizes = ["--scenes", len(names), "--duration", 0.5, "--image-size", "64x36"]
    data = ["--dataroot", root, "--version", "v1.0-mini"]
    network = ["--weights", "tiny", "--backend", "eager", "--threads", 1]  # sums depend on the number of threads
    commands = {
        "synth": ["-o", root, *sizes],
        "nuscenes-to-bag": [*data, "-o", bags],
        "verify-bag": [*data, *(bags / name for name in names)],
        "ground-truth": [*data, "--split", "all", "--sweeps", 2, "-o", dense],
        "pack": [*data, "--dense", dense, "--shard", 3, "-o", frames],
        "infer-bag": [*(bags / name for name in names), "-o", folder / "depth", *network],
        "eval": [*data, "--split", "all", *network, "-o", folder / "eval"],
    }
    if root.exists():
        del commands["synth"]
    for name, words in commands.items():
        assert cli.main([name, *map(str, words), *map(str, who)]) == 0, name
        if name in ("synth", "nuscenes-to-bag", "ground-truth", "pack", "infer-bag"):
            assert cli.main([name, *map(str, words), "--verify"]) == 0, name
    found = tree(folder)
    images = [json.loads(line) for line in found.pop("eval/images.jsonl").splitlines()]
    for name in ("eval/results.json", "eval/eval.png", "eval/table.txt"):
        found.pop(name)
    return found | {"errors": [{name: image[name] for name in ("image", "errors")} for image in images]}


def namespace(number):
    """Words that run a command in a network namespace of its own, with the address 10.77.N.2."""
    return ("ip", "netns", "exec", f"lircdepth{number}")


@pytest.fixture
def namespaces():
    """Two network namespaces, joined to this one by a bridge with the address 10.77.0.1."""

    def ip(*words):
        return subprocess.run(["ip", *words], check=False, capture_output=True).returncode

    def remove():
        for number in range(2):
            ip("netns", "del", f"lircdepth{number}")
        ip("link", "del", "lircdepth")

    if shutil.which("ip") is None:
        pytest.skip("there is no ip command")
    remove()  # what a killed run left
    if ip("link", "add", "lircdepth", "type", "bridge"):
        pytest.skip("network namespaces are not permitted here")
    try:
        ip("addr", "add", "10.77.0.1/24", "dev", "lircdepth")
        ip("link", "set", "lircdepth", "up")
        for number in range(2):
            name, inner = f"lircdepth{number}", f"lircd{number}"
            ip("netns", "add", name)
            ip("link", "add", inner, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", inner, "master", "lircdepth", "up")
            ip("-n", name, "addr", "add", f"10.77.0.{number + 2}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        remove()


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


def test_two_workers_give_the_bytes_of_one_process(tmp_path):
    root, names = street_nuscenes.write(tmp_path / "root"), ["scene-0001", "scene-0002"]
    alone = chain(tmp_path / "alone", root, names)
    with Cluster(2) as cluster:
        together = chain(tmp_path / "together", root, names, "--cluster", cluster.address)
    assert_same(together, alone)


@pytest.mark.full
def test_twelve_scenes_from_synth_to_frames_on_four_workers_and_in_network_namespaces(tmp_path, namespaces):
    """Minutes: every scene is rendered three times. Prints how long each took."""
    names, seconds = [f"scene-{9001 + number}" for number in range(12)], {}

    def timed(where, *who):
        began = time.monotonic()
        found = chain(tmp_path / where, tmp_path / where / "root", names, *who)
        seconds[where] = round(time.monotonic() - began)
        return found

    alone = timed("one process")
    with Cluster(4) as cluster:
        assert_same(timed("four workers", "--cluster", cluster.address), alone)
    with Cluster(2, host="10.77.0.1", inside=namespace) as cluster:
        assert sorted(address.split(":")[1] for address in cluster.workers()) == ["//10.77.0.2", "//10.77.0.3"]
        assert_same(timed("two namespaces", "--cluster", cluster.address), alone)
    print(seconds)
