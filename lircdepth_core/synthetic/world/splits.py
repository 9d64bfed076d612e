# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which scenes there are: drawn from a seed for training, and the frozen validation and test sets.

The two sets were fixed before anything was trained on the street. Do not change them: figures measured on them are only
comparable while they stay as they are. Training seeds are 0 and up; theirs lie far above, so that no street is shared.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneSpec:
    """What defines a scene. name: "scene-9001" and on; seed: a tuple of ints; weather: one of weather.WEATHERS and
    difficulty: one of builder.DIFFICULTIES, drawn from the seed where they are None.
    """

    name: str
    seed: tuple
    weather: str | None = None
    difficulty: str | None = None


def training_scenes(count, seed, weather=None, difficulty=None):
    """Return ``count`` SceneSpecs of a seed: scene-9001 and on."""
    return tuple(SceneSpec(f"scene-{9001 + n}", (seed, n), weather, difficulty) for n in range(count))


def _frozen(first, base, rows):
    return tuple(
        SceneSpec(f"scene-{first + n}", (base, n), weather, difficulty) for n, (weather, difficulty) in enumerate(rows)
    )


VALIDATION = _frozen(9501, 700_000_001, (
    ("clear", "medium"), ("clouds", "hard"), ("overcast", "medium"), ("wet", "medium"),
    ("haze", "easy"), ("dusk", "medium"), ("night", "medium"), ("wet-night", "easy"),
))  # fmt: skip
TEST = _frozen(
    9601,
    900_000_001,
    (
        ("clear", "easy"),
        ("clear", "medium"),
        ("clear", "hard"),
        ("clouds", "medium"),
        ("clouds", "hard"),
        ("overcast", "easy"),
        ("overcast", "medium"),
        ("overcast", "hard"),
        ("wet", "easy"),
        ("wet", "hard"),
        ("haze", "medium"),
        ("haze", "hard"),
        ("dusk", "easy"),
        ("dusk", "hard"),
        ("night", "medium"),
        ("wet-night", "medium"),
    ),
)
SPLITS = {"val": VALIDATION, "test": TEST}
