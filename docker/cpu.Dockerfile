# The nodes on ROS 2 Jazzy, with the network on the CPU. Not run yet: only the syntax was checked
# (docs/dev/checked-by-hand.md).
#
#   docker build --file docker/cpu.Dockerfile --tag lircdepth:cpu .
#   docker run --rm --network host --ipc host lircdepth:cpu ros2 launch lircdepth_ros depth.launch.py
#
# --ipc host: images come through the shared memory of the host's processes, for which Docker's own 64 MiB are too few.
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/lircdepth
COPY . src/lircdepth

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rosdep update --rosdistro jazzy \
    && rosdep install --from-paths src --ignore-src -y --rosdistro jazzy --dependency-types=exec --skip-keys \
        "python3-pytorch-pip python3-rosbags-pip python3-nuscenes-devkit-pip python3-onnxruntime-pip" \
    && rm -rf /var/lib/apt/lists/*

# An environment that sees ROS and apt's packages (PEP 668); its Python runs colcon, so that the nodes' scripts name it.
# hadolint ignore=DL3013,SC2046
RUN python3 -m venv --system-site-packages /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu 'numpy<2' \
        $(/opt/venv/bin/python src/lircdepth/lircdepth_core/dependencies.py bags openvino) \
    && source /opt/ros/jazzy/setup.bash \
    && /opt/venv/bin/python -m colcon build --packages-select lircdepth_ros \
    && rm -rf build log

ENTRYPOINT ["/bin/bash", "-c", "source /opt/lircdepth/install/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "lircdepth_ros", "depth.launch.py"]
