# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The packages that this one needs: what setup.py declares, and what messages and `lircdepth doctor` name.

Run as a program it prints what is to be installed, for environments where colcon installs the package itself:

    pip install $(python3 lircdepth_core/dependencies.py bags openvino)

Imports nothing but the standard library, since setup.py reads it before anything is installed. requirements.txt has the
versions that the tests run with; a bound stands here only where another version is known not to work.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from importlib import metadata

# {requirement: module that it is imported as}: of the depth node and `lircdepth infer`.
REQUIRED = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "platformdirs": "platformdirs",
    "pyyaml": "yaml",
    "safetensors": "safetensors",
    "tabulate": "tabulate",
    "torch": "torch",
    "torchvision": "torchvision",
    "tqdm": "tqdm",
}

# By extra. bags: recordings, and point files. hub: weights by name of the Hugging Face hub. view: pictures, viewers.
# cluster: --cluster. store: packed frames in an object store. report: pages of HTML.
EXTRAS = {
    "bags": {"pypcd4": "pypcd4", "rosbags>=0.11": "rosbags"},
    "nuscenes": {"nuscenes-devkit>=1.2": "nuscenes", "pyquaternion": "pyquaternion"},
    "view": {"foxglove-sdk": "foxglove", "matplotlib": "matplotlib", "viser": "viser"},
    "report": {"jinja2": "jinja2", "plotly": "plotly"},
    "train": {
        "jsonargparse[signatures]": "jsonargparse",
        "lightning": "lightning",
        "matplotlib": "matplotlib",
        "scipy": "scipy",
        "tensorboard": "tensorboard",
        "torchdata": "torchdata",
        "torchmetrics": "torchmetrics",
    },
    "onnx": {"onnx": "onnx", "onnxruntime": "onnxruntime"},
    "hub": {"huggingface_hub": "huggingface_hub"},
    "openvino": {"onnx": "onnx", "openvino": "openvino"},
    "cluster": {"dask": "dask", "dask-jobqueue": "dask_jobqueue", "distributed": "distributed"},
    "store": {"fsspec": "fsspec", "s3fs": "s3fs"},
    "completion": {"rich-argparse": "rich_argparse", "shtab": "shtab"},
    "docs": {"latex2mathml": "latex2mathml", "mkdocs-material": "material", "mkdocstrings[python]": "mkdocstrings"},
    "dev": {
        "build": "build",
        "flask-cors": "flask_cors",
        "moto[s3]": "moto",
        "hypothesis": "hypothesis",
        "import-linter": "importlinter",
        "mcap": "mcap",
        "mcap-ros2-support": "mcap_ros2",
        "mypy": "mypy",
        "pytest<8.4": "pytest",  # colcon's option --pytest-args does not reach a later one
        "pytest-xdist": "xdist",
        "ruff": "ruff",
        "types-PyYAML": "",
        "types-tabulate": "",
        "types-tqdm": "",
    },
}


def needed(packages: dict[str, str]) -> list[str]:
    """Return the requirements that pip should know of: those whose module is not here without pip's knowledge.

    Debian and Ubuntu have OpenCV's module without a description of its distribution. A requirement of it would have pip
    install a second copy, and the scripts of colcon's packages end where pkg_resources is imported.
    """
    return [requirement for requirement, module in packages.items() if not _is_unknown_to_pip(requirement, module)]


def _is_unknown_to_pip(requirement: str, module: str) -> bool:
    try:
        metadata.distribution(re.split(r"[\[<>=!~]", requirement)[0])
    except metadata.PackageNotFoundError:
        return bool(module) and importlib.util.find_spec(module) is not None
    return False


def main(extras: Iterable[str]) -> None:
    """Print what the node needs, and what the extras need."""
    packages = dict(REQUIRED)
    for extra in extras:
        if extra not in EXTRAS:
            sys.exit(f"{extra} is no extra; there are {', '.join(EXTRAS)}")
        packages |= EXTRAS[extra]
    print(*needed(packages), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
