# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Looks at an installation and says of each part what was found, and what mends it where something is wrong.

Every check stands alone and runs where the packages of the others are missing. A fault stops the node or `lircdepth
infer`; a note is something that they run without.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from lircdepth_core.dependencies import EXTRAS, REQUIRED
from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import remedy
from lircdepth_core.version import DISTRIBUTION, version
from lircdepth_ros import dds

OK, NOTE, FAULT = "ok", "note", "fault"

_PYTHONS = ((3, 10), (3, 12))
_NUMPY_1_DISTRIBUTIONS = ("humble", "iron", "jazzy", "kilted")  # whose cv_bridge is compiled for NumPy 1
_OPENCV = {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}
_SHARED_MEMORY = Path("/dev/shm")
_SHARED_MEMORY_WANTED = 256 * 2**20  # bytes: the profile's segments of the camera, the node and two listeners
_RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")
_RECEIVE_BUFFER_WANTED = 10 * 2**20  # bytes: two raw images of 1600x900 that arrive in fragments
_DISK_WANTED = 2 * 10**9  # bytes: engines and graphs of a few networks
_ROS_TIMEOUT_S = 60.0
# In a process of its own: a middleware that does not load may end it.
_ASK_ROS = """
import rclpy
print(rclpy.get_rmw_implementation_identifier())
from importlib.util import find_spec
print("yes" if find_spec("tf2_ros") else "")
from ament_index_python.packages import get_package_prefix
try:
    print(get_package_prefix("lircdepth_ros"))
except (LookupError, OSError):  # not there, or nothing is sourced
    print("")
"""


class Finding(NamedTuple):
    """What was found of one part. status: OK, NOTE or FAULT. remedy: what to do; empty where nothing is to be done."""

    part: str
    status: str
    found: str
    remedy: str = ""


def examine(weights: str, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return the findings of all checks. weights: a file, or a name such as "street"."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _itself,
        _required_packages,
        lambda: _numpy(environment),
        _opencv,
        _extras,
        _gpu,
        lambda: _ros(environment),
        lambda: _shared_memory(environment),
        lambda: _weights(weights),
        _cache,
    ]
    return [finding for check in checks for finding in check()]


def _python() -> Iterator[Finding]:
    found = f"{sys.version.split()[0]}, {sys.executable}"
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        yield Finding("Python", NOTE, found, "the tests run with Python 3.10, 3.11 and 3.12")
    else:
        yield Finding("Python", OK, found)


def _itself() -> Iterator[Finding]:
    place = Path(__file__).parents[1]
    copies = {str(found.locate_file("")) for found in metadata.distributions(name=DISTRIBUTION)}
    if len(copies) > 1:
        yield Finding(
            "lircdepth",
            NOTE,
            f"{version()}, {place}; installed in {', '.join(sorted(copies))}",
            f"the one in {place} runs; remove the others (pip uninstall {DISTRIBUTION})",
        )
    else:
        yield Finding("lircdepth", OK, f"{version()}, {place}")


def _required_packages() -> Iterator[Finding]:
    for requirement, module in REQUIRED.items():
        part = f"package {module}"
        try:
            if module == "torchvision":
                from lircdepth_core.models.common.torchvision_loader import load_torchvision

                load_torchvision()
            imported = importlib.import_module(module)
        except ModuleNotFoundError as error:
            yield Finding(part, FAULT, f"no module {error.name}", remedy(error))
        except Exception as error:  # whatever a broken installation raises
            text = " ".join(str(error).split())
            yield Finding(part, FAULT, f"does not load: {text}", f"install it anew: pip install {requirement}")
        else:
            yield Finding(part, OK, _version(requirement) or str(getattr(imported, "__version__", "unknown version")))


def _version(requirement: str) -> str:
    try:
        return metadata.version(re.split(r"[\[<>=]", requirement)[0])
    except metadata.PackageNotFoundError:
        return ""


def _numpy(environment: Mapping[str, str]) -> Iterator[Finding]:
    distribution, found = environment.get("ROS_DISTRO", ""), _version("numpy")
    if distribution in _NUMPY_1_DISTRIBUTIONS and found and int(found.partition(".")[0]) > 1:
        text = f"{found}, and ROS 2 {distribution} is compiled for NumPy 1"
        yield Finding("NumPy and ROS", FAULT, text, "pip install 'numpy<2'")


def _opencv() -> Iterator[Finding]:
    names = {(found.metadata["Name"] or "").lower() for found in metadata.distributions()} & _OPENCV
    places = {str(Path(folder)) for folder in sys.path if folder and any(Path(folder).glob("cv2*"))}
    if len(names) > 1 or len(places) > 1:
        text = f"{len(places)} copies: {', '.join(sorted(places))} ({', '.join(sorted(names))})"
        yield Finding("OpenCV", NOTE, text, "keep one; in a ROS installation that of apt (python3-opencv)")


def _extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        if extra == "dev":
            continue
        missing = [module for module in packages.values() if importlib.util.find_spec(module) is None]
        if missing:
            text = f"missing: {', '.join(missing)}"
            yield Finding(f"extra {extra}", NOTE, text, f"where you need it: pip install 'lircdepth_ros[{extra}]'")
        else:
            found = (f"{module} {_version(requirement)}".strip() for requirement, module in packages.items())
            yield Finding(f"extra {extra}", OK, ", ".join(found))


def _gpu() -> Iterator[Finding]:
    try:
        import torch
    except Exception:  # of a package that does not load, which the packages' check reports
        return
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            yield Finding("GPU", OK, f"{properties.name}, {memory:.0f} GiB, CUDA {torch.version.cuda}")
    elif Path("/proc/driver/nvidia/version").exists():
        found = f"there is a driver of NVIDIA, but PyTorch {torch.__version__} sees no GPU"
        yield Finding("GPU", NOTE, found, "install a build of PyTorch for the driver's CUDA: see pytorch.org")
    else:
        yield Finding("GPU", OK, "none: the network runs on the CPU")


def _ros(environment: Mapping[str, str]) -> Iterator[Finding]:
    if importlib.util.find_spec("rclpy") is None:
        mend = "for the nodes: source /opt/ros/DISTRIBUTION/setup.bash; everything else runs without"
        yield Finding("ROS 2", NOTE, "no rclpy", mend)
        return
    command = [sys.executable, "-c", _ASK_ROS]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=_ROS_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("ROS 2", FAULT, f"rclpy did not answer within {_ROS_TIMEOUT_S:.0f} s", "start a new shell")
        return
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        wanted = environment.get("RMW_IMPLEMENTATION")
        mend = "install the middleware that RMW_IMPLEMENTATION names, or unset it" if wanted else "install ROS 2 anew"
        found = f"rclpy does not load (RMW_IMPLEMENTATION={wanted or ''}): {lines[-1]}"
        yield Finding("ROS 2", FAULT, found, mend)
        return
    middleware, tf2, prefix = (done.stdout.splitlines() + ["", "", ""])[:3]
    distribution = environment.get("ROS_DISTRO", "of wheels, without a distribution's name")
    domain = environment.get("ROS_DOMAIN_ID", "0")
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    yield Finding("ROS 2", OK, f"{distribution}, {middleware}, domain {domain}, discovery {reach}")
    if not tf2:
        mend = "set calibration_file, or install tf2_ros (apt: ros-DISTRIBUTION-tf2-ros-py)"
        yield Finding("tf2", NOTE, "not installed: the node reads no transforms", mend)
    if not prefix:
        mend = "build with colcon and source install/setup.bash; python -m lircdepth_ros.depth_node runs without"
        yield Finding("ROS package", NOTE, "ros2 run and ros2 launch do not find lircdepth_ros", mend)
    else:
        yield Finding("ROS package", OK, prefix)
    if "fastrtps" in middleware:
        yield _profile(environment)
    elif "cyclonedds" in middleware:
        yield from _receive_buffer()


def _profile(environment: Mapping[str, str]) -> Finding:
    part = "Fast DDS profile"
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        path = environment.get(name)
        if path and not Path(path).is_file():
            return Finding(part, FAULT, f"{name}={path}: no such file", f"name a file, or unset {name}")
        if path:
            return Finding(part, OK, f"{name}={path}")
    if environment.get("FASTDDS_BUILTIN_TRANSPORTS"):
        return Finding(part, OK, f"FASTDDS_BUILTIN_TRANSPORTS={environment['FASTDDS_BUILTIN_TRANSPORTS']}, your choice")
    ((name, path),) = dds.profile_environment({**environment, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}).items()
    found = "not set in this shell: images above 512 KiB are lost between processes; the launch files set it for theirs"
    return Finding(part, NOTE, found, f"wherever large images are published: export {name}={path}")


def _receive_buffer() -> Iterator[Finding]:
    try:
        size = int(_RECEIVE_BUFFER.read_text())
    except OSError:
        return
    if size < _RECEIVE_BUFFER_WANTED:
        mend = "images in many fragments are lost: sudo sysctl -w net.core.rmem_max=2147483647"
        yield Finding("receive buffer", NOTE, f"net.core.rmem_max is {size} bytes", mend)
    else:
        yield Finding("receive buffer", OK, f"net.core.rmem_max is {size} bytes")


def _shared_memory(environment: Mapping[str, str]) -> Iterator[Finding]:
    if environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp" or not _SHARED_MEMORY.is_dir():
        return
    free = shutil.disk_usage(_SHARED_MEMORY).free
    found = f"{free / 2**20:.0f} MiB free in {_SHARED_MEMORY}"
    if free < _SHARED_MEMORY_WANTED:
        mend = "in a container: docker run --shm-size=1g; else: remove what fills it (fastdds shm clean)"
        yield Finding("shared memory", NOTE, found, mend)
    else:
        yield Finding("shared memory", OK, found)


def _weights(weights: str) -> Iterator[Finding]:
    part = "weights"
    try:
        from lircdepth_core.models import checkpoints
    except Exception:  # of a package that does not load, which the packages' check reports
        return
    if weights in checkpoints.UNTRAINED:
        yield Finding(part, OK, f"{weights}: untrained")
        return
    try:
        path = checkpoints.file_of(weights)
        header = checkpoints.read_header(path)
    except (LircDepthError, OSError) as error:
        yield Finding(part, FAULT, str(error), "name another file with --weights; 'street' ships with the package")
    except Exception:  # of a package that does not load, which the packages' check reports
        return
    else:
        texts = (f"{path}: {header.model}, trained on {header.trained_on}", header.caution)
        yield Finding(part, OK, "; ".join(filter(None, texts)))


def _cache() -> Iterator[Finding]:
    try:
        from lircdepth_core.inference.cache import Cache

        folder = Cache().folder
    except Exception:  # of a package that does not load, which the packages' check reports
        return
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        found = f"{folder} cannot be written to: each start prepares the network anew"
        yield Finding("cache", NOTE, found, f"make {there} a folder that you may write to, or set XDG_CACHE_HOME")
        return
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files)
    yield Finding("cache", OK, f"{folder}: {len(files)} files, {size / 1e6:.0f} MB")
    free = shutil.disk_usage(there).free
    status, mend = (OK, "") if free >= _DISK_WANTED else (NOTE, f"engines take up to {_DISK_WANTED / 1e9:.0f} GB there")
    yield Finding("disk", status, f"{free / 1e9:.1f} GB free where the cache is", mend)
