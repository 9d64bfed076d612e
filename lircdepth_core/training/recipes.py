# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recipes that inherit: a YAML file names its ``base`` and holds what differs from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lircdepth_core.errors import LircDepthError

_BASE = "base"  # a path, relative to the file
_CLASS = "class_path"
_CONFIG_OPTIONS = ("-c", "--config")


def read(path: str | Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a recipe with what it inherits: mappings are merged, everything else is replaced.

    A mapping with another ``class_path`` than the base's replaces it, too: its arguments are those of another class.
    Raises LircDepthError for a file that is not there, is not YAML, or inherits from itself.
    """
    path = Path(path)
    if path.resolve() in above:
        raise LircDepthError(f"{path}: a recipe inherits from itself")
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise LircDepthError(f"{path}: no such recipe") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LircDepthError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise LircDepthError(f"{path}: expected a mapping of options")
    base = content.pop(_BASE, None)
    return content if base is None else _merged(read(path.parent / base, (*above, path.resolve())), content)


def expanded(arguments: list[str]) -> list[str]:
    """Return words of a command line in which each recipe that has a base is replaced by its whole content."""
    words: list[str] = []
    for word in arguments:
        option, equals, value = word.partition("=")
        if equals and option in _CONFIG_OPTIONS:
            words += [f"{option}={_whole(value)}"]
        else:
            words.append(_whole(word) if words and words[-1] in _CONFIG_OPTIONS else word)
    return words


def _whole(path: str) -> str:
    """Return the content of a recipe that has a base, as YAML; any other word as it is."""
    if "\n" in path or not Path(path).is_file():  # YAML, or for the parser to refuse
        return path
    own = yaml.safe_load(Path(path).read_text()) if path.endswith((".yaml", ".yml")) else None
    return yaml.safe_dump(read(path), sort_keys=False) if isinstance(own, dict) and _BASE in own else path


def _merged(base: dict[str, Any], difference: dict[str, Any]) -> dict[str, Any]:
    if _CLASS in difference and difference[_CLASS] != base.get(_CLASS):
        return difference
    merged = dict(base)
    for name, value in difference.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _merged(base[name], value) if both else value
    return merged
