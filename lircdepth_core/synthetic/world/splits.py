# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which scenes there are: training scenes, drawn from a seed, and the frozen validation and test sets.

The two sets were fixed before anything was trained on the street. Do not change them: figures measured on them can only
be compared while the sets stay as they are. Training seeds are below a million and the sets' seeds far above, so that
no street is in both.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneSpec:
    """What defines a scene.

    name: "scene-9001" and on. seed: what the street is built from. weather: one of weather.WEATHERS, difficulty: one of
    builder.DIFFICULTIES; drawn from the seed where they are None.
    """

    name: str
    seed: tuple[int, ...]
    weather: str | None = None
    difficulty: str | None = None


def training_scenes(
    count: int, seed: int, weather: str | None = None, difficulty: str | None = None
) -> tuple[SceneSpec, ...]:
    """Return ``count`` scenes of a seed: scene-9001 and on."""
    return tuple(SceneSpec(f"scene-{9001 + n}", (seed, n), weather, difficulty) for n in range(count))


def _frozen(first: int, base: int, rows: tuple[tuple[str, str], ...]) -> tuple[SceneSpec, ...]:
    return tuple(
        SceneSpec(f"scene-{first + n}", (base, n), weather, difficulty) for n, (weather, difficulty) in enumerate(rows)
    )


VALIDATION = _frozen(
    9501,
    700_000_001,
    (
        ("clear", "medium"),
        ("clouds", "hard"),
        ("overcast", "medium"),
        ("wet", "medium"),
        ("haze", "easy"),
        ("dusk", "medium"),
        ("night", "medium"),
        ("wet-night", "easy"),
    ),
)
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
