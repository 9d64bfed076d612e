# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The HTML page of what was measured: one file, with the figures of the results, readable on a desktop and a phone."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import browser
import street_nuscenes
from lircdepth_core.evaluation.report import ErrorCollector
from lircdepth_core.evaluation.views import error_view
from lircdepth_core.evaluation.worst import WorstImages
from lircdepth_ros import cli

pytest.importorskip("nuscenes")
pytest.importorskip("plotly")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder of `eval` with its page, made with the untrained network at the cameras' own size."""
    folder = tmp_path_factory.mktemp("page")
    root = street_nuscenes.write(folder / "root")
    words = ["eval", "--dataroot", root, "--version", "v1.0-mini", "--split", "all", "--weights", "tiny"]
    words += ["--device", "cpu", "--backend", "eager", "-o", folder / "eval", "--report", folder / "page.html"]
    assert cli.main([str(word) for word in words]) == 0
    return folder


def test_the_page_is_one_file_with_the_results_figures(evaluated):
    text = (evaluated / "page.html").read_text()
    markup = re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)  # Plotly itself
    assert not re.findall(r'(?:src|href)="(?!data:|#)', markup), "nothing is fetched"
    results = json.loads((evaluated / "eval/results.json").read_text())
    for variant in ("radar", "no radar"):
        assert f"<td>{results['errors'][variant]['0-80 m']['mae']:.3f}</td>" in markup
        assert f"<td>{results['errors'][variant]['10-20 m bin']['mae']:.3f}</td>" in markup
    for word in ("Error by range", "Error by condition", "Latency", "data sha256", "tiny", "torch"):
        assert word in markup
    assert "The weights are random: the depth means nothing." in markup
    worst = results["worst"]
    assert len(worst) == 4
    assert [entry["mae"] for entry in worst] == sorted((entry["mae"] for entry in worst), reverse=True)
    assert len(re.findall(r'<img src="data:image/jpeg', markup)) == 4
    with Image.open(evaluated / "eval" / worst[0]["picture"]) as picture:
        assert picture.width > 2 * 320


@pytest.mark.parametrize("device", browser.WIDTHS)
def test_the_page_is_readable_in_a_browser(evaluated, device):
    with browser.opened((evaluated / "page.html").as_uri(), device) as (page, errors):
        page.wait_for_selector(".main-svg")
        assert errors == []
        assert page.locator(".js-plotly-plot").count() == 4
        widths = page.eval_on_selector_all(".js-plotly-plot", "plots => plots.map(plot => plot.offsetWidth)")
        assert max(widths) <= browser.WIDTHS[device][0]
        assert page.eval_on_selector_all("img", "images => images.every(image => image.naturalWidth > 0)")
        page.locator("summary").first.click()
        page.screenshot(path=evaluated / f"{device}.png", full_page=True)
        browser.check_readable(page)


def test_several_folders_stand_side_by_side(evaluated, tmp_path, capsys):
    page = tmp_path / "both.html"
    folder = str(evaluated / "eval")
    assert cli.main(["report", folder, folder, "-o", str(page), "--title", "Two of <them>"]) == 0
    text = page.read_text()
    assert "Two of &lt;them&gt;" in text
    assert text.count(f"<h3>{folder}</h3>") == 2
    capsys.readouterr()
    for words, message in (
        ([str(tmp_path), "-o", str(page)], "results.json: no such file; `lircdepth eval -o"),
        ([folder, "-o", "page.pdf"], "--output is page.pdf, expected a name that ends in .html"),
        ([folder, "-o", "/nowhere/page.html"], "there is no folder /nowhere"),
    ):
        assert cli.main(["report", *words]) == 2
        assert message in capsys.readouterr().err


def test_only_the_worst_images_are_kept_and_only_they_are_drawn():
    drawn = []

    def draw(name):
        drawn.append(name)
        return np.zeros((4, 4, 3), np.uint8)

    worst = WorstImages(2)
    for name, error in (("a", 1.0), ("b", 3.0), ("c", 0.5), ("d", 2.0)):
        worst.offer(name, error, lambda name=name: draw(name))
    assert [(image.image, image.mae) for image in worst.ordered()] == [("b", 3.0), ("d", 2.0)]
    assert drawn == ["a", "b", "d"]


def test_an_error_map_is_blue_where_depth_is_too_near_and_red_where_it_is_too_far():
    """Truth of 20 m everywhere; depth is 10 m on the left and 30 m on the right half."""
    depth = np.repeat(np.float32([[10] * 80 + [30] * 80]), 96, axis=0)
    view = error_view(depth, np.full_like(depth, 20.0))
    error = view[-90:, 160:320].astype(int)  # below the caption of the lower right panel
    left, right = error[40, 40], error[40, 120]
    assert left[2] > left[0] + 50
    assert right[0] > right[2] + 50


def test_a_report_without_pictures_has_none():
    collector = ErrorCollector()
    collector.add("depth", np.full((2, 2), 9.0), np.full((2, 2), 10.0))
    report = collector.report({})
    assert report.worst == ()
    assert "seconds" not in report.images[0]
