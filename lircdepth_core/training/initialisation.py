# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How networks start: decoders Xavier, encoders from ImageNet where weights are at hand."""

from pathlib import Path

import torch
from torch import nn

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints
from lircdepth_core.models.common.torchvision_loader import load_torchvision

_WITH_ENCODERS = ("lircdepth", "cafnet")


def started(model, encoder_weights=None, init_weights=None, seed=0, config=None):
    """Return (network as its training starts, what weights tell of that start). model, config: see models.build.

    It is that of a weights file, or initialised from ``seed``; a "tiny" and networks of one's own start as they are
    made. Raises LircDepthError where init_weights holds another model.
    """
    network, _ = checkpoints.random_weights(model, seed, config)
    if init_weights is not None:
        loaded, header = checkpoints.load(init_weights)
        if header.model != model:
            raise LircDepthError(f"{init_weights}: holds weights of '{header.model}', expected '{model}' to go on from")
        network.load_state_dict(loaded.state_dict())  # float32, which the file may not be
        return network, {"before": header.training | {"data": header.trained_on, "focal_length": header.focal_length}}
    if model in _WITH_ENCODERS:
        initialise(network, encoder_weights, seed)
    return network, {"encoder_weights": encoder_weights and Path(encoder_weights).name, "init_seed": seed}


def initialise(network, encoder_weights, seed):
    """Initialise a LiRCDepth or CaFNet in place; the global random generator is left alone.

    encoder_weights: "imagenet" (torchvision's, downloaded), a safetensors file with the keys of MobileNetV2's
    ``features`` (LiRCDepth alone), or None: torchvision's random start. Raises LircDepthError.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in network.named_modules():
            in_encoder = name.startswith("encoder") and "base_model" in name
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not in_encoder and "sparsity" not in name:
                nn.init.xavier_uniform_(module.weight)
    if encoder_weights is None:
        return
    for name, module in network.named_modules():
        if name.rpartition(".")[2] in ("base_model", "base_model_radar"):
            _load(module, name, encoder_weights)


def _load(encoder, name, source):
    mobilenet = isinstance(encoder, nn.Sequential)
    if source == "imagenet":
        torchvision = load_torchvision()
        kind = "mobilenet_v2" if mobilenet else f"resnet{34 if len(encoder.layer2) == 4 else 18}"
        try:
            published = getattr(torchvision.models, kind)(weights="IMAGENET1K_V1")
        except OSError as error:
            raise LircDepthError(f"ImageNet weights of {kind} cannot be downloaded: {error}") from error
        state = (published.features if mobilenet else published).state_dict()
    else:
        if not mobilenet:
            raise LircDepthError(
                f"encoder weights {source}: a file can only start MobileNetV2; CaFNet takes 'imagenet'"
            )
        state = _read(Path(source))
    wanted = encoder.state_dict()
    found = {key: value for key, value in state.items() if key in wanted and value.shape == wanted[key].shape}
    missing = [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")]
    if missing:
        raise LircDepthError(f"encoder weights {source}: do not fit {name}, for example {missing[0]}")
    encoder.load_state_dict(found, strict=False)


def _read(path):
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise LircDepthError(f"encoder weights {path}: no such file")
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise LircDepthError(f"encoder weights {path}: not a complete safetensors file: {error}") from error
    return {key.removeprefix("features."): value for key, value in state.items()}
