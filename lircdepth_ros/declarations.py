# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is made from the declarations of parameters: parameter files, their JSON schemas, layouts, tables of the docs.

``python -m lircdepth_ros.declarations`` writes them into a source tree; a test compares them. Needs no ROS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lircdepth_core.options import Option
from lircdepth_ros import layouts
from lircdepth_ros.depth_node import settings as depth_settings
from lircdepth_ros.replay_node import settings as replay_settings

_LINE_LENGTH = 120
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_DOCUMENT = "docs/node.md"


@dataclass(frozen=True)
class ParameterSet:
    """Parameters that belong together. name: of the parameter file, its schema and its table; title: in words."""

    name: str
    title: str
    options: Sequence[Option]


SETS = (
    ParameterSet("model", "The depth node's network", depth_settings.MODEL_PARAMETERS),
    ParameterSet("depth", "The depth node", depth_settings.NODE_PARAMETERS),
    ParameterSet("replay", "The replay node", replay_settings.PARAMETERS),
)


def parameter_file(parameters: ParameterSet) -> str:
    """Return a parameter file that sets every parameter to its default, with its meaning above it."""
    lines = [
        f"# yaml-language-server: $schema={parameters.name}.schema.json",
        f"# {parameters.title}: every parameter with its default.",
        "# LIVE: may be changed while the node works; the others only before.",
        "/**:",
        "  ros__parameters:",
    ]
    for option in parameters.options:
        remark = "LIVE. " if option.live else ""
        lines.append(f"    # {remark}{option.help_with_choices}{_range_text(option)}")
        lines.append(f"    {option.name}: {_yaml(option)}")
    return "\n".join(lines) + "\n"


def schema(parameters: ParameterSet) -> dict[str, Any]:
    """Return the JSON schema of a parameter file: types, ranges and choices; a name that is not known is refused."""
    described: dict[str, Any] = {option.name: _property(option) for option in parameters.options}
    described["use_sim_time"] = {"type": "boolean", "description": "Take the time from /clock."}
    described["qos_overrides"] = {"type": "object", "description": "QoS of topics, as everywhere in ROS 2."}
    node = {"properties": {"ros__parameters": {"$ref": "#/definitions/parameters"}}, "required": ["ros__parameters"]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{parameters.title}: parameters",
        "type": "object",
        "additionalProperties": {"type": "object", **node},
        "definitions": {
            "parameters": {"type": "object", "properties": described, "additionalProperties": False},
        },
    }


def table(parameters: ParameterSet) -> str:
    """Return the table of parameters for the documentation."""
    rows = [f"| `{option.name}` | `{_yaml(option)}` | {option.help} |" for option in parameters.options]
    return "\n".join(["| parameter | default | meaning |", "|---|---|---|", *rows]) + "\n"


def with_tables(text: str) -> str:
    """Return a document whose tables between ``<!-- parameters: NAME -->`` and ``<!-- end -->`` are made anew."""
    by_name = {parameters.name: parameters for parameters in SETS}
    return re.sub(
        r"(<!-- parameters: (\w+) -->\n).*?(?=<!-- end -->)",
        lambda match: match[1] + table(by_name[match[2]]),
        text,
        flags=re.DOTALL,
    )


def made_files(root: Path) -> dict[Path, str]:
    """Return {file: its text} of everything that is made from the declarations, below a source tree."""
    files = {root / "config" / f"{parameters.name}.schema.json": _json(schema(parameters)) for parameters in SETS}
    files |= {root / "config" / f"{parameters.name}.yaml": parameter_file(parameters) for parameters in SETS}
    files |= {root / "config/viewers" / name: text for name, text in layouts.shipped().items()}
    document = root / _DOCUMENT
    return {**files, document: with_tables(document.read_text())}


def _yaml(option: Option) -> str:
    value = list(option.default) if isinstance(option.default, tuple) else option.default
    if value == "":
        return '""'
    return str(yaml.safe_dump(value, default_flow_style=True, width=_LINE_LENGTH)).removesuffix("\n...\n").strip()


def _range_text(option: Option) -> str:
    return "" if option.minimum is None else f" {option.minimum:g} to {option.maximum:g}."


def _property(option: Option) -> dict[str, Any]:
    described: dict[str, Any] = {"description": option.help}
    if isinstance(option.default, tuple):
        texts: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1 if option.default else 0}
        described |= {"anyOf": [texts, {"type": "string"}], "default": list(option.default)}
        return described
    described |= {"type": _JSON_TYPES[type(option.default)], "default": option.default}
    if option.minimum is not None:
        described |= {"minimum": option.minimum, "maximum": option.maximum}
    if option.choices:
        described["enum"] = list(option.choices)
    elif isinstance(option.default, str) and option.default:
        described["minLength"] = 1
    return described


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def main() -> None:
    """Write everything that is made from the declarations into the source tree."""
    for path, text in made_files(Path(__file__).parents[1]).items():
        path.write_text(text)


if __name__ == "__main__":
    main()
