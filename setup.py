# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 package for colcon, and the Python packages for pip."""

import runpy
from glob import glob

from setuptools import find_packages, setup

package_name = "lircdepth_ros"
# Run, not imported: the package needs not be importable here.
dependencies = runpy.run_path("lircdepth_core/dependencies.py")
needed, extras = dependencies["needed"], dependencies["EXTRAS"]

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(include=["lircdepth_core*", "lircdepth_ros*"]),
    package_data={"lircdepth_core": ["evaluation/templates/*", "sample/*", "weights/*.safetensors"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        (f"share/{package_name}/launch", glob("launch/*.launch.py")),
        (f"share/{package_name}/config", glob("config/*.*")),
        (f"share/{package_name}/config/radars", glob("config/radars/*.yaml")),
        (f"share/{package_name}/config/viewers", glob("config/viewers/*")),
    ],
    python_requires=">=3.10",
    install_requires=needed(dependencies["REQUIRED"]),
    zip_safe=True,
    url="https://lircdepth.example",
    author="lircdepth maintainers",
    author_email="maintainers@lircdepth.example",
    maintainer="lircdepth maintainers",
    maintainer_email="maintainers@lircdepth.example",
    description="Dense metric depth from one camera and an automotive radar, for ROS 2.",
    license="Apache-2.0",
    extras_require={
        **{extra: needed(packages) for extra, packages in extras.items()},
        "test": ["pytest"],  # how colcon knows that pytest runs the tests
    },
    entry_points={
        "console_scripts": [
            "lircdepth = lircdepth_ros.cli:main",
            "nuscenes_to_bag = lircdepth_ros.cli:nuscenes_to_bag",
            "replay_node = lircdepth_ros.replay_node.__main__:main",
            "depth_node = lircdepth_ros.depth_node.__main__:main",
        ],
    },
)
