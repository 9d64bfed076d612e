# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""`lircdepth prepare`: what takes long at the node's first start, before the first drive."""

import pytest

from lircdepth_ros import cli


def test_the_engine_of_a_parameter_file_is_built_and_kept_for_the_node(tmp_path, monkeypatch, capsys):
    pytest.importorskip("openvino", reason="an engine that is kept")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "model.yaml"
    file.write_text("/**:\n  ros__parameters: {weights: tiny, backend: openvino, inference_scale: 1, max_wait: 0.1}\n")
    assert cli.main(["prepare", "--params-file", str(file)]) == 0
    output = capsys.readouterr().out
    assert "preparing the network for 1600x896" in output
    assert "OpenVINO" in output
    assert list((tmp_path / "lircdepth").iterdir()), "what was built is kept"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/**:\n  ros__parameters: {inference_scale: big}\n", "inference_scale is 'big', expected a number"),
        ("[]", "has no 'ros__parameters' below the name of a node"),
        ("/**: [", "is not YAML"),
    ],
)
def test_a_wrong_file_is_one_line_and_status_2(tmp_path, capsys, text, words):
    (tmp_path / "model.yaml").write_text(text)
    assert cli.main(["prepare", "--params-file", str(tmp_path / "model.yaml")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lircdepth prepare: error: ")
    assert words in line
