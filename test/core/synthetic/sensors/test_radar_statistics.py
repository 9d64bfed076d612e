# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""How synthetic radar compares with real radar, and the command that reports it."""

import numpy as np
import pytest

from lircdepth_core import radar, synthetic
from lircdepth_core.synthetic.sensors import radar_statistics
from lircdepth_core.synthetic.sensors.radar import radar_scan
from lircdepth_ros import cli


def test_distances_between_distributions_have_their_known_values():
    random = np.random.default_rng(0)
    sample = random.normal(0, 1, 20000)
    assert radar_statistics.distance("range", sample, sample + 3) == pytest.approx(3.0, abs=1e-9)
    # Two exponential distributions: the distance is that of their means.
    assert radar_statistics.distance(
        "range", random.exponential(2, 40000), random.exponential(5, 40000)
    ) == pytest.approx(3.0, abs=0.15)
    assert radar_statistics.distance("dyn_prop", np.array([0, 0, 1, 1]), np.array([0, 1, 1, 3])) == pytest.approx(0.25)


def test_the_report_compares_with_a_folder_of_scans_and_says_why_it_does_not(tmp_path, capsys):
    picture = tmp_path / "new/report.png"
    arguments = ["synth-report", "--scenes", "2", "--scans", "2", "-o", str(picture)]
    assert cli.main(arguments) == 0
    assert "no comparison: no folder of real scans was given" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
    # "Real" scans for the test: two drives of the same synthetic street, whose distance to it must be small.
    world = synthetic.build_world((0, 0))
    for drive, (first, number) in enumerate(((1, 4), (12, 4))):
        for k in range(number):
            scan = radar_scan(world, synthetic.RadarModel(), first + k, np.random.default_rng(k))
            name = f"log-{drive}__RADAR_FRONT__{1_000_000 * (first + k)}.pcd"
            (tmp_path / name).write_bytes(radar.encode_pcd(scan))
    assert cli.main([*arguments[:3], *arguments[3:], str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "against 8 real scans of 2 scenes" in output
    assert cli.main(["synth-report", str(tmp_path / "new")]) == 2
    assert "there are no .pcd files" in capsys.readouterr().err


def test_synthetic_radar_reaches_far_sees_movers_and_fills_its_scans():
    """Real scans have a median range of 50 m, an RCS of 4.5 dBsm and 125 returns, of which a tenth moves.

    A result far from these means that a change of the street or of the sensor broke the likeness: run
    `lircdepth synth-report`.
    """
    scans = [
        radar_scan(synthetic.build_world((seed, 0)), synthetic.RadarModel(), 5.0, np.random.default_rng(seed))
        for seed in range(8)
    ]
    found = radar_statistics.measure(scans)
    assert np.median(found["returns per scan"]) > 110
    assert 30 < np.median(found["range"]) < 65
    assert 1 < np.median(found["RCS"]) < 8
    assert 0.02 < (np.abs(found["radial speed"]) > 0.5).mean() < 0.3
    codes = np.bincount(found["dyn_prop"].astype(int), minlength=8) / len(found["dyn_prop"])
    assert codes[1] > 0.35
    assert codes[3] > 0.15
    assert codes[[0, 2]].min() > 0.005
