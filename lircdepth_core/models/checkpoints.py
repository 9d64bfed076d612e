# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors with a JSON header. Published checkpoints, which are pickles: see ``published``."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole
from lircdepth_core.models import hub

SHIPPED = {"street": Path(__file__).resolve().parents[1] / "weights/street.safetensors"}
UNTRAINED = {"random": "lircdepth", "tiny": "tiny"}  # name of weights: model

_METADATA_KEY = "lircdepth"


@dataclass(frozen=True)
class Header:
    """The description that weights carry.

    model: see models.build. config: arguments of its constructor. focal_length [px] and input_size (height,
    width) are those of training: a depth network is tied to them. focal_length_range [px]: the least and the greatest
    of the cameras of training, empty where it was one. training: steps, losses, learning rate and so on, and
    under "before" the same of the weights with which it began.
    """

    model: str
    config: dict[str, Any] = field(default_factory=dict)
    focal_length: float = 1266.0
    input_size: tuple[int, int] = (896, 1600)
    trained_on: str = "nothing (random weights)"
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    focal_length_range: tuple[float, ...] = ()

    @property
    def random(self) -> bool:
        """Whether the weights were never trained, so that the depth means nothing."""
        return self.trained_on.startswith("nothing")

    @property
    def caution(self) -> str:
        """A warning, in a line, for whoever sees depth from these weights; empty where there is none."""
        if self.random:
            return "the weights are RANDOM: the depth means nothing"
        if all("synthetic street" in frames for frames in self.trained_on.split("; ")):
            return "the weights learnt from the synthetic street and never saw a real road"
        return ""


def random_weights(
    name: str = "lircdepth", seed: int = 0, config: Mapping[str, Any] | None = None
) -> tuple[nn.Module, Header]:
    """Return (network in eval mode, Header) with weights drawn from ``seed``; the global generator is left alone.

    name, config: see models.build.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.build(name, **(config or {})).eval(), Header(model=name, config=dict(config or {}))


def output_path(name: str | Path) -> Path:
    """Return the path to which a command will write weights. Raises LircDepthError when it cannot be written to.

    It is checked before any work.
    """
    path = Path(name)
    if path.suffix != ".safetensors":
        raise LircDepthError(f"{path}: expected an output name that ends in .safetensors")
    if not path.absolute().parent.is_dir():
        raise LircDepthError(f"{path.absolute().parent}: no such directory")
    return path


def save(path: str | Path, network: nn.Module, header: Header) -> None:
    """Write the network's state and its header as safetensors; the file appears when it is complete."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {key: value.detach().contiguous().cpu() for key, value in network.state_dict().items()}
    try:
        with written_whole(path) as partial:
            save_file(tensors, partial, metadata={_METADATA_KEY: json.dumps(asdict(header))})
    except SafetensorError as error:  # also where a disk is full
        raise LircDepthError(f"{path}: cannot be written: {error}") from error


def file_of(weights: str | Path) -> Path:
    """Return the path of a weights file, which may be given by one of the names in SHIPPED or by one of the hub.

    Raises LircDepthError for what the hub does not give, see hub.file_of.
    """
    if hub.is_name(weights):
        return hub.file_of(str(weights))
    return SHIPPED.get(str(weights)) or Path(weights)


def load(path: str | Path) -> tuple[nn.Module, Header]:
    """Return (network in eval mode on the CPU, Header) from a file that ``save`` wrote, or of a name.

    The names are those of SHIPPED and UNTRAINED, and hf://owner/name of the hub.
    Raises LircDepthError when the file is missing, truncated, has no lircdepth header, or holds other parameters
    than the network that the header names (the keys that differ are listed).
    """
    if str(path) in UNTRAINED:
        return random_weights(UNTRAINED[str(path)])
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = file_of(path)
    header = read_header(path)
    try:
        state = load_file(path)
    except (SafetensorError, struct.error) as error:
        raise LircDepthError(f"{path}: not a complete safetensors file: {error}") from error
    network = models.build(header.model, **header.config)
    load_state(network, state, path)
    return network.eval(), header


def read_header(path: str | Path) -> Header:
    """Return the Header of weights, without reading their tensors; arguments and errors are those of ``load``."""
    if str(path) in UNTRAINED:
        return Header(model=UNTRAINED[str(path)])
    from safetensors import SafetensorError, safe_open

    path = file_of(path)
    if not path.is_file():
        raise LircDepthError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        hint = "; a published .pth is converted by `lircdepth import-checkpoint`" if path.suffix == ".pth" else ""
        raise LircDepthError(f"{path}: not a complete safetensors file ({error}){hint}") from error
    try:
        values = json.loads(metadata[_METADATA_KEY])
        values["input_size"] = tuple(values["input_size"])
        values["focal_length_range"] = tuple(values.get("focal_length_range", ()))
        header = Header(**values)
    except (KeyError, ValueError, TypeError) as error:
        raise LircDepthError(
            f"{path}: no '{_METADATA_KEY}' header that says which network it holds, expected a file written by "
            f"lircdepth ({type(error).__name__}: {error})"
        ) from error
    if not models.is_name(header.model):
        raise LircDepthError(f"{path}: holds weights of '{header.model}', expected one of {', '.join(models.NAMES)}")
    return header


def load_state(network: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Load a state dict into a network. Raises LircDepthError naming the keys and shapes that differ."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    reshaped = sorted(key for key in expected.keys() & found.keys() if expected[key] != found[key])
    problems = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if keys
    ]
    if problems:
        raise LircDepthError(
            f"{source}: weights of another network than {type(network).__name__}: keys {'; '.join(problems)}"
        )
    network.load_state_dict(state)
