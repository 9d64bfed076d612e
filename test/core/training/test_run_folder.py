# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""No run is lost or mixed with another one: killed, interrupted and preempted runs go on as if they had not stopped."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

import training_runs
from lircdepth_core.models import checkpoints
from lircdepth_core.training.callbacks import StopAfter
from lircdepth_core.training.command_line import TO_BE_REQUEUED
from lircdepth_ros import cli
from paths import REPOSITORY
from training_runs import logged

pytestmark = pytest.mark.usefixtures("one_thread")

pytest.importorskip("jsonargparse")
pytest.importorskip("lightning_utilities", reason="Lightning is not installed")

RESUME = ("--ckpt_path", "resume")
HELD = ("--trainer.callbacks+", "training_runs.Held")  # until a signal comes


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return training_runs.write_frames(tmp_path_factory.mktemp("frames") / "frames.safetensors")


def fit(frames, root, *options, **about):
    return cli.main(training_runs.fit_words(frames, root, "--model.lr", 0.01, *options, **about))


def started(frames, root, *options, epochs=2):
    """Start `lircdepth train fit --ckpt_path resume` in a process of its own."""
    words = training_runs.fit_words(frames, root, "--model.lr", 0.01, *RESUME, *options, epochs=epochs)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "test/support")])}
    return subprocess.Popen(
        [sys.executable, "-m", "lircdepth_ros.cli", *words],
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_steps(process, root, count):
    while len(logged(root)) < count and process.poll() is None:
        time.sleep(0.02)


def test_a_preempted_run_saves_exits_with_a_status_for_requeueing_and_goes_on(frames, tmp_path):
    assert fit(frames, tmp_path / "whole") == 0
    cut = tmp_path / "cut"
    run = started(frames, cut, *HELD)
    wait_for_steps(run, cut, 1)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=120)
    assert run.returncode == TO_BE_REQUEUED == 75, err[-2000:]
    (step,) = re.findall(r"stopped by SIGTERM at step (\d+); --ckpt_path resume goes on", out)
    assert torch.load(cut / "resume.ckpt", weights_only=True)["global_step"] == int(step) < 8

    run = started(frames, cut, *HELD)
    wait_for_steps(run, cut, int(step) + 1)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, err[-2000:]
    assert f"resuming {cut / 'resume.ckpt'} at step {step}" in out
    assert "stopped by SIGINT" in out
    assert fit(frames, cut, *RESUME) == 0
    assert logged(cut) == logged(tmp_path / "whole")
    assert logged(cut, "val/mae") == logged(tmp_path / "whole", "val/mae")


def test_a_run_that_is_killed_within_its_second_epoch_goes_on_from_the_end_of_the_first(frames, tmp_path, capsys):
    assert fit(frames, tmp_path / "whole") == 0
    cut = tmp_path / "cut"
    run = started(frames, cut, *HELD, "--trainer.callbacks.steps", 6)
    wait_for_steps(run, cut, 6)
    run.kill()
    run.communicate()
    assert sorted(path.name for path in cut.rglob("*.ckpt")) == ["best.ckpt", "last.ckpt"]
    capsys.readouterr()
    assert fit(frames, cut, *RESUME) == 0
    assert f"resuming {cut / 'checkpoints/last.ckpt'} at step 4" in capsys.readouterr().out
    assert logged(cut) == logged(tmp_path / "whole")
    assert logged(cut, "val/mae") == logged(tmp_path / "whole", "val/mae")
    final = torch.load(cut / "resume.ckpt", weights_only=True)["state_dict"]
    for key, value in torch.load(tmp_path / "whole/resume.ckpt", weights_only=True)["state_dict"].items():
        assert torch.equal(final[key], value), key


@pytest.mark.full
def test_a_preempted_ablation_goes_on_where_it_was(frames, tmp_path, capsys):
    teacher = tmp_path / "teacher.safetensors"
    checkpoints.save(teacher, *checkpoints.random_weights("tiny"))
    words = [
        "ablation", "-o", tmp_path / "out", "--train", frames, "--val", frames, "--test", frames, "--teacher", teacher,
        "--steps", 3, "--batch-size", 2, "--crop", 32, 64, "--precision", "32-true", "--device", "cpu",
        "--rows", "none",
    ]  # fmt: skip

    def terminate_in_training():
        while not isinstance(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), StopAfter):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate_in_training, daemon=True).start()
    with pytest.raises(SystemExit) as left:
        cli.main([str(word) for word in words])
    assert left.value.code == TO_BE_REQUEUED
    assert "stopped by SIGTERM at step 1" in capsys.readouterr().out
    assert cli.main([str(word) for word in words]) == 0
    out = capsys.readouterr().out
    assert f"resuming {tmp_path / 'out/none/seed0/resume.ckpt'} at step 1" in out
    assert "none seed 0: MAE" in out
    assert checkpoints.read_header(tmp_path / "out/none/seed0/weights.safetensors").training["steps"] == 3


@pytest.mark.full
def test_a_run_that_is_killed_at_twenty_moments_is_the_uninterrupted_run(frames, tmp_path):
    saving = ("--trainer.callbacks+", "StopAfter", "--trainer.callbacks.save_minutes", 0)
    assert fit(frames, tmp_path / "whole", epochs=30) == 0
    cut, moments, kills = tmp_path / "cut", random.Random(0), 0
    while kills < 20:
        run = started(frames, cut, *saving, epochs=30)
        before = len(logged(cut))
        wait_for_steps(run, cut, before + moments.randrange(1, 5))
        time.sleep(moments.random() / 10)
        run.kill()
        run.communicate()
        kills += 1
    assert len(logged(cut)) < 120
    assert fit(frames, cut, *saving, *RESUME, epochs=30) == 0
    whole, found = logged(tmp_path / "whole"), logged(cut)
    # A checkpoint is written before the line of its step: each kill may lose a line of the log, but no step.
    assert len(whole) - kills <= len(found)
    assert found.items() <= whole.items()
    assert logged(cut, "val/mae").items() <= logged(tmp_path / "whole", "val/mae").items()
    final = torch.load(cut / "resume.ckpt", weights_only=True)["state_dict"]
    for key, value in torch.load(tmp_path / "whole/resume.ckpt", weights_only=True)["state_dict"].items():
        assert torch.equal(final[key], value), key


def test_the_newest_checkpoint_that_can_be_read_is_taken(frames, tmp_path, capsys):
    assert fit(frames, tmp_path) == 0
    whole = logged(tmp_path)
    (tmp_path / "resume.ckpt").write_bytes((tmp_path / "resume.ckpt").read_bytes()[:10_000])
    capsys.readouterr()
    assert fit(frames, tmp_path, *RESUME, epochs=3) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path / 'resume.ckpt'} cannot be read" in out
    assert f"resuming {tmp_path / 'checkpoints/last.ckpt'} at step 8" in out
    assert "a setting has changed: trainer.max_epochs 2 -> 3" in out
    assert sorted(logged(tmp_path)) == list(range(12))
    assert {step: logged(tmp_path)[step] for step in whole} == whole
    for path in tmp_path.rglob("*.ckpt"):
        path.write_bytes(b"damaged")
    assert fit(frames, tmp_path, *RESUME) == 2
    assert "cannot be read" in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_that_holds_a_run_is_continued_as_that_run_or_refused(frames, tmp_path, capsys):
    assert fit(frames, tmp_path, epochs=1) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ckpt")}
    other = (
        ((), "holds a run of 4 steps already: go on with it by --ckpt_path resume"),
        ((*RESUME, "--model.lr", 0.1), "is of another run (model.init_args.lr 0.01 -> 0.1)"),
        ((*RESUME, "--seed_everything", 5), "is of another run (seed_everything 0 -> 5)"),
        ((*RESUME, "--model.loss.depth_loss", "l1"), "depth_loss"),
    )
    for options, message in other:
        assert fit(frames, tmp_path, *options) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
        assert {path: path.read_bytes() for path in tmp_path.rglob("*.ckpt")} == before


def test_a_run_that_ends_within_its_first_epoch_leaves_a_best_checkpoint_or_says_what_to_take(frames, tmp_path, capsys):
    assert fit(frames, tmp_path / "short", "--trainer.max_steps", 2) == 0
    output = tmp_path / "short.safetensors"
    assert cli.main(["export-weights", str(tmp_path / "short/checkpoints/best.ckpt"), "-o", str(output)]) == 0
    header = checkpoints.read_header(output)
    assert header.training["steps"] == 2
    assert header.metrics["val_mae"] == pytest.approx(next(iter(logged(tmp_path / "short", "val/mae").values())))
    capsys.readouterr()
    assert fit(frames, tmp_path / "unseen", "--trainer.limit_val_batches", 0) == 0
    assert f"no best.ckpt: {tmp_path / 'unseen/resume.ckpt'} is the last" in capsys.readouterr().out
    window = ("--trainer.callbacks+", "StopAfter", "--trainer.callbacks.minutes", 0)
    assert fit(frames, tmp_path / "window", *window) == 0
    assert f"no best.ckpt before the first validation; {tmp_path / 'window/resume.ckpt'}" in capsys.readouterr().out
