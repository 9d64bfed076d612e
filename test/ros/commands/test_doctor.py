# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth doctor`: each part of an installation is said to be well, or what mends it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lircdepth_core.dependencies import REQUIRED
from lircdepth_ros import cli, doctor
from paths import REPOSITORY

HAS_ROS = importlib.util.find_spec("rclpy") is not None
needs_ros = pytest.mark.skipif(not HAS_ROS, reason="rclpy is not installed")


def examined(capsys, *words):
    """Return (exit status, {part: finding}) of the command."""
    status = cli.main(["doctor", "--json", *words])
    report = json.loads(capsys.readouterr().out)
    findings = {finding["part"]: finding for finding in report["findings"]}
    assert report["faults"] == sum(finding["status"] == "fault" for finding in report["findings"])
    assert status == (1 if report["faults"] else 0)
    return status, findings


def test_where_the_tests_run_everything_is_well(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    status, findings = examined(capsys)
    assert status == 0, findings
    assert {f"package {module}" for module in REQUIRED.values()} <= set(findings)
    assert findings["weights"]["found"].count("street.safetensors") == 1
    assert findings["cache"]["found"] == f"{tmp_path}/lircdepth: 0 files, 0 MB"
    assert {"Python", "lircdepth", "GPU", "ROS 2", "shared memory", "disk"} <= set(findings)
    assert all(finding["remedy"] for finding in findings.values() if finding["status"] != "ok")


def test_a_line_is_a_part_and_a_remedy_stands_below_it(capsys):
    assert cli.main(["doctor", "--weights", "absent.safetensors"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.split()[:2] == ["FAULT", "weights"])
    assert "absent.safetensors: no such weights file" in lines[at]
    assert lines[at + 1].strip() == "-> name another file with --weights; 'street' ships with the package"
    assert lines[-1] == "faults: 1"


@needs_ros
@pytest.mark.parametrize(
    ("setting", "part", "status", "words", "remedy"),
    [
        ("FASTDDS_DEFAULT_PROFILES_FILE=/absent.xml", "Fast DDS profile", "fault", "no such file", "unset FASTDDS_"),
        ("FASTDDS_DEFAULT_PROFILES_FILE=", "Fast DDS profile", "note", "512 KiB", "export FASTDDS_DEFAULT_"),
        ("FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA", "Fast DDS profile", "ok", "your choice", ""),
        ("RMW_IMPLEMENTATION=rmw_absent_cpp", "ROS 2", "fault", "RMW_IMPLEMENTATION=rmw_absent_cpp", "or unset it"),
        ("AMENT_PREFIX_PATH=/absent", "ROS package", "note", "do not find lircdepth_ros", "source install/setup.bash"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_ros_is_named(monkeypatch, setting, part, status, words, remedy):
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)  # which conftest sets for the nodes
    monkeypatch.setenv(*setting.split("="))
    findings = {finding.part: finding for finding in doctor.examine("tiny")}
    assert findings[part].status == status
    assert words in findings[part].found
    assert remedy in findings[part].remedy


def test_numpy_2_beside_a_distribution_of_numpy_1_is_a_fault(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda requirement: "2.1.0")  # what another environment has
    (finding,) = doctor._numpy({"ROS_DISTRO": "jazzy"})
    assert (finding.status, finding.remedy) == ("fault", "pip install 'numpy<2'")
    assert list(doctor._numpy({"ROS_DISTRO": "rolling"})) == []


def test_small_shared_memory_is_noted(monkeypatch):
    """Docker gives a container 64 MiB."""
    monkeypatch.setattr(doctor, "_SHARED_MEMORY_WANTED", 2**62)
    (finding,) = doctor._shared_memory({})
    assert finding.status == "note"
    assert "docker run --shm-size=1g" in finding.remedy
    assert list(doctor._shared_memory({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})) == []


def test_a_cache_that_cannot_be_written_is_noted(monkeypatch, tmp_path):
    Path(tmp_path, "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (finding,) = doctor._cache()
    assert (finding.status, finding.found) == (
        "note", f"{tmp_path}/file/lircdepth cannot be written to: each start prepares the network anew"
    )  # fmt: skip


def test_a_missing_package_is_a_fault_and_a_broken_one_too(tmp_path):
    """Each other check still answers: the torch that they need is the one that is broken."""
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: cannot open shared object file')")
    (tmp_path / "safetensors.py").write_text("raise ModuleNotFoundError('No module', name='safetensors')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    environment.pop("VIRTUAL_ENV", None)
    command = [sys.executable, "-m", "lircdepth_ros.cli", "doctor", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    findings = {finding["part"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["package torch"]["found"] == "does not load: libtorch_cpu.so: cannot open shared object file"
    assert findings["package torch"]["remedy"] == "install it anew: pip install torch"
    assert findings["package safetensors"]["remedy"] == "pip install safetensors"
    assert done.returncode == 1
