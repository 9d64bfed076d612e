# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The commands of the documentation: which blocks there are, what they need, and how they run in seconds.

A block of commands is a fence of `sh` or `python`. What cannot run in a test has a mark above it, such as
`<!-- needs: ROS -->`. All others run, page by page and in their order, in a folder that has what the pages take for
granted (``prepare``): a data root of nuScenes' form in the place of /data/nuscenes, bags, weights, packed frames. Words
that say how much are made smaller (``smaller``), and nothing else is changed.

As a program it is `lircdepth` with smaller words, for blocks that are shell programs.
"""

import itertools
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from paths import REPOSITORY

RECORDS = ("docs/dev/checked-by-hand.md", "docs/dev/mutations.md")  # what was run once, with its output
PAGES = sorted(
    str(path.relative_to(REPOSITORY))
    for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("training/**/*.md"),
                 *REPOSITORY.glob("benchmarks/*.md"))
    if str(path.relative_to(REPOSITORY)) not in RECORDS
)  # fmt: skip
NEEDS = ("GPU", "ROS", "hours", "network", "nuScenes", "several machines")
_BLOCK = re.compile(r"(?:^<!-- needs: (?P<needs>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fence of a page. needs: what its mark names."""

    page: str
    language: str
    text: str
    needs: tuple[str, ...]

    @property
    def lines(self):
        """The commands, a line each, as a shell reads them; without comments."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        return [line for line in joined.splitlines() if shlex.split(line, comments=True)]


def blocks(page):
    """Return the blocks of commands of a page, in their order."""
    found = _BLOCK.finditer((REPOSITORY / page).read_text())
    return [
        Block(page, each["language"], each["text"], tuple(each["needs"].split(", ")) if each["needs"] else ())
        for each in found
        if each["language"] in ("sh", "python")
    ]


# Options that say how much, and small values in the place of theirs; a number: so many of the values that are given.
_SMALL_VALUES = {
    "--frames": ["2"],
    "--scale": ["0.1"],
    "--shard": ["1"],
    "--scenes": ["1"],
    "--jobs": ["2"],
    "--steps": ["2"],
    "--teacher-steps": ["2"],
    "--batch-size": ["2"],
    "--crop": ["32", "64"],
    "--seeds": 1,
    "--rows": 2,
    "--data.batch_size": ["2"],
    "--data.crop": ["[32,64]"],
    "--trainer.max_steps": ["2"],
}
_TINY_NETWORK = ("--weights tiny", "--backend eager")
# Options that a command gets where it has not got them.
_MORE_OPTIONS = {
    "ablation": ("--steps 2", "--teacher-steps 2", "--batch-size 2", "--crop 32 64", "--rows none all"),
    "ground-truth": ("--sweeps 2",),
    "infer": ("--backend eager",),
    "infer-bag": _TINY_NETWORK,
    "pack-bag": ("--gap 1",),
    "pack-street": ("--scale 0.1",),
    "synth": ("--duration 0.5", "--image-size 64x36"),
    "synth-report": ("--scenes 1", "--scans 1"),
    "train": ("--data.batch_size 2", "--data.crop [32,64]", "--trainer.max_steps 2", "--trainer.accelerator cpu"),
    "view": _TINY_NETWORK,
}
_ROW = {"ROW": ["--rows", "none"]}  # the word that training/RESULTS.md has for the last column of its table


def smaller(words):
    """Return the words of a `lircdepth` command such that it takes seconds. /data/nuscenes is the folder nuscenes."""
    command, *rest = words
    small = [command]
    while rest:
        word = rest.pop(0)
        small += _ROW.get(word, [word.replace("/data/nuscenes", "nuscenes")])
        if word in _SMALL_VALUES:
            values = list(itertools.takewhile(lambda each: not each.startswith("-"), rest))
            del rest[: len(values)]
            wanted = _SMALL_VALUES[word]
            small += values[:wanted] if isinstance(wanted, int) else wanted
    for option in _MORE_OPTIONS.get(command, ()):
        if option.split()[0] not in small:
            small += option.split()
    if command == "train" and "-c" in small and _base_of(small[small.index("-c") + 1]) == "nuscenes.yaml":
        small += ["--data.dataroot", "nuscenes", "--model.encoder_weights", "null"]
    return small


def _base_of(recipe):
    return yaml.safe_load(Path(recipe).read_text()).get("base")


def prepare(folder):
    """Put into ``folder`` what the pages take for granted."""
    import torch
    from safetensors.torch import save_file

    import drives
    import small_bags as small
    import street_nuscenes
    from lircdepth_core.models import checkpoints
    from lircdepth_core.models.lircdepth import LiRCDepth
    from lircdepth_ros import cli
    from lircdepth_ros.commands.infer import SAMPLE

    for name in ("config", "training"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name, file in (("image.jpg", "front.jpg"), ("image.jpg", "a.jpg"), ("radar.pcd", "scan.pcd")):
        shutil.copy(SAMPLE / name, folder / file)
    shutil.copy(SAMPLE / "calibration.yaml", folder)
    np.array([[20.0, 0.5, 0.2, 9.0, -8.0, 0.0, 0.0]], "<f4").tofile(folder / "scan.bin")  # as View-of-Delft has them

    street_nuscenes.write(folder / "nuscenes", names=("scene-0061", "scene-0103"))  # of train, and of val
    (folder / "nuscenes/v1.0-trainval").symlink_to("v1.0-mini")
    real = folder / "REAL/samples/RADAR_FRONT"
    real.mkdir(parents=True)
    for scan in (folder / "nuscenes/samples/RADAR_FRONT").iterdir():
        for log in ("one", "two"):
            shutil.copy(scan, real / scan.name.replace("log", log))

    radars = {"/front": ("RCS", "v"), "/rear": ("rcs", "radial_speed")}  # an ARS 548 and a smartmicro
    stamps = [small.START + i * small.PERIOD for i in range(10)]
    scans = [
        (topic, stamp, small.cloud(stamp, [[20.0, 0.2, 1.0, 9.0, -8.0]], ("x", "y", "z", *fields), topic[1:]))
        for topic, fields in radars.items()
        for stamp in stamps
    ]
    drives.drive(folder / "BAG", seconds=1, more=scans)
    for drive in ("drive1", "drive2"):
        drives.drive(folder / drive, zoom=4.0)

    for i, name in enumerate(("W", "a", "b")):
        checkpoints.save(folder / f"{name}.safetensors", *checkpoints.random_weights("tiny", seed=i))
    frames = folder / "test.safetensors"
    assert cli.main(["pack-bag", str(folder / "BAG"), "-o", str(frames)]) == 0
    for name, weights in (("without", "a"), ("with", "b")):
        given = ("--packed", frames, "--weights", folder / f"{weights}.safetensors", "-o", folder / "out" / name)
        assert cli.main(["eval", *map(str, given)]) == 0
    network = LiRCDepth()
    published = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"model": published}, folder / "lircdepth.pth")
    encoder = network.encoder.base_model.state_dict()
    save_file({f"features.{name}": value for name, value in encoder.items()}, folder / "mobilenet_v2.safetensors")
    return folder


def main():
    """Run `lircdepth` with smaller words."""
    from lircdepth_ros import cli

    return cli.main(smaller(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
