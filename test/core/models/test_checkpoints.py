# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights load exactly, or an error of one line says why not; no file ever executes code."""

import pickle

import numpy as np
import pytest
import torch
from test_student import published_state

from lircdepth_core.errors import LircDepthError
from lircdepth_core.models import checkpoints
from lircdepth_core.models.published import load_published
from lircdepth_ros import cli


def published_checkpoint(path, **changes):
    """A file of the published form: pickled dict, `module.` prefix, NumPy array and tensors beside the state."""
    state = {f"module.{key}": value for key, value in published_state().items()}
    content = {
        "global_step": 1170000,
        "model": state,
        "optimizer": {"state": {}, "param_groups": []},
        "best_eval_measures_lower_better": torch.zeros(6) + 1e3,
        "best_eval_measures_higher_better": torch.zeros(3),
        "best_eval_steps": np.zeros(9, dtype=np.int32),
    } | changes
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return published_checkpoint(tmp_path_factory.mktemp("published") / "model-best.pth")


def command(*words):
    return cli.main([str(word) for word in words])


def test_a_published_checkpoint_is_imported_bit_for_bit(published, tmp_path, capsys):
    assert command("import-checkpoint", published, "-o", tmp_path / "student.safetensors") == 0
    network, header = checkpoints.load(tmp_path / "student.safetensors")
    assert not header.random
    assert "model-best.pth" in header.trained_on
    assert not network.training
    state = network.state_dict()
    for key, value in published_state().items():
        assert torch.equal(state[key], value), key
    assert list(tmp_path.iterdir()) == [tmp_path / "student.safetensors"]


class _Hostile:
    def __reduce__(self):
        return (open, ("/tmp/lircdepth-hostile", "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_would_run_code_is_refused(tmp_path, capsys, zipped):
    path = tmp_path / "hostile.pth"
    torch.save({"model": {}, "extra": _Hostile()}, path, _use_new_zipfile_serialization=zipped)
    assert command("import-checkpoint", path, "-o", tmp_path / "out.safetensors") == 2
    assert "without executing code" in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()


def test_each_bad_checkpoint_is_one_line_that_names_it(published, tmp_path, capsys):
    truncated = tmp_path / "truncated.pth"
    truncated.write_bytes(published.read_bytes()[:100_000])
    text = tmp_path / "text.pth"
    text.write_text("no checkpoint")
    empty = tmp_path / "empty.pth"
    empty.touch()
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {}}, other)
    array = tmp_path / "array.pth"
    array.write_bytes(pickle.dumps([1, 2, 3]))
    for path in (truncated, text, empty, other, array, tmp_path / "missing.pth"):
        assert command("import-checkpoint", path, "-o", tmp_path / "out.safetensors") == 2, path
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert str(path) in error
    assert not (tmp_path / "out.safetensors").exists()


def test_a_checkpoint_of_another_network_names_the_keys_that_differ(tmp_path, capsys):
    state = {f"module.{key}": value for key, value in published_state().items()}
    del state["module.decoder.get_depth.0.weight"]
    state["module.decoder.lpg8x8.weight"] = torch.zeros(3)
    state["module.decoder.scale8.0.weight"] = torch.zeros(1, 64, 1, 1)
    path = published_checkpoint(tmp_path / "bts.pth", model=state)
    assert command("import-checkpoint", path, "-o", tmp_path / "out.safetensors") == 2
    error = capsys.readouterr().err
    assert "1 missing (decoder.get_depth.0.weight)" in error
    assert "1 unexpected (decoder.lpg8x8.weight)" in error
    assert "1 of another shape (decoder.scale8.0.weight)" in error


def test_weights_come_back_with_their_header(tmp_path):
    network, _ = checkpoints.random_weights("tiny", seed=3)
    header = checkpoints.Header(
        model="tiny",
        config={"max_depth": 80.0},
        focal_length=633.0,
        input_size=(448, 800),
        trained_on="a test",
        metrics={"mae": 1.5},
    )
    network.max_depth = 80.0
    checkpoints.save(tmp_path / "tiny.safetensors", network, header)
    loaded, found = checkpoints.load(tmp_path / "tiny.safetensors")
    assert found == header
    assert loaded.max_depth == 80.0
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_each_bad_weights_file_is_refused_with_its_name(tmp_path):
    network, header = checkpoints.random_weights("tiny")
    whole = tmp_path / "whole.safetensors"
    checkpoints.save(whole, network, header)
    data = whole.read_bytes()
    cases = {"half": data[: len(data) // 2], "few": data[:20], "nothing": b"", "noise": bytes(range(256)) * 10}
    for name, content in cases.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(LircDepthError, match=f"{name}.safetensors"):
            checkpoints.load(path)
    with pytest.raises(LircDepthError, match="no such weights file"):
        checkpoints.load(tmp_path / "absent.safetensors")

    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(LircDepthError, match=r"foreign.safetensors.*header"):
        checkpoints.load(tmp_path / "foreign.safetensors")
    checkpoints.save(tmp_path / "mislabelled.safetensors", network, checkpoints.Header(model="lircdepth"))
    with pytest.raises(LircDepthError, match="another network than LiRCDepth"):
        checkpoints.load(tmp_path / "mislabelled.safetensors")


def test_random_weights_are_the_same_for_a_seed_and_leave_the_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, header = checkpoints.random_weights("tiny", seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert header.random
    again, _ = checkpoints.random_weights("tiny", seed=1)
    other, _ = checkpoints.random_weights("tiny", seed=2)
    assert torch.equal(first.layers[0].weight, again.layers[0].weight)
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


def wrapped(state, form):
    """A state dict as people save it."""
    return {
        "bare": state,
        "state_dict": {"epoch": 3, "state_dict": state},
        "model_state_dict": {"model_state_dict": state, "optimizer_state_dict": {"state": {}, "param_groups": []}},
        "module": {f"module.{key}": value for key, value in state.items()},
        "compiled": {"model": {f"module._orig_mod.{key}": value for key, value in state.items()}},
        "lightning": {
            "pytorch-lightning_version": "2.4.0",
            "state_dict": {f"network.{key}": value for key, value in state.items()},
            "hyper_parameters": {"lr": 1e-4},
        },
        "nested": {"model": {"state_dict": state}},
    }[form]


@pytest.mark.parametrize(
    "form", ["bare", "state_dict", "model_state_dict", "module", "compiled", "lightning", "nested"]
)
def test_a_checkpoint_is_read_in_whatever_form_people_save_it(tmp_path, form):
    network, _ = checkpoints.random_weights("lircdepth", seed=3)
    torch.save(wrapped(dict(network.state_dict()), form), tmp_path / "a.pth")
    loaded, header = load_published(tmp_path / "a.pth")
    assert header.model == "lircdepth"
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())


class _Settings:
    """An object of a class that only its own program has, beside the weights."""


def test_what_stands_in_the_way_of_reading_is_named_in_one_line(tmp_path, capsys):
    torch.save({"state_dict": {}, "settings": _Settings()}, tmp_path / "a.pth")
    assert command("import-checkpoint", tmp_path / "a.pth", "-o", tmp_path / "out.safetensors") == 2
    error = capsys.readouterr().err
    assert f"it holds {__name__}._Settings; save the state dict alone" in error
    assert error.count("\n") == 1
    assert "\x1b" not in error
    torch.save({"epoch": 1, "optimizer": {}}, tmp_path / "b.pth")
    assert command("import-checkpoint", tmp_path / "b.pth", "-o", tmp_path / "out.safetensors") == 2
    assert "no state dict inside, but epoch, optimizer; expected one, or one under model" in capsys.readouterr().err
