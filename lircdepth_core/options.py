# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a user chooses about the pipeline: the one declaration of names, defaults and help.

The node's parameters, the launch arguments and the commands' options are made from it. Nothing here imports PyTorch, so
that ``--help`` and launch files are quick.
"""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from lircdepth_core.errors import LircDepthError


@dataclass(frozen=True)
class Option:
    """The declaration of one option.

    minimum, maximum: range of a number, both included, which the node's parameter descriptors show. choices: the
    allowed texts; empty where the value is checked by whoever uses it. live: the node may change it while it works.
    """

    name: str
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    @property
    def help_with_choices(self) -> str:
        """The help, followed by the allowed texts where there are any."""
        return f"{self.help} One of: {', '.join(self.choices)}." if self.choices else self.help

    @property
    def expected(self) -> str:
        """What a value has to be, in words."""
        within = f" from {self.minimum:g} to {self.maximum:g}" if self.minimum is not None else ""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, int):
            return f"a whole number{within}"
        if isinstance(self.default, float):
            return f"a number{within}"
        if isinstance(self.default, tuple):
            return "a list of one or more texts" if self.default else "a list of texts"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return "a text that is not empty" if self.default else "a text"

    def fitted(self, value: object) -> Any:
        """Return a value in the option's type. A whole number stands for a float, one text for a list of one.

        Raises LircDepthError, which names the option, for a value of another type or out of range, and for an empty
        text or list where the default is none.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        elif kind is tuple and isinstance(value, str):
            value = (value,) if value else ()
        elif kind is tuple and isinstance(value, list | tuple):
            # Launch writes an empty list as [''].
            value = () if list(value) == [""] and not self.default else tuple(value)
        if type(value) is not kind or not self._allows(value):
            shown = list(value) if isinstance(value, tuple) else value
            raise LircDepthError(f"{self.name} is {shown!r}, expected {self.expected}")
        return value

    def _allows(self, value: Any) -> bool:
        """Return whether a value of the option's type is in its range, or one of its choices."""
        if isinstance(value, tuple):
            return all(isinstance(item, str) for item in value) and bool(value or not self.default)
        if isinstance(value, str):
            return value in self.choices if self.choices else bool(value or not self.default)
        if not math.isfinite(value):
            return False
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)


def nearest_text(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` with the known name that is nearest to a name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def option(default: Any, help: str, **declaration: Any) -> Any:
    """Declare a field of a dataclass as an option: its default, its help, and what else an Option may have."""
    return field(default=default, metadata={"help": help, **declaration})


def options_of(dataclass_of_options: type) -> tuple[Option, ...]:
    """Return the declarations of a dataclass's fields that were declared with ``option``."""
    return tuple(
        Option(declared.name, declared.default, **declared.metadata)
        for declared in fields(dataclass_of_options)
        if declared.metadata
    )


@dataclass(frozen=True)
class PipelineOptions:
    """Which weights run, where and how: see each field's help, and DepthPipeline.from_weights."""

    weights: str = option(
        "street",
        "Weights: a file (.safetensors), 'street' (shipped), hf://owner/name[/file] of the Hugging Face hub, or "
        "'random' or 'tiny' (untrained: depth means nothing).",
    )
    device: str = option("auto", "auto (a GPU where there is one), cpu, cuda or cuda:N.")
    threads: int = option(0, "CPU threads of the network; 0 leaves PyTorch's choice.", minimum=0, maximum=256)
    backend: str = option(
        "auto",
        "What runs the network: auto, plain, eager, compiled, onnxruntime, openvino or a class (package.Name).",
    )
    precision: str = option(
        "float32", "What the network computes in: float32, bfloat16, float16 or int8, as the backend has it."
    )
    inference_scale: float = option(
        1.0, "Scale of the network's input, on top of the focal length's.", minimum=0.05, maximum=4.0
    )
    upsampling: str = option(
        "nearest",
        "How depth of a smaller network input comes to the image's size.",
        choices=("nearest", "edge_aware"),
        live=True,
    )
    max_range: float = option(
        100.0, "Depth beyond this [m] is published as +Inf (REP 117).", minimum=1.0, maximum=100000.0, live=True
    )


PIPELINE_OPTIONS = options_of(PipelineOptions)


def add_arguments(parser: argparse.ArgumentParser, *, without: Collection[str] = ()) -> None:
    """Add a command-line argument for each pipeline option, except those named in ``without``."""
    for option in PIPELINE_OPTIONS:
        if option.name not in without:
            parser.add_argument(
                f"--{option.name.replace('_', '-')}",
                type=type(option.default),
                default=option.default,
                choices=option.choices or None,
                help=f"{option.help} Default: %(default)s.",
            )


def add_page_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument of commands that write a page of what they measured (evaluation.page)."""
    parser.add_argument("--report", metavar="FILE.html", help="also one self-contained page with figures and pictures")


def from_arguments(arguments: argparse.Namespace) -> PipelineOptions:
    """Return the options that ``add_arguments`` parsed; those that were left out keep their defaults.

    Raises LircDepthError for a number that cannot work.
    """
    for name in ("inference_scale", "max_range"):
        if not getattr(arguments, name, 1.0) > 0:
            raise LircDepthError(f"--{name.replace('_', '-')} is {getattr(arguments, name)}, expected more than 0")
    chosen = {option.name: getattr(arguments, option.name, option.default) for option in PIPELINE_OPTIONS}
    return PipelineOptions(**chosen)
