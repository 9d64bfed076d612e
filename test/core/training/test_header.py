# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The header of weights says what ran, and one seed decides a run."""

import hashlib
import subprocess

import pytest
import torch

import training_runs
from lircdepth_core.models import checkpoints
from lircdepth_ros import cli
from paths import REPOSITORY

pytestmark = pytest.mark.usefixtures("one_thread")

pytest.importorskip("jsonargparse")
pytest.importorskip("lightning_utilities", reason="Lightning is not installed")


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return training_runs.write_frames(tmp_path_factory.mktemp("frames") / "frames.safetensors")


def fit(frames, root, *options, **about):
    return cli.main(training_runs.fit_words(frames, root, *options, **about))


def exported(root, name="resume.ckpt"):
    output = root / "weights.safetensors"
    assert cli.main(["export-weights", str(root / name), "-o", str(output), "--float32"]) == 0
    return output


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def training(frames, tmp_path_factory):
    """The header's "training" of a distilled run with every option that has a field."""
    root = tmp_path_factory.mktemp("run")
    teacher = root / "teacher.safetensors"
    checkpoints.save(teacher, *checkpoints.random_weights("cafnet"))
    options = (
        "--model", "StudentModule", "--model.teacher", teacher, "--model.loss.structure", 0.5, "--model.lr", 3e-4,
        "--model.weight_decay", 2e-4, "--model.eps", 1e-6, "--model.power", 0.7, "--model.final_lr", 0.2,
        "--model.warmup", 1, "--model.distil_until", 0.9, "--seed_everything", 7, "--data.drop_points", 0.25,
        "--data.crop", "[64, 64]", "--trainer.max_steps", 1, "--trainer.limit_val_batches", 1,
        "--trainer.gradient_clip_val", 0.5, "--trainer.accumulate_grad_batches", 2, "--trainer.precision", "bf16-mixed",
        "--trainer.callbacks+", "EMAWeightAveraging", "--trainer.callbacks.decay", 0.998,
    )  # fmt: skip
    assert fit(frames, root, *options, model=None, epochs=-1) == 0
    found = checkpoints.read_header(exported(root)).training
    return found | {"its teacher": sha256(teacher)}


@pytest.mark.parametrize(("field", "value"), [
    ("steps", 1), ("batch_size", 4), ("precision", "bf16-mixed"), ("lr", 3e-4), ("weight_decay", 2e-4), ("eps", 1e-6),
    ("power", 0.7), ("final_lr", 0.2), ("warmup", 1), ("gradient_clip", 0.5), ("ema_decay", 0.998), ("seed", 7),
    ("init_seed", 7), ("data_seed", 7), ("drop_points", 0.25), ("crop", [64, 64]), ("distil_until", 0.9),
    ("teacher", "teacher.safetensors"),
])  # fmt: skip
def test_a_field_says_what_was_given(training, field, value):
    assert training[field] == value


def test_the_loss_is_that_of_the_options(training):
    assert training["loss"]["structure"] == 0.5


def test_data_and_teacher_are_told_by_their_hashes(training, frames):
    assert training["data_sha256"] == sha256(frames)
    assert training["teacher_sha256"] == training["its teacher"]


def test_the_code_is_told_by_version_and_commit(training):
    assert f"<version>{training['version']}</version>" in (REPOSITORY / "package.xml").read_text()
    if not (REPOSITORY / ".git").exists():
        assert training["commit"] is None
        return
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert training["commit"].partition("+")[0] == head.stdout.strip()


def test_a_learning_rate_after_a_resume_is_the_one_that_was_used(frames, tmp_path):
    """A checkpoint of before settings were kept: the option changes, and the optimiser goes on with its own."""
    assert fit(frames, tmp_path, "--model.lr", 0.02, epochs=1) == 0
    for path in tmp_path.rglob("*.ckpt"):
        content = torch.load(path, weights_only=True)
        del content["settings"]
        torch.save(content, path)
    assert fit(frames, tmp_path, "--model.lr", 0.5, "--ckpt_path", "resume", epochs=2) == 0
    header = checkpoints.read_header(exported(tmp_path))
    assert (header.training["steps"], header.training["lr"]) == (8, 0.02)


def test_without_clipping_averaging_and_teacher_the_fields_say_so(frames, tmp_path):
    assert fit(frames, tmp_path, "--trainer.max_steps", 1) == 0
    training = checkpoints.read_header(exported(tmp_path)).training
    assert [training[name] for name in ("gradient_clip", "ema_decay", "teacher", "seed")] == [None, None, None, 0]


@pytest.mark.parametrize("model", ["tiny", pytest.param("lircdepth", marks=pytest.mark.full),
                                   pytest.param("cafnet", marks=pytest.mark.full)])  # fmt: skip
def test_three_seeds_are_three_runs_and_one_seed_twice_is_the_same_bytes(frames, tmp_path, model):
    options = ("--data.drop_points", 0.5, "--trainer.max_steps", 3)
    if model == "cafnet":
        model, options = None, ("--model", "TeacherModule", *options)
    losses, files = {}, {}
    for run, seed in (("one", 1), ("two", 2), ("three", 3), ("again", 1)):
        assert fit(frames, tmp_path / run, "--seed_everything", seed, *options, model=model) == 0
        losses[run] = training_runs.logged(tmp_path / run)
        files[run] = exported(tmp_path / run).read_bytes()
        assert checkpoints.read_header(tmp_path / run / "weights.safetensors").training["seed"] == seed
    assert losses["one"] == losses["again"]
    assert files["one"] == files["again"]
    assert len({losses[run][0] for run in ("one", "two", "three")}) == 3


def test_one_seed_decides_the_start_and_the_data_each(frames, tmp_path):
    """With the data's seed fixed the start differs, and with the start fixed the data."""
    first = {}
    for run, options in {
        "one": ("--seed_everything", 1), "data": ("--seed_everything", 2, "--data.seed", 1),
        "start": ("--seed_everything", 2, "--model.init_seed", 1),
    }.items():  # fmt: skip
        assert fit(frames, tmp_path / run, *options, "--trainer.max_steps", 1) == 0
        first[run] = training_runs.logged(tmp_path / run)[0]
    assert len(set(first.values())) == 3
