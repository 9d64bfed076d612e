# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parameter files (``--params-file``): what is wrong with one is named before rcl looks at it. Needs no ROS."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lircdepth_core.errors import LircDepthError
from lircdepth_core.options import nearest_text

_PARAMETERS = "ros__parameters"


class _Loader(yaml.SafeLoader):
    """Reads what launch writes, too: its lists are tuples of Python."""

    def tuple_items(self, node: yaml.SequenceNode) -> list[Any]:
        """Return the items of a tuple."""
        return list(self.construct_sequence(node))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _Loader.tuple_items)


def named_files(argv: Sequence[str]) -> list[str]:
    """Return the files that a node's command line names after ``--params-file``."""
    return [value for option, value in itertools.pairwise(argv) if option == "--params-file"]


def parameters_by_node(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return {name of the node, such as ``/**`` or ``/ns/node``: {parameter: value}} of a parameter file.

    Raises LircDepthError for a file that is not there, or that is no parameter file.
    """
    try:
        content = yaml.load(Path(path).read_text(), _Loader)
    except OSError as error:
        raise LircDepthError(f"parameter file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LircDepthError(f"parameter file {path} is not YAML: {' '.join(str(error).split())}") from error
    nodes = dict(_nodes("", content)) if isinstance(content, Mapping) else {}
    if not nodes:
        raise LircDepthError(f"parameter file {path} has no '{_PARAMETERS}' below the name of a node, such as '/**'")
    return nodes


def _nodes(name: str, content: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (node, parameters) of a file, in which namespaces may be written one below the other."""
    for key, value in content.items():
        if key == _PARAMETERS and isinstance(value, Mapping | None):
            yield name, dict(value or {})
        elif isinstance(value, Mapping):
            yield from _nodes(f"{name}/{str(key).strip('/')}", value)


def parameters_of(path: str | Path, node: str) -> dict[str, Any]:
    """Return {parameter: value} that a file sets of a node. node: the full name. Raises as ``parameters_by_node``."""
    values: dict[str, Any] = {}
    for pattern, parameters in parameters_by_node(path).items():
        if _matches(pattern, node):
            values |= dict(_flat("", parameters))
    return values


def _flat(prefix: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (parameter, value), as rcl reads them: ``CAM_BACK: {image_topic: ...}`` is ``CAM_BACK.image_topic``."""
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def unmatched_text(path: str | Path, node: str) -> str:
    """Return what to say about a file none of whose names is that of a node, or an empty text.

    node: the full name, such as ``/ego/depth_node``. Raises LircDepthError as ``parameters_by_node`` does.
    """
    names = parameters_by_node(path)
    if any(_matches(pattern, node) for pattern in names):
        return ""
    return (
        f"parameter file {path} sets nothing of {node}: it is for {', '.join(names)}{nearest_text(node, names)} "
        "('/**' is for every node)"
    )


def _matches(pattern: str, node: str) -> bool:
    """Return whether a name in a parameter file is a node's: ``*`` stands for one part, ``**`` for any number."""
    expression = "".join(
        "(/[^/]+)*" if part == "**" else "/[^/]+" if part == "*" else f"/{re.escape(part)}"
        for part in pattern.strip("/").split("/")
    )
    return re.fullmatch(expression, node) is not None
