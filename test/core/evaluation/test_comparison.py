# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Results say what they are of, and two of them are compared image by image."""

import hashlib
import json
import shutil

import numpy as np
import pytest

import street_nuscenes
import training_runs
from lircdepth_core import version
from lircdepth_core.data import packed
from lircdepth_core.evaluation import comparison
from lircdepth_core.models import checkpoints
from lircdepth_ros import cli


def command(*words):
    return cli.main([str(word) for word in words])


def write_weights(path, seed, focal_length):
    network, _ = checkpoints.random_weights("tiny", seed=seed)
    checkpoints.save(path, network, checkpoints.Header("tiny", focal_length=focal_length, trained_on="a test"))
    return path


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder with frames, the weights a and b, and the results of both on all frames."""
    folder = tmp_path_factory.mktemp("evaluated")
    frames = training_runs.write_frames(folder / "frames.safetensors", count=8)
    for seed, name in enumerate("ab"):
        weights = write_weights(folder / f"{name}.safetensors", seed, 120.0)
        words = ("--packed", frames, "--weights", weights, "--device", "cpu", "-o", folder / name)
        assert command("eval", *words) == 0
    return folder


def read(folder):
    lines = [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]
    return json.loads((folder / "results.json").read_text()), lines


def test_results_carry_the_errors_of_each_image_and_what_made_them(evaluated):
    results, images = read(evaluated / "a")
    assert [image["image"] for image in images] == [f"frame {index}" for index in range(8)]
    for variant in ("radar", "no radar"):
        each = [image["errors"][variant]["0-80 m"]["mae"] for image in images]
        assert np.mean(each) == pytest.approx(results["errors"][variant]["0-80 m"]["mae"], rel=1e-12)
    for field, file in (("weights_sha256", "a.safetensors"), ("data_sha256", "frames.safetensors")):
        assert results[field] == hashlib.sha256((evaluated / file).read_bytes()).hexdigest()
    assert results["version"] == version.version()
    assert results["commit"] is None or len(results["commit"].partition("+")[0]) == 40
    assert results["command"].startswith(f"lircdepth eval --packed {evaluated / 'frames.safetensors'} --weights ")


def test_a_limit_takes_frames_that_are_spread_over_the_file(evaluated, tmp_path, capsys):
    words = ("eval", "--packed", evaluated / "frames.safetensors", "--weights", evaluated / "a.safetensors",
             "--device", "cpu", "-o", tmp_path)  # fmt: skip
    assert command(*words, "--limit", 2) == 0
    results, images = read(tmp_path)
    assert results["frames"] == 2
    assert [image["image"] for image in images] == ["frame 0", "frame 4"]
    assert images[1] == read(evaluated / "a")[1][4]
    assert command(*words, "--limit", 0) == 2
    assert "--limit 0: expected at least 1" in capsys.readouterr().err
    capsys.readouterr()
    assert command("compare", evaluated / "a", tmp_path) == 2
    assert "evaluate both with the same --limit" in capsys.readouterr().err


def test_differences_are_those_of_pairs(evaluated, tmp_path, capsys):
    assert command("compare", evaluated / "a", evaluated / "b", "-o", tmp_path) == 0
    out = capsys.readouterr().out
    content = json.loads((tmp_path / "comparison.json").read_text())
    one = next(row for row in content["differences"] if (row["group"], row["metric"]) == ("0-80 m", "mae"))
    first, second = (
        np.array([image["errors"]["radar"]["0-80 m"]["mae"] for image in read(evaluated / name)[1]]) for name in "ab"
    )
    assert one["images"] == 8
    assert one["difference"] == pytest.approx((second - first).mean())
    assert one["low"] <= one["difference"] <= one["high"]
    error = (second - first).std(ddof=1) / np.sqrt(8)  # normal theory, which the bootstrap nears
    assert one["high"] - one["low"] == pytest.approx(2 * 1.96 * error, rel=0.25)
    groups = {row["group"] for row in content["differences"]}
    assert {"0-50 m", "0-80 m", "10-20 m bin"} <= groups
    worst = max(range(8), key=lambda index: abs(second[index] - first[index]))
    assert content["worst"][0]["image"] == f"frame {worst}"
    assert f"differ most: frame {worst}, MAE {first[worst]:.3f} and {second[worst]:.3f} m" in out
    assert (tmp_path / "worst.png").stat().st_size > 10_000


def test_six_differences_of_one_sign_have_the_p_that_counting_gives():
    """Two of 2^6 signs are as extreme."""
    errors = {"first": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "second": [1.1, 2.2, 3.3, 4.4, 5.5, 6.6]}
    about = {"data_sha256": "same", "truth": "same"}
    first, second = (
        comparison.Results(name, about, {
            str(index): {"errors": {"radar": {"0-80 m": {"mae": value}}}} for index, value in enumerate(values)
        })
        for name, values in errors.items()
    )  # fmt: skip
    (one,) = comparison.compare(first, second, ["mae"])
    assert one.p == pytest.approx(2 / 2**6)
    (same,) = comparison.compare(first, first, ["mae"])
    assert (same.difference, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_conditions_of_a_data_root_are_groups(tmp_path, capsys):
    pytest.importorskip("nuscenes")
    root = street_nuscenes.write(tmp_path / "root")
    for seed, name in enumerate("ab"):
        weights = write_weights(tmp_path / f"{name}.safetensors", seed, 300.0)
        words = ("--dataroot", root, "--version", "v1.0-mini", "--split", "all", "--weights", weights)
        assert command("eval", *words, "--backend", "eager", "-o", tmp_path / name) == 0
    capsys.readouterr()
    assert command("compare", tmp_path / "a", tmp_path / "b", "--variant", "no radar", "-o", tmp_path / "c") == 0
    assert any(line.startswith("day ") for line in capsys.readouterr().out.splitlines())
    assert (tmp_path / "c/worst.png").stat().st_size > 10_000


def test_what_cannot_be_compared_is_one_line(evaluated, tmp_path, capsys):
    other = packed_of(tmp_path / "other.safetensors")
    words = ("--packed", other, "--weights", evaluated / "a.safetensors", "--device", "cpu", "-o", tmp_path / "other")
    assert command("eval", *words) == 0
    shutil.copytree(evaluated / "a", tmp_path / "old")
    (tmp_path / "old/images.jsonl").unlink()
    capsys.readouterr()
    for folder, options, message in (
        (tmp_path / "other", (), "are of different data"),
        (tmp_path / "old", (), "images.jsonl: no such file; `lircdepth eval -o"),
        (tmp_path / "absent", (), "results.json: no such file"),
        (evaluated / "b", ("--variant", "lidar"), "has no 'lidar', expected radar, no radar"),
        (evaluated / "b", ("--metrics", "beauty"), "no metric 'beauty', expected some of pixels, mae"),
    ):
        assert command("compare", evaluated / "a", folder, *options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_figures_of_weights_that_have_changed_are_compared_without_a_picture(evaluated, tmp_path, capsys):
    shutil.copytree(evaluated, tmp_path / "moved")
    results, _ = read(tmp_path / "moved/b")
    weights = write_weights(tmp_path / "moved/b.safetensors", 5, 120.0)
    (tmp_path / "moved/b/results.json").write_text(json.dumps(results | {"weights": str(weights)}))
    assert command("compare", evaluated / "a", tmp_path / "moved/b", "-o", tmp_path / "c") == 0
    assert f"no worst.png: {weights} is no longer the file of" in capsys.readouterr().err
    assert (tmp_path / "c/comparison.json").is_file()
    assert not (tmp_path / "c/worst.png").exists()


def packed_of(path):
    packed.pack(training_runs.Streets(8, seed=1), path)
    return path
