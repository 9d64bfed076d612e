# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The device that a network runs on: which one it is, its processor's name, and how its memory behaves."""

import ctypes
import functools
import hashlib
import os
from pathlib import Path

import torch

from lircdepth_core.errors import LircDepthError

# Parameters of glibc's mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 256 * 2**20
# Texts of the errors by which PyTorch's allocator, oneDNN, C++, and both ONNX Runtime and OpenVINO report that memory
# is exhausted.
_OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "could not create a primitive",
    "std::bad_alloc",
    "Failed to allocate",
)


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """Return the torch.device for "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Raises LircDepthError when the name is another one, and when the machine does not have the device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise LircDepthError(f"device '{name}': expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise LircDepthError(f"device '{name}': expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise LircDepthError(f"device '{name}' was asked for, but PyTorch sees {torch.cuda.device_count()} GPUs")
    return device


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a backend's error means that the memory of the device, or of the machine, is exhausted."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        text in str(error) for text in _OUT_OF_MEMORY_TEXTS
    )


def keep_freed_memory() -> None:
    """Make glibc keep what a forward pass frees for the next one.

    By default glibc gives every large block back to the kernel, and a frame then spends more time on page faults than
    on arithmetic. With another C library this function does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, _TOP_PAD_BYTES)


@functools.cache
def cpu_name() -> str:
    """Return the processor's name and a digest of its instruction sets, by which an engine may have been chosen."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    except OSError:
        lines = {}
    lines = {name.strip(): value.strip() for name, value in lines.items()}
    flags = lines.get("flags", lines.get("Features", ""))
    return f"{lines.get('model name', os.uname().machine)} {hashlib.sha256(flags.encode()).hexdigest()[:8]}"
