# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights of the Hugging Face hub, by names such as hf://owner/name, hf://owner/name@revision or hf://owner/name/file."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from lircdepth_core.errors import LircDepthError
from lircdepth_core.packages import import_package

PREFIX = "hf://"
_DEFAULT_FILE = "model.safetensors"  # of a repository, as the hub's own libraries have it
_NAME = re.compile(PREFIX + r"([\w.-]+/[\w.-]+)(?:@([\w.-]+))?(?:/([\w./-]+\.safetensors))?")


def is_name(weights: str | Path) -> bool:
    """Return whether weights are given by a name of the hub."""
    return str(weights).startswith(PREFIX)


@functools.cache  # so that a process reads header and tensors of one file
def file_of(name: str) -> Path:
    """Return the path of a file of the hub in huggingface_hub's cache, to which it is downloaded where it is missing.

    A file that is there is taken as it is, without asking the hub: a node starts without a network, and weights change
    only where the cache is renewed (`hf download owner/name`). Nothing but safetensors, which hold no code, is taken.
    Raises LircDepthError for a malformed name, without the package huggingface_hub, and where the download fails.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise LircDepthError(f"{name}: expected {PREFIX}owner/name, with @revision or /file.safetensors where you like")
    repository, revision, file = found[1], found[2], found[3] or _DEFAULT_FILE
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    hub = import_package("huggingface_hub")
    try:
        cached = hub.try_to_load_from_cache(repository, file, revision=revision)
        return Path(cached if isinstance(cached, str) else hub.hf_hub_download(repository, file, revision=revision))
    except (OSError, ValueError) as error:  # those of the network and of the hub, and of names that it does not take
        raise LircDepthError(f"{name}: cannot be downloaded: {' '.join(str(error).split())}") from error
