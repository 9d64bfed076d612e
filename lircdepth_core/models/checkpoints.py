# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights on disk: safetensors with a JSON header, and the published pickles, read without executing code."""

import json
import struct
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from lircdepth_core import models
from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

SHIPPED = {"street": Path(__file__).resolve().parents[1] / "weights/street.safetensors"}
UNTRAINED = {"random": "lircdepth", "tiny": "tiny"}  # name of weights: model

_METADATA_KEY = "lircdepth"
_PUBLISHED_PREFIX = "module."
_ONLY_IN_TEACHER = "decoder_radar."
_UNUSED_CLASSIFIERS = (
    "encoder.base_model.fc", "encoder_radar1.base_model_radar.fc", "encoder_radar2.base_model_radar.fc",
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What weights say about themselves.

    focal_length [px] and input_size (height, width) are those of training: a depth network is tied to them. training:
    steps, losses, learning rate and so on, and under "before" the same of the weights that it went on from.
    """

    model: str
    config: dict = field(default_factory=dict)
    focal_length: float = 1266.0
    input_size: tuple[int, int] = (896, 1600)
    trained_on: str = "nothing (random weights)"
    metrics: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)

    @property
    def random(self):
        """Whether the weights were never trained, so that the depth means nothing."""
        return self.trained_on.startswith("nothing")

    @property
    def caution(self):
        """What whoever sees depth from these weights must be told, in a line; empty where there is nothing."""
        if self.random:
            return "the weights are RANDOM: the depth means nothing"
        if self.trained_on.startswith("synthetic street"):
            return "the weights learnt from the synthetic street and never saw a real road"
        return ""


def random_weights(name="lircdepth", seed=0):
    """Return (network in eval mode, Header) with weights drawn from ``seed``; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.build(name).eval(), Header(model=name)


def output_path(name):
    """Return where a command is to write weights. Raises LircDepthError, before any work, for a name that cannot be."""
    path = Path(name)
    if path.suffix != ".safetensors":
        raise LircDepthError(f"{path}: expected an output name that ends in .safetensors")
    if not path.absolute().parent.is_dir():
        raise LircDepthError(f"{path.absolute().parent}: no such directory")
    return path


def save(path, network, header):
    """Write the network's state and its header as safetensors; the file appears when it is complete."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {key: value.detach().contiguous().cpu() for key, value in network.state_dict().items()}
    try:
        with written_whole(path) as partial:
            save_file(tensors, partial, metadata={_METADATA_KEY: json.dumps(asdict(header))})
    except SafetensorError as error:  # also where a disk is full
        raise LircDepthError(f"{path}: cannot be written: {error}") from error


def file_of(weights):
    """Return the path of a weights file, which may be given by one of the names in SHIPPED."""
    return SHIPPED.get(str(weights)) or Path(weights)


def load(path):
    """Return (network in eval mode on the CPU, Header) from a file that ``save`` wrote, or of a name.

    The names are those of SHIPPED and UNTRAINED.
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


def read_header(path):
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
        header = Header(**values)
    except (KeyError, ValueError, TypeError) as error:
        raise LircDepthError(
            f"{path}: no '{_METADATA_KEY}' header that says which network it holds, expected a file written by "
            f"lircdepth ({type(error).__name__}: {error})"
        ) from error
    if header.model not in models.NAMES:
        raise LircDepthError(f"{path}: holds weights of '{header.model}', expected one of {', '.join(models.NAMES)}")
    return header


def load_state(network, state, source):
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


def load_published(path):
    """Return (LiRCDepth or CaFNet in eval mode, Header) from a published .pth checkpoint.

    CaFNet's carries the classifiers of its ResNets, which nothing uses: they are left out. The file is a pickle: it
    is read with ``weights_only=True``, and of what is not a tensor only NumPy's array reconstruction is allowed,
    since "best" files hold the evaluation steps as an array.
    """
    path = Path(path)
    if not path.is_file():
        raise LircDepthError(f"{path}: no such checkpoint")
    try:
        with torch.serialization.safe_globals(_numpy_reconstruction()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles' versions: what cannot be read is an error all the same
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle makes its reader raise whatever its parts raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LircDepthError(f"{path}: not a checkpoint that can be read without executing code: {reason}") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("model"), dict):
        raise LircDepthError(f"{path}: no 'model' state dict inside, expected a published checkpoint")
    state = {key.removeprefix(_PUBLISHED_PREFIX): value for key, value in checkpoint["model"].items()}
    name = "lircdepth"
    if any(key.startswith(_ONLY_IN_TEACHER) for key in state):
        name = "cafnet"
        state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in _UNUSED_CLASSIFIERS}
    network = models.build(name)
    load_state(network, state, path)
    return network.eval(), Header(model=name, trained_on=f"nuScenes (published checkpoint {path.name})")


def _numpy_reconstruction():
    """The globals by which NumPy 1 and 2 pickle an array, under each of the names that they wrote."""
    reconstruct = np.zeros(1).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("int32", "int64", "float32", "float64")]
    names = [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    return [*names, np.ndarray, np.dtype, *kinds]
