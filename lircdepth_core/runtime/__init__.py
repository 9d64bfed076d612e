"""Inference backends. Each has ``infer(image, radar)``, ``warm_up(height, width)``, ``describe()`` and ``device``."""
