# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training learns, resumes exactly, distributes rightly, and stops with a reason."""

import csv
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import training_runs
from lircdepth_core.data.packed import pack, pack_shards, shard_path, shards_of
from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints
from lircdepth_core.models.cafnet import CaFNet
from lircdepth_core.models.lircdepth import LiRCDepth
from lircdepth_core.training import recipes
from lircdepth_ros import cli
from paths import REPOSITORY
from training_runs import PLAIN, logged

pytestmark = pytest.mark.usefixtures("one_thread")

pytest.importorskip("jsonargparse")
pytest.importorskip("lightning_utilities", reason="Lightning is not installed")

TEST = Path(__file__).parent
SUPPORT = REPOSITORY / "test/support"


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return training_runs.write_frames(tmp_path_factory.mktemp("frames") / "frames.safetensors")


def fit(frames, root, *options, **about):
    """Run `lircdepth train fit` on the CPU in this process; return the exit status."""
    return cli.main(training_runs.fit_words(frames, root, *options, **about))


def weights(root, name="last.ckpt"):
    return torch.load(Path(root, "checkpoints", name), weights_only=True)["state_dict"]


def test_a_run_cut_into_windows_is_the_uninterrupted_run(frames, tmp_path, capsys):
    """StopAfter 0 minutes ends each run after a step, or two where an epoch ends between."""
    common = ("--model.lr", 0.01, "--data.drop_points", 0.3)
    assert fit(frames, tmp_path / "whole", *common) == 0
    whole = logged(tmp_path / "whole")
    assert len(whole) == 8  # 8 frames, batches of 2, 2 epochs
    window = ("--trainer.callbacks+", "StopAfter", "--trainer.callbacks.minutes", 0, "--ckpt_path", "resume")
    stops = []
    for _ in range(8):
        assert fit(frames, tmp_path / "cut", *common, *window) == 0
        stops += re.findall(r"stopped .* at step (\d+)", capsys.readouterr().out)
    assert [int(step) for step in stops] == [1, 2, 3, 5, 6, 7]  # and two runs to the end, the last with nothing to do
    assert logged(tmp_path / "cut") == whole
    final = torch.load(tmp_path / "cut" / "resume.ckpt", weights_only=True)["state_dict"]
    for key, value in weights(tmp_path / "whole").items():
        assert torch.equal(final[key], value), key


def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint(frames, tmp_path):
    common = ("--model.lr", 0.01)
    assert fit(frames, tmp_path / "whole", *common) == 0
    saving = (
        "--trainer.callbacks+",
        "StopAfter",
        "--trainer.callbacks.minutes",
        60,
        "--trainer.callbacks.save_minutes",
        0,
    )
    resuming = ("--ckpt_path", "resume")
    with pytest.raises(RuntimeError, match="killed"):
        fit(frames, tmp_path / "cut", *common, *saving, *resuming, "--trainer.callbacks+", "training_runs.Killed")
    saved = torch.load(tmp_path / "cut/resume.ckpt", weights_only=True)["global_step"]
    assert saved in (1, 2)  # whichever of the two callbacks came first at the second step
    assert fit(frames, tmp_path / "cut", *common, *saving, *resuming) == 0
    assert logged(tmp_path / "cut") == logged(tmp_path / "whole")


def test_mapped_frames_are_trained_on_in_windows_that_a_cut_run_goes_on_with(tmp_path):
    folder = tmp_path / "frames"
    pack_shards(training_runs.Streets(8), folder, 3)
    common = ("--model.lr", 0.01, "--data.mapped", "true", "--data.window", 2)
    assert fit(folder, tmp_path / "whole", *common) == 0
    window = ("--trainer.callbacks+", "StopAfter", "--trainer.callbacks.minutes", 0, "--ckpt_path", "resume")
    for _ in range(8):
        assert fit(folder, tmp_path / "cut", *common, *window) == 0
    assert len(logged(tmp_path / "whole")) == 8
    assert logged(tmp_path / "cut") == logged(tmp_path / "whole")
    header = torch.load(tmp_path / "whole/checkpoints/last.ckpt", weights_only=True)["weights_header"]
    assert header["trained_on"] == "boxes on a road (8 frames)"


@pytest.mark.full
def test_a_rank_that_is_killed_is_started_again_and_the_losses_are_those_of_an_uninterrupted_run(tmp_path):
    """Two processes under torchrun, which starts both again when one ends; they resume from the last checkpoint."""
    folder = tmp_path / "frames"
    pack_shards(training_runs.Streets(8), folder, 2)
    options = (
        "--data.mapped", "true", "--model.lr", 0.01, "--trainer.devices", 2, "--trainer.strategy", "ddp",
        "--trainer.callbacks+", "StopAfter", "--trainer.callbacks.save_minutes", 0, "--ckpt_path", "resume",
    )  # fmt: skip

    environment = {"PYTHONPATH": str(SUPPORT), "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}

    def torchrun(root, *more):
        words = training_runs.fit_words(folder, root, *options, *more, batch_size=1)
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--max-restarts",
             "3", "-m", "lircdepth_ros.cli", *words],
            cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    torchrun(tmp_path / "whole")
    out = torchrun(tmp_path / "killed", "--trainer.callbacks+", "training_runs.KilledRank")
    assert re.search(r"resuming .*resume.ckpt at step [23]", out)
    whole = logged(tmp_path / "whole")
    assert len(whole) == 8
    assert logged(tmp_path / "killed") == whole


def test_torchrun_that_restarts_ranks_with_the_addresses_of_those_that_ended_is_refused(
    frames, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    assert fit(frames, tmp_path) == 2
    assert "needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment" in capsys.readouterr().err


def test_a_student_learns_from_rendered_depth_in_several_files_and_says_how_far_it_is(tmp_path, capsys):
    source = training_runs.RenderedStreets(8)
    folder = tmp_path / "frames"
    folder.mkdir()
    for indices in shards_of(8, 5):
        pack(source, shard_path(folder, indices), indices=indices)
    loss = "{depth_loss: rendered, image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0}"
    options = (
        "--model", "StudentModule", "--model.model", "tiny", "--model.loss", loss, "--model.lr", 0.02,
        "--model.eps", 1e-6,
        "--model.warmup", 2, "--data.clutter", 3, "--data.photometric", "{gains: 0.1, texture: 0.1, gamma: [0.8, 1.2]}",
        "--trainer.callbacks+", "ProgressLines", "--trainer.callbacks.every", 4, "--trainer.max_steps", 24,
    )  # fmt: skip
    assert fit(folder, tmp_path / "run", *options, model=None, epochs=-1) == 0
    losses = logged(tmp_path / "run")
    assert len(losses) == 24
    values = [losses[step] for step in sorted(losses)]
    assert np.mean(values[-4:]) < 0.8 * np.mean(values[:4])
    assert logged(tmp_path / "run", "val/mae")
    out = capsys.readouterr().out
    assert re.findall(r"^step (\d+) of 24: loss", out, re.MULTILINE) == ["4", "8", "12", "16", "20", "24"]
    assert re.search(r"^step 24 of 24: .*about 0\.0 h left, mae \d", out, re.MULTILINE)
    header = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["weights_header"]
    assert header["trained_on"] == "boxes under the sky (8 frames)"
    assert header["training"]["photometric"]["texture"] == 0.1
    # The frames have no lidar: the published loss says so in a line.
    assert fit(folder, tmp_path / "lidar") == 2
    assert "no lidar depth" in capsys.readouterr().err


def test_several_files_are_drawn_by_weight_and_several_sets_validated_by_name(tmp_path, capsys):
    for name, count in (("a", 4), ("b", 8), ("near", 2), ("far", 2)):
        training_runs.write_frames(tmp_path / f"{name}.safetensors", count=count, seed=ord(name[0]))
    files = {name: str(tmp_path / f"{name}.safetensors") for name in ("a", "b", "near", "far")}
    sets = ("--data.val", json.dumps({name: files[name] for name in ("near", "far")}))
    several = ("--data.train", json.dumps([files["a"], files["b"]]), "--data.train_weights", "[3, 1]", *sets)
    assert fit(files["a"], tmp_path / "run", *several, epochs=2) == 0
    near, far = (logged(tmp_path / "run", column) for column in ("val/mae", "val/far/mae"))
    assert len(near) == len(far) == 2
    assert near != far
    best = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)["weights_header"]
    assert best["metrics"]["val_mae"] == pytest.approx(min(near.values()))
    assert "val_far_mae" in best["metrics"]
    # Alone, each set has the errors that it has beside the other.
    assert fit(files["a"], tmp_path / "far", *several[:4], "--data.val", files["far"], epochs=2) == 0
    assert logged(tmp_path / "far", "val/mae") == pytest.approx(far)
    assert fit(files["a"], tmp_path / "bad", *several[:2], "--data.train_weights", "[1]") == 2
    assert "weights [1.0] of 2 sets" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_goes_on_when_more_frames_have_come(tmp_path, capsys):
    """Windows of one step: the folder grows from 8 frames to 16 between them."""
    source, folder = training_runs.RenderedStreets(16), tmp_path / "frames"
    folder.mkdir()
    loss = "{depth_loss: rendered, image: 0, radar: 0, structure: 0, inter_depth: 0, smoothness: 0}"
    options = (
        "--model", "StudentModule", "--model.model", "tiny", "--model.loss", loss, "--trainer.callbacks+", "StopAfter",
        "--trainer.callbacks.minutes", 0, "--trainer.max_steps", 12, "--trainer.val_check_interval", 5,
        "--trainer.check_val_every_n_epoch", "null", "--ckpt_path", "resume",
    )  # fmt: skip
    stops = []
    for window in range(12):
        if window in (0, 2):
            indices = range(4 * window, 4 * window + 8)
            pack(source, shard_path(folder, indices), indices=indices)
        assert fit(folder, tmp_path / "run", *options, model=None, epochs=-1) == 0
        stops += map(int, re.findall(r"stopped .* at step (\d+)", capsys.readouterr().out))
    assert stops == sorted(set(stops))
    assert sorted(logged(tmp_path / "run")) == list(range(12))


def test_the_best_checkpoint_by_validation_becomes_weights_that_load(frames, tmp_path, capsys):
    assert fit(frames, tmp_path, "--model.lr", 0.05, epochs=3) == 0
    mae = logged(tmp_path, "val/mae")
    assert len(mae) == 3
    assert (
        cli.main(["export-weights", str(tmp_path / "checkpoints/best.ckpt"), "-o", str(tmp_path / "w.safetensors")])
        == 0
    )
    network, header = checkpoints.load(tmp_path / "w.safetensors")
    assert header.metrics["val_mae"] == pytest.approx(min(mae.values()), rel=1e-6)
    assert (header.model, header.focal_length, header.input_size) == ("tiny", 120.0, (96, 160))
    assert header.trained_on == "boxes on a road"
    for key, value in weights(tmp_path, "best.ckpt").items():
        assert torch.allclose(network.state_dict()[key.removeprefix("network.")], value, rtol=1e-3, atol=1e-6)
    (tmp_path / "bad.ckpt").write_bytes(b"no checkpoint")
    for name in ("bad.ckpt", "absent.ckpt", "w.safetensors"):
        assert cli.main(["export-weights", str(tmp_path / name), "-o", str(tmp_path / "x.safetensors")]) == 2
        assert name in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_clipping_and_averaging_train_finite_weights(frames, tmp_path, precision):
    if precision == "16-mixed" and not torch.cuda.is_available():
        precision = "bf16-mixed"  # Lightning refuses float16 on a CPU; the other options still apply
    average = ("--trainer.callbacks+", "EMAWeightAveraging", "--trainer.callbacks.decay", 0.5)
    assert fit(frames, tmp_path, "--trainer.precision", precision, "--trainer.gradient_clip_val", 0.1, *average) == 0
    content = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    average, current = content["state_dict"], content["current_model_state"]
    assert all(value.isfinite().all() for value in average.values())
    assert any(not torch.equal(average[key], current[key]) for key in average)


def test_depth_is_computed_in_float32_under_autocast():
    """bfloat16 would round 80 m to half metres."""
    from lircdepth_core.training.modules import keep_depth_in_float32

    network, _ = checkpoints.random_weights("lircdepth")
    keep_depth_in_float32(network)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network(torch.randn(1, 3, 64, 64), torch.zeros(1, 4, 64, 64))
    assert output.depth.dtype == torch.float32
    assert not torch.equal(output.depth, output.depth.bfloat16().float())


@pytest.mark.parametrize(
    ("count", "steps", "limit_m"),
    [(2, 60, 2.0), pytest.param(3, 300, 0.5, marks=pytest.mark.full)],  # of 30 m at the beginning
)
def test_a_few_frames_are_learnt_by_heart(count, steps, limit_m):
    """The whole student and its loss."""
    from lircdepth_core.data.frame import prepare
    from lircdepth_core.inference.device import keep_freed_memory
    from lircdepth_core.losses import DepthTruth, StudentLoss

    keep_freed_memory()
    torch.manual_seed(0)
    source = training_runs.Streets(count)
    samples = [prepare(source.frame(i)) for i in range(count)]
    batch = {name: torch.stack([sample[name] for sample in samples])[..., 32:64, 32:96].contiguous()
             for name in samples[0]}  # fmt: skip
    network = LiRCDepth().train()
    loss = StudentLoss(image=0, radar=0, structure=0, inter_depth=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, fused=True)
    known = batch["exact"] > 0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 10) * (1 - step / steps)
        output = network(batch["image"], batch["radar"])
        error = (output.depth - batch["exact"]).abs()[known].mean().item()
        if error < 0.9 * limit_m:
            break
        optimizer.zero_grad()
        loss(output, None, batch["image"], DepthTruth(batch["dense"], batch["single"]))["total"].backward()
        optimizer.step()
    assert error < limit_m


def test_two_processes_have_the_gradient_of_one_over_both_half_batches(frames, tmp_path):
    """Each |Omega| is counted over both ranks: their halves differ much in valid pixels."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    ranks = [
        subprocess.Popen([sys.executable, SUPPORT / "training_runs.py", str(rank), "2", port, frames,
                          tmp_path / "g.pt"],
                         cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY), "PATH": ""})
        for rank in range(2)
    ]  # fmt: skip
    halves = training_runs.half_batches(frames)
    both = {name: torch.cat([half[name] for half in halves]) for name in halves[0]}
    assert int((halves[0]["dense"] > 0).sum()) > 3 * int((halves[1]["dense"] > 0).sum())
    expected = training_runs.gradients(both)
    assert [process.wait(timeout=300) for process in ranks] == [0, 0]
    found = torch.load(tmp_path / "g.pt")
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    alone = [training_runs.gradients(half) for half in halves]  # what a count per rank would give
    assert float((sum(alone) / 2 - expected).norm() / expected.norm()) > 1e-2


def test_a_distilled_run_needs_a_teacher_and_names_what_else_it_got(frames, tmp_path, capsys):
    teacher, header = checkpoints.random_weights("cafnet")
    checkpoints.save(tmp_path / "teacher.safetensors", teacher, header)
    student, header = checkpoints.random_weights("tiny")
    checkpoints.save(tmp_path / "tiny.safetensors", student, header)
    small = ("--data.crop", "[32, 32]", "--trainer.max_steps", 1, "--trainer.limit_val_batches", 1)
    model = ("--model", "StudentModule", "--model.teacher")
    assert fit(frames, tmp_path / "kd", *model, tmp_path / "teacher.safetensors", *small, model=None) == 0
    with next((tmp_path / "kd").rglob("metrics.csv")).open() as file:
        columns = next(csv.reader(file))
    terms = {"depth", "smoothness", "image", "radar", "structure", "inter_depth", "total", "skipped_frames"}
    assert {name.partition("/")[2] for name in columns if name.startswith("train/")} == terms
    state = weights(tmp_path / "kd")
    assert len(state) == len(LiRCDepth().state_dict())  # the teacher is not saved along
    capsys.readouterr()
    other = dataclasses.replace(checkpoints.random_weights("cafnet")[1], focal_length=240.0, trained_on="boxes")
    checkpoints.save(tmp_path / "other.safetensors", teacher, other)
    for options, message in (
        ((*model, tmp_path / "tiny.safetensors"), "expected a teacher"),
        (
            (*model, tmp_path / "other.safetensors", *small),
            "trained for a focal length of 240.0 px, but boxes on a road",
        ),
        ((*model, tmp_path / "absent.safetensors"), "no such weights file"),
        ((*model, tmp_path / "teacher.safetensors", *PLAIN), "every distillation term weighs 0"),
        ((*model[:2], "--model.loss", "{sharpness: 1}"), "sharpness"),
        ((*model[:2], "--model.nonsense", "1"), "nonsense"),
    ):
        assert fit(frames, tmp_path / "bad", *options, model=None) == 2
        error = capsys.readouterr().err
        assert message in error.splitlines()[-1]


def test_distillation_ends_where_it_is_told_to(frames, tmp_path):
    checkpoints.save(tmp_path / "teacher.safetensors", *checkpoints.random_weights("cafnet"))
    model = ("--model", "StudentModule", "--model.teacher", tmp_path / "teacher.safetensors")
    # At 32x32 with two samples batch norm at the coarsest scale sees two values a channel, and gradients overflow.
    options = ("--model.distil_until", 0.5, "--data.crop", "[64, 64]", "--trainer.max_steps", 4)
    assert fit(frames, tmp_path / "kd", *model, *options, "--trainer.limit_val_batches", 1, model=None) == 0
    structure = logged(tmp_path / "kd", "train/structure")
    assert [np.isfinite(structure[step]) for step in range(4)] == [True, True, False, False]
    assert all(np.isfinite(value) for value in logged(tmp_path / "kd").values())


@pytest.mark.full
def test_the_teachers_output_is_kept_for_samples_that_repeat(frames, tmp_path, caplog):
    teacher, header = checkpoints.random_weights("cafnet")
    checkpoints.save(tmp_path / "teacher.safetensors", teacher, header)
    options = (
        "--model", "StudentModule", "--model.teacher", tmp_path / "teacher.safetensors", "--data.crop", "[32, 64]",
        "--data.repeat", 2, "--data.batch_size", 4, "--trainer.limit_val_batches", 1, "--model.lr", 1e-9,
    )  # fmt: skip
    cache = tmp_path / "cache"
    assert fit(frames, tmp_path / "without", *options, model=None, epochs=3) == 0
    assert fit(frames, tmp_path / "with", *options, "--model.teacher_cache", cache, model=None, epochs=3) == 0
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(kept) == 16  # two augmentations of eight frames; the third epoch found the first's
    damaged = sorted(kept)[0]
    damaged.write_bytes(damaged.read_bytes()[:5000])
    assert fit(frames, tmp_path / "again", *options, "--model.teacher_cache", cache, model=None, epochs=3) == 0
    assert "not complete" in caplog.text
    assert {path for path in cache.iterdir() if path.stat().st_mtime_ns != kept[path]} == {damaged}
    expected = pytest.approx(logged(tmp_path / "without"), rel=0.01)  # batch norms over few pixels amplify rounding
    assert logged(tmp_path / "with") == expected
    assert logged(tmp_path / "again") == expected


def test_fine_tuning_goes_on_from_weights_of_the_same_network(frames, tmp_path, capsys):
    start, other = tmp_path / "start.safetensors", tmp_path / "student.safetensors"
    network, header = checkpoints.random_weights("tiny", seed=5)
    checkpoints.save(start, network.half(), header)
    still = ("--model.lr", 1e-12, "--trainer.max_steps", 1, "--model.init_weights")
    assert fit(frames, tmp_path, *still, start) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "checkpoints/best.ckpt").is_file()  # the run ends within its first epoch, and is validated then
    assert "init_weights: trained for a focal length of 1266.0 px, these frames have 120.0" in printed
    for name, value in network.float().named_parameters():
        found = weights(tmp_path)[f"network.{name}"]
        assert found.dtype == torch.float32
        assert torch.allclose(found, value, atol=1e-9), name
    output = tmp_path / "tuned.safetensors"
    assert cli.main(["export-weights", str(tmp_path / "checkpoints/last.ckpt"), "-o", str(output)]) == 0
    training = checkpoints.read_header(output).training
    assert (training["steps"], training["lr"], training["crop"]) == (1, 1e-12, [64, 96])
    assert training["before"] == {"data": "nothing (random weights)", "focal_length": 1266.0}
    checkpoints.save(other, *checkpoints.random_weights())
    assert fit(frames, tmp_path, *still, other) == 2
    assert "holds weights of 'lircdepth', expected 'tiny'" in capsys.readouterr().err.splitlines()[-1]


def test_the_teacher_trains_on_patch_labels(frames, tmp_path):
    options = ("--model", "TeacherModule", "--data.crop", "[32, 64]", "--trainer.max_steps", 2)
    assert fit(frames, tmp_path, *options, "--trainer.limit_val_batches", 1, model=None) == 0
    for term in ("depth", "confidence", "coarse_depth", "smoothness"):
        values = logged(tmp_path, f"train/{term}")
        assert len(values) == 2
        assert all(np.isfinite(list(values.values())))
    assert len(weights(tmp_path)) == len(CaFNet().state_dict())


def on_two_nodes(frames, val, root, *options):
    """Run `lircdepth train fit` on two nodes of one process each; return [(status, last line of stderr)]."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [
        "train", "fit", "--model", "StudentModule", "--model.model", "tiny", "--data", "PackedData", "--data.train",
        frames, "--data.val", val, "--data.batch_size", 2, "--data.crop", "[96, 160]", "--trainer.accelerator", "cpu",
        "--trainer.devices", 1, "--trainer.num_nodes", 2, "--trainer.strategy", "ddp", "--trainer.max_steps", 2,
        "--trainer.default_root_dir", root, "--trainer.enable_progress_bar", "false", "--trainer.logger", "false",
        "--model.loss", "{image: 0, radar: 0, structure: 0, inter_depth: 0}", *options,
    ]  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "lircdepth_ros.cli", *map(str, words)],
            cwd=REPOSITORY,
            env=os.environ | {"NODE_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    lines = [[line for line in error.splitlines() if "error:" in line] for error in errors]
    return [(process.returncode, found[-1] if found else "") for process, found in zip(processes, lines, strict=True)]


def test_a_loss_that_is_not_finite_on_one_rank_ends_all(tmp_path):
    """The others would wait for its gradient until a timeout of half an hour."""

    class Broken(training_runs.Streets):
        def frame(self, index):
            frame = super().frame(index)
            if index == 1:
                frame["radar"][1][frame["radar"][0] > 0] = np.nan
            return frame

    training_runs.pack(Broken(4), tmp_path / "broken.safetensors")
    training_runs.pack(training_runs.Streets(2), tmp_path / "val.safetensors")
    found = on_two_nodes(tmp_path / "broken.safetensors", tmp_path / "val.safetensors", tmp_path)
    assert [status for status, _ in found] == [2, 2]
    assert sorted("on 1 other ranks" in line for _, line in found) == [False, True]
    assert all("loss is not finite at step 0" in line for _, line in found)
    assert len(list(tmp_path.glob("not-finite-step0*.pt"))) == 1


def test_fewer_validation_frames_than_processes_are_one_line(tmp_path):
    training_runs.pack(training_runs.Streets(4), tmp_path / "train.safetensors")
    training_runs.pack(training_runs.Streets(1), tmp_path / "val.safetensors")
    found = on_two_nodes(tmp_path / "train.safetensors", tmp_path / "val.safetensors", tmp_path)
    assert [status for status, _ in found] == [2, 2]
    assert all("1 validation frames for 2 processes, expected at least one for each" in line for _, line in found)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_batch(tmp_path, capsys):
    class Broken(training_runs.Streets):
        def frame(self, index):
            frame = super().frame(index)
            frame["radar"][1][frame["radar"][0] > 0] = np.nan
            return frame

    training_runs.pack(Broken(4), tmp_path / "broken.safetensors")
    options = ("--data.crop", "[96, 160]", "--trainer.limit_val_batches", 0)
    assert fit(tmp_path / "broken.safetensors", tmp_path, *options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "not finite at step 0" in error
    (path,) = tmp_path.glob("not-finite-step0*.pt")
    assert str(path) in error
    batch = torch.load(path, weights_only=True)["batch"]
    assert batch["radar"].isnan().any()
    assert batch["image"].shape == (2, 3, 96, 160)


def test_frames_without_ground_truth_are_skipped_and_their_number_logged(tmp_path):
    class HalfEmpty(training_runs.Streets):
        def frame(self, index):
            frame = super().frame(index)
            if index % 2:
                frame["dense"] = frame["dense"] * 0
                frame["single"] = frame["single"] * 0
            return frame

    training_runs.pack(HalfEmpty(4), tmp_path / "half.safetensors")
    assert fit(tmp_path / "half.safetensors", tmp_path, epochs=1) == 0
    assert sum(logged(tmp_path, "train/skipped_frames").values()) == 2


def test_nuscenes_needs_dense_maps_of_the_training_split_alone_and_one_that_is_missing_is_a_line(tmp_path, capsys):
    pytest.importorskip("nuscenes")
    import street_nuscenes

    root = street_nuscenes.write(tmp_path / "root", names=("scene-0061", "scene-0103"))
    dense, data = tmp_path / "dense", ("--dataroot", str(root), "--version", "v1.0-mini")
    words = ["ground-truth", *data, "--split", "mini_train", "--sweeps", "2", "--jobs", "1", "-o", str(dense)]
    assert cli.main(words) == 0
    words = training_runs.fit_words("unused", tmp_path / "run", "--trainer.max_steps", 1)
    first = words.index("--data")
    options = {"dataroot": root, "version": "v1.0-mini", "train_split": "mini_train", "val_split": "mini_val",
               "dense": dense, "crop": "[64, 96]", "batch_size": 2, "workers": 1}  # fmt: skip
    words[first : first + 10] = ["--data", "NuScenesData", *(f"--data.{name}={options[name]}" for name in options)]
    assert cli.main(words) == 0
    missing = sorted(dense.rglob("*.png"))[0]
    missing.unlink()
    capsys.readouterr()
    assert cli.main([*words, "--trainer.default_root_dir", str(tmp_path / "again")]) == 2
    assert f"train: error: {missing}: no such depth map; " in capsys.readouterr().err.splitlines()[-1]


def test_exhausted_memory_names_the_batch_size_to_try(frames, tmp_path):
    """In a process of its own, with little address space: the error is the allocator's."""
    program = f"""
import resource, sys
sys.path[:0] = [{str(REPOSITORY)!r}, {str(TEST)!r}, {str(SUPPORT)!r}]
import torch, test_training, training_runs
from lircdepth_core.training.command_line import explained_out_of_memory
torch.ones(8).sum()
size = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (size + 6 * 10**8, size + 6 * 10**8))
sys.exit(test_training.fit({str(frames)!r}, {str(tmp_path)!r}, "--data.crop", "[96, 160]", "--model", "StudentModule",
                           *training_runs.PLAIN, model=None, batch_size=8, epochs=1))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert result.returncode == 2, result.stderr[-2000:]
    last = result.stderr.strip().splitlines()[-1]
    assert "out of memory at batch size 8: try --data.batch_size 4" in last


def test_encoders_start_from_a_local_file(frames, tmp_path, capsys):
    from lircdepth_core.training.initialisation import initialise

    path = REPOSITORY.parent / "shared/weights/mobilenet_v2_imagenet_features.safetensors"
    if not path.is_file():
        pytest.skip(f"no ImageNet weights at {path}")
    from safetensors.torch import load_file

    network = LiRCDepth()
    initialise(network, str(path), seed=0)
    for name, value in load_file(path).items():
        for encoder in (network.encoder, network.encoder_radar):
            assert torch.equal(encoder.base_model.state_dict()[name.removeprefix("features.")], value)
    wrong = tmp_path / "tiny.safetensors"
    checkpoints.save(wrong, *checkpoints.random_weights("tiny"))
    model = ("--model", "StudentModule", "--model.encoder_weights")
    for source in (wrong, tmp_path / "absent.safetensors"):
        assert fit(frames, tmp_path, *model, source, model=None) == 2
        assert str(source) in capsys.readouterr().err.splitlines()[-1]


def test_decoders_start_from_xavier_and_a_seed_decides():
    from lircdepth_core.training.initialisation import initialise

    first, again, other = LiRCDepth(), LiRCDepth(), LiRCDepth()
    for network, seed in ((first, 1), (again, 1), (other, 2)):
        initialise(network, None, seed)
    weight = first.decoder.conv1[0].weight
    bound = (6 / (36 * 9 + 32 * 9)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.95 * bound
    assert torch.equal(weight, again.decoder.conv1[0].weight)
    assert not torch.equal(weight, other.decoder.conv1[0].weight)


@pytest.mark.parametrize(
    "recipe",
    [path for path in sorted((REPOSITORY / "training").rglob("*.yaml")) if "model" in recipes.read(path)],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_every_recipe_is_understood(recipe, tmp_path):
    """Checked against the classes' signatures by the parser that runs them, without opening any data."""
    from lircdepth_core.training import command_line

    config = command_line.parse(["fit", "-c", str(recipe)])
    settings = recipes.read(recipe)
    assert config.fit.model.class_path.endswith(settings["model"]["class_path"])
    assert config.fit.data.init_args.batch_size == settings["data"]["init_args"]["batch_size"]
    assert config.fit.seed_everything == settings["seed_everything"] == 0
    assert json.dumps(settings)  # plain values alone


def test_a_recipe_inherits_what_it_does_not_say(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "trainer: {max_epochs: 3, callbacks: [1, 2]}\nmodel: {class_path: A, init_args: {lr: 1, eps: 2}}\n"
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/next.yaml").write_text(
        "base: ../base.yaml\ntrainer: {callbacks: [3]}\nmodel: {init_args: {lr: 5}}\n"
    )
    (tmp_path / "last.yaml").write_text("base: folder/next.yaml\nmodel: {class_path: B, init_args: {a: 1}}\n")
    assert recipes.read(tmp_path / "folder/next.yaml") == {
        "trainer": {"max_epochs": 3, "callbacks": [3]},
        "model": {"class_path": "A", "init_args": {"lr": 5, "eps": 2}},
    }
    assert recipes.read(tmp_path / "last.yaml")["model"] == {"class_path": "B", "init_args": {"a": 1}}
    (tmp_path / "loop.yaml").write_text("base: loop.yaml\n")
    for name, message in (("loop", "inherits from itself"), ("absent", "no such recipe")):
        with pytest.raises(LircDepthError, match=message):
            recipes.read(tmp_path / f"{name}.yaml")


@pytest.mark.parametrize(("options", "message"), [
    (("--model.weight_decy", 2), "StudentModule has no option 'weight_decy': did you mean 'weight_decay'?"),
    (("--data.crp", "[32, 32]"), "PackedData has no option 'crp': did you mean 'crop'?"),
    (("--trainer.precision", "bf16-true"), "use bf16-mixed"),
    (("--trainer.fast_dev_run", "-1"), "fast_dev_run"),
])  # fmt: skip
def test_a_wrong_option_is_one_sentence(frames, tmp_path, capsys, options, message):
    assert fit(frames, tmp_path, *options) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_testing_is_what_eval_does(frames, tmp_path, capsys):
    words = training_runs.fit_words(frames, tmp_path)
    assert cli.main([words[0], "test", *words[2:]]) == 2
    assert "invalid choice: 'test' (choose from 'fit', 'validate')" in capsys.readouterr().err.splitlines()[-1]


def test_lightnings_finder_sets_the_learning_rate(frames, tmp_path):
    finder = ("--trainer.callbacks+", "LearningRateFinder", "--trainer.callbacks.num_training_steps", 40,
              "--trainer.callbacks.early_stop_threshold", "null")  # fmt: skip
    assert fit(frames, tmp_path, "--model.lr", 0.125, *finder, "--trainer.max_steps", 2, epochs=-1) == 0
    content = torch.load(tmp_path / "resume.ckpt", weights_only=True)
    assert content["weights_header"]["training"]["lr"] != 0.125
    assert (
        content["weights_header"]["training"]["lr"] == content["optimizer_states"][0]["param_groups"][0]["initial_lr"]
    )


def test_hyperparameters_and_the_learning_rate_are_logged_and_a_missing_logger_is_a_line(frames, tmp_path, capsys):
    assert fit(frames, tmp_path, "--model.lr", 0.25, "--model.warmup", 3, epochs=1) == 0
    assert logged(tmp_path, "lr") == pytest.approx({step: 0.25 * (step + 1) / 4 * (0.1 + 0.9 * (1 - step / 4) ** 0.9)
                                                    for step in range(4)})  # fmt: skip
    (kept,) = tmp_path.rglob("hparams.yaml")
    assert yaml.safe_load(kept.read_text())["model"]["init_args"]["lr"] == 0.25
    try:
        import wandb  # noqa: F401
    except ImportError:
        words = training_runs.fit_words(frames, tmp_path / "other")
        words = words[: words.index("--trainer.logger")] + words[words.index("--trainer.log_every_n_steps") :]
        assert cli.main([*words, "--trainer.logger", "WandbLogger"]) == 2
        assert "wandb" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_without_a_fault_prints_no_warning(frames, tmp_path):
    """In a process of its own, since Python shows a warning once. What it validates after its end counts, too."""
    words = training_runs.fit_words(
        frames, tmp_path, "--trainer.precision", "bf16-mixed", "--ckpt_path", "resume", epochs=9
    )
    program = """
import sys
from lircdepth_ros import cli
for steps in "37":
    assert cli.main([*sys.argv[1:], "--trainer.max_steps", steps]) == 0
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "max_steps=7` reached" in done.stderr
    assert "Restored all states" in done.stderr
    assert not re.search("warn|deprecated|not set|not supported|not empty", done.stderr, re.IGNORECASE), done.stderr


def test_pictures_show_image_depth_and_truth_one_above_the_other():
    from lircdepth_core.evaluation.colours import CHECKER_RGB
    from lircdepth_core.inference.input_plan import normalise
    from lircdepth_core.models.common.interface import DepthOutput
    from lircdepth_core.training.callbacks import picture

    depth = torch.full((1, 1, 32, 64), 8.0)
    image = torch.full((1, 3, 32, 64), 0.5)
    batch = {"image": normalise(image), "dense": torch.zeros_like(depth), "single": depth * 0}
    batch["single"][..., :32] = 8.0
    shown = picture(batch, DepthOutput(depth, [], [], [], []), 0)
    assert shown.shape == (3, 96, 64)
    assert set(shown[:, :32].unique().tolist()) <= {127, 128}
    assert torch.equal(shown[:, 32:64, :32], shown[:, 64:, :32])  # the same depth, the same colour
    unknown = {tuple(pixel) for pixel in shown[:, 64:, 32:].reshape(3, -1).T.tolist()}
    assert unknown == set(CHECKER_RGB)
