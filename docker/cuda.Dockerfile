# The nodes on ROS 2 Jazzy, with the network on a GPU of NVIDIA: PyTorch with CUDA, and ONNX Runtime with TensorRT. Not run
# yet: only the syntax was checked (docs/dev/checked-by-hand.md).
#
#   docker build --file docker/cuda.Dockerfile --tag lircdepth:cuda .
#   docker run --rm --gpus all --network host --ipc host --volume lircdepth_cache:/root/.cache/lircdepth lircdepth:cuda \
#       ros2 launch lircdepth_ros depth.launch.py backend:=onnxruntime precision:=float16
#
# Needs NVIDIA's container toolkit and a driver of CUDA 12. The volume keeps engines, which take minutes to build.
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

# PyTorch's builds of CUDA 12 bring CUDA and cuDNN along; ONNX Runtime's and TensorRT's are of CUDA 12, too.
# hadolint ignore=DL3013,SC2046
RUN python3 -m venv --system-site-packages /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cu128 \
        'numpy<2' onnx onnxruntime-gpu 'tensorrt-cu12<11' \
        $(/opt/venv/bin/python src/lircdepth/lircdepth_core/dependencies.py bags) \
    && source /opt/ros/jazzy/setup.bash \
    && /opt/venv/bin/python -m colcon build --packages-select lircdepth_ros \
    && rm -rf build log

# Where pip puts the libraries of TensorRT and cuDNN, which ONNX Runtime looks for by name.
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.12/site-packages/tensorrt_libs:/opt/venv/lib/python3.12/site-packages/nvidia/cudnn/lib
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

ENTRYPOINT ["/bin/bash", "-c", "source /opt/lircdepth/install/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "lircdepth_ros", "depth.launch.py"]
