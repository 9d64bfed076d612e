# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name, and how they are built and stored."""

NAMES = ("lircdepth", "cafnet", "tiny")


def build(name, **config):
    """Return the network called ``name``, one of NAMES; ``config`` goes to its constructor.

    Raises KeyError for another name.
    """
    from lircdepth_core.models.cafnet import CaFNet
    from lircdepth_core.models.lircdepth import LiRCDepth
    from lircdepth_core.models.tiny import TinyDepth

    return {"lircdepth": LiRCDepth, "cafnet": CaFNet, "tiny": TinyDepth}[name](**config)
