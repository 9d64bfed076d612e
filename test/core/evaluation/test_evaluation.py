# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth eval` and the ablation report what an independent look at the same frames finds."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch
from test_metrics import pixel_by_pixel

import street_nuscenes
import training_runs
from lircdepth_core.data import ground_truth, nuscenes
from lircdepth_core.data.frame import prepare
from lircdepth_core.data.nuscenes_frames import NuScenesFrames
from lircdepth_core.data.packed import PackedFrames
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation import of_split
from lircdepth_core.models import checkpoints
from lircdepth_core.pipeline import DepthPipeline
from lircdepth_ros import cli

pytest.importorskip("nuscenes")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return street_nuscenes.write(tmp_path_factory.mktemp("street") / "root")


@pytest.fixture
def weights(tmp_path):
    """A network whose focal length is the camera's, so that nothing is resized."""
    network, _ = checkpoints.random_weights("tiny", seed=4)
    header = checkpoints.Header(model="tiny", focal_length=300.0, input_size=(240, 320), trained_on="a test")
    checkpoints.save(tmp_path / "tiny.safetensors", network, header)
    return tmp_path / "tiny.safetensors"


def command(*words):
    return cli.main([str(word) for word in words])


def test_figures_are_those_of_the_pipelines_depth_on_every_frame(root, weights, tmp_path, capsys):
    common = ("--dataroot", root, "--version", "v1.0-mini", "--split", "all", "--weights", weights)
    assert command("eval", *common, "--backend", "eager", "-o", tmp_path / "eval") == 0
    results = json.loads((tmp_path / "eval/results.json").read_text())
    nusc = nuscenes.open_nuscenes(root, "v1.0-mini")
    frames, pipeline = NuScenesFrames(root, "v1.0-mini", "all"), DepthPipeline.from_weights(weights, backend="eager")
    for name in ("radar", "no radar"):
        found = []
        for sample in nusc.sample:
            image, intrinsics, radars = frames.pipeline_input(sample)
            depth = pipeline(image, intrinsics, radars if name == "radar" else ()).depth
            found.append(pixel_by_pixel(depth, ground_truth.single_scan_depth(nusc, sample), 70.0))
        expected = {key: np.mean([one[key] for one in found]) for key in found[0] if key != "pixels"}
        group = results["errors"][name]["0-70 m"]
        assert {key: group[key] for key in expected} == pytest.approx(expected, rel=1e-6)
        assert group["images"] == 4
    assert results["errors"]["radar"]["0-70 m"]["mae"] != results["errors"]["no radar"]["0-70 m"]["mae"]
    bins = [group["pixels"] for name, group in results["errors"]["radar"].items() if name.endswith("bin")]
    assert sum(bins) == results["errors"]["radar"]["0-80 m"]["pixels"]  # bins neither overlap nor leave out
    table = (tmp_path / "eval/table.txt").read_text()
    assert table.strip() in capsys.readouterr().out
    assert f"{results['errors']['radar']['0-50 m']['mae']:.3f}" in table
    assert (tmp_path / "eval/eval.png").stat().st_size > 10_000


def test_the_published_offset_moves_the_radar_four_rows_down(root):
    """A recorder in the network's place sees which rows hold returns."""

    class Recorder:
        device = torch.device("cpu")

        def __init__(self):
            self.rows = []

        def infer(self, image, radar):
            self.rows.append(torch.nonzero(radar[0, 0])[:, 0])
            return torch.full((1, 1, *image.shape[-2:]), 20.0)

    frames = NuScenesFrames(root, "v1.0-mini", "all")
    header = checkpoints.Header(model="tiny", focal_length=300.0)
    seen = {}
    for offset in (False, True):
        recorder = Recorder()
        pipeline = DepthPipeline(recorder, header)
        of_split.evaluate(functools.partial(lambda made: made, pipeline), frames, published_offset=offset, limit=1)
        seen[offset] = recorder.rows[0]
    assert len(seen[False]) == len(seen[True]) > 5
    assert torch.equal(seen[True], seen[False] + 4)


def test_conditions_come_from_the_scenes_description():
    assert of_split.conditions("Night, Big street, bus stop") == ["night"]
    assert of_split.conditions("Rain, parked cars") == ["day", "rain"]
    assert of_split.conditions("night, after rain") == ["night", "rain"]
    assert of_split.conditions("Parked truck, construction") == ["day"]


def test_frames_without_truth_are_counted_and_none_at_all_is_an_error(root, tmp_path, weights):
    other = street_nuscenes.write(tmp_path / "root")
    frames = NuScenesFrames(other, "v1.0-mini", "all")
    pipeline = DepthPipeline.from_weights(weights, backend="eager")
    nothing = np.array([[0, 0, -200, 0, 0]], "<f4")
    record = frames.nusc.get("sample_data", frames.samples[1]["data"]["LIDAR_TOP"])
    nothing.tofile(other / record["filename"])
    assert of_split.evaluate(lambda: pipeline, frames).left_out == 1
    for sample in frames.samples:
        nothing.tofile(other / frames.nusc.get("sample_data", sample["data"]["LIDAR_TOP"])["filename"])
    with pytest.raises(LircDepthError, match="no frame has any ground truth"):
        of_split.evaluate(lambda: pipeline, frames)


def test_a_mistake_is_one_line(root, tmp_path, capsys):
    common = ("eval", "--dataroot", root, "--version", "v1.0-mini", "-o", tmp_path / "eval")
    for options, message in (
        (("--split", "nonsense"), "unknown split"),
        (("--split", "all", "--weights", tmp_path / "absent.safetensors"), "no such weights file"),
        (("--split", "all", "--weights", "tiny", "--truth", "exact"), "no such depth map"),
        (("--split", "all", "--limit", 0), "--limit 0"),
    ):
        assert command(*common, *options) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_packed_frames_are_evaluated_at_their_own_size_against_their_depth(tmp_path, weights, capsys):
    frames = training_runs.write_frames(tmp_path / "frames.safetensors", count=3)
    network, header = checkpoints.load(weights)
    checkpoints.save(weights, network, dataclasses.replace(header, focal_length=120.0))  # that of the frames
    common = ("eval", "--packed", frames, "--weights", weights, "--device", "cpu", "-o", tmp_path / "eval")
    assert command(*common) == 0
    results = json.loads((tmp_path / "eval/results.json").read_text())
    found = []
    for index in range(3):
        sample = prepare(PackedFrames(frames).frame(index))
        with torch.inference_mode():
            depth = checkpoints.load(weights)[0](sample["image"][None], sample["radar"][None]).depth[0, 0].numpy()
        found.append(pixel_by_pixel(depth, sample.get("exact", sample["single"])[0].numpy(), 80.0))
    expected = {key: np.mean([one[key] for one in found]) for key in found[0] if key != "pixels"}
    group = results["errors"]["radar"]["0-80 m"]
    assert {key: group[key] for key in expected} == pytest.approx(expected, rel=1e-5)
    assert results["errors"]["no radar"]["0-80 m"]["mae"] != group["mae"]
    assert results["rendered"].keys() == {"radar", "no radar"}
    assert "of the rest at more than twice its depth" in (tmp_path / "eval/table.txt").read_text()
    assert command(*common, "--precision", "bfloat16") == 2
    assert "--precision goes with --dataroot" in capsys.readouterr().err
    assert command("eval", "--packed", weights, "--weights", weights, "-o", tmp_path / "eval") == 2
    assert "not a complete file of frames" in capsys.readouterr().err


def test_packed_frames_of_another_focal_length_than_the_weights_are_refused(tmp_path, capsys):
    """Nothing is resampled there: weights of twice the focal length would give half the depth, and a table of it."""
    frames = training_runs.write_frames(tmp_path / "frames.safetensors", count=1)
    network, header = checkpoints.random_weights("tiny")
    for focal_length, status in ((120.0, 0), (121.5, 0), (240.0, 2), (60.0, 2)):
        trained = dataclasses.replace(header, focal_length=focal_length, trained_on="boxes")
        checkpoints.save(tmp_path / "w.safetensors", network, trained)
        words = ("eval", "--packed", frames, "--weights", tmp_path / "w.safetensors", "-o", tmp_path / "eval")
        assert command(*words, "--device", "cpu") == status
        error = capsys.readouterr().err
        told = f"trained for a focal length of {focal_length:.1f} px, but {frames} has 120.0 px"
        assert (told in error) == bool(status)


def test_the_ablation_resumes_and_its_table_is_made_of_its_results(tmp_path, capsys, one_thread):
    """Two steps a row at 32x64: what is tested is the driver, not the figures."""
    pytest.importorskip("lightning_utilities", reason="Lightning is not installed")
    frames = training_runs.write_frames(tmp_path / "frames.safetensors", count=2)
    teacher = tmp_path / "teacher.safetensors"
    checkpoints.save(teacher, *checkpoints.random_weights("cafnet"))
    common = (
        "ablation", "-o", tmp_path / "out", "--train", frames, "--val", frames, "--test", frames, "--teacher", teacher,
        "--steps", 2, "--batch-size", 2, "--crop", 32, 64, "--precision", "32-true", "--device", "cpu",
    )  # fmt: skip
    assert command(*common, "--rows", "none", "--seeds", 0, 1, "--minutes", 0) == 0
    assert "closed" in capsys.readouterr().out
    assert command(*common, "--rows", "none", "--seeds", 0, 1) == 0
    assert command(*common, "--rows", "structure", "all, falling back", "teacher_depth", "--seeds", 0) == 0
    results = {
        path.parent.relative_to(tmp_path / "out").as_posix(): json.loads(path.read_text())
        for path in (tmp_path / "out").rglob("result.json")
    }
    from_teacher = {"structure/seed0", "all_falling_back/seed0", "teacher_depth/seed0"}
    assert results.keys() == {"none/seed0", "none/seed1", "teacher/seed0", *from_teacher}
    assert "teacher_depth: 1.0" in (tmp_path / "out/teacher_depth/seed0/recipe.yaml").read_text()
    mae = [results[f"none/seed{seed}"]["errors"]["radar"]["0-80 m"]["mae"] for seed in (0, 1)]
    assert mae[0] != mae[1]
    kept = (tmp_path / "out/none/seed0/weights.safetensors").stat().st_mtime_ns
    assert command(*common, "--rows", "none") == 0
    assert (tmp_path / "out/none/seed0/weights.safetensors").stat().st_mtime_ns == kept

    capsys.readouterr()
    assert command(*common, "--rows", "none", "--steps", 3) == 2
    assert f"{tmp_path / 'out'}: holds an ablation of other settings (steps 2, now 3)" in capsys.readouterr().err
    other = training_runs.write_frames(tmp_path / "other.safetensors", count=3)
    assert command(*common, "--rows", "none", "--val", other) == 2
    assert f"val '{frames}', now '{other}'" in capsys.readouterr().err
    (tmp_path / "out/setting.json").unlink()  # as in a folder of before the settings were kept
    assert command(*common, "--rows", "none", "--lr", 0.1) == 2
    assert "lr 0.0002, now 0.1" in capsys.readouterr().err

    assert command("ablation", "-o", tmp_path / "out", "--table", tmp_path / "RESULTS.md") == 0
    text = (tmp_path / "RESULTS.md").read_text()
    (row,) = (line for line in text.splitlines() if line.startswith("| none |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["0 1", f"{np.mean(mae):.3f}", f"{np.std(mae, ddof=1):.3f}"]
    assert f"--teacher {teacher} " in text
    assert " --steps 2 --batch-size 2 --crop 32 64 " in text
    assert text.count("(no network)") == 3
    capsys.readouterr()
    (tmp_path / "out/all").symlink_to("structure")
    assert command("ablation", "-o", tmp_path / "out", "--test", frames, "--picture", tmp_path / "figure.png") == 0
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert command("ablation", "-o", tmp_path / "out", "--report", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert "none, seed 0: no radar" in page
    assert "weights&#39; trained on" in page
    assert command("ablation", "-o", tmp_path / "nothing", "--table", tmp_path / "R.md") == 2
    assert command(*common, "--rows", "everything") == 2
    assert "expected teacher, none, structure" in capsys.readouterr().err
    training_runs.write_frames(frames, count=4)
    assert command(*common, "--rows", "none") == 0  # keeps the frames' hashes
    training_runs.write_frames(frames, count=2)
    assert command(*common, "--rows", "none") == 2
    assert "train '" in capsys.readouterr().err  # the file has the same name and other content
