"""Networks by name, and how they are built and stored."""


def build(name, **config):
    """Return the network called ``name`` ("lircdepth" or "tiny"); ``config`` goes to its constructor.

    Raises KeyError for another name.
    """
    from lircdepth_core.models.lircdepth import LiRCDepth
    from lircdepth_core.models.tiny import TinyDepth

    return {"lircdepth": LiRCDepth, "tiny": TinyDepth}[name](**config)


NAMES = ("lircdepth", "tiny")
