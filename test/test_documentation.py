# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The documentation: its site is made without a warning, its pages name their readers, and its commands can be run."""

import contextlib
import functools
import http.server
import io
import itertools
import os
import re
import shlex
import subprocess
import sys
import threading

import pytest
import yaml

import browser
import rich_nuscenes
from lircdepth_ros import cli
from paths import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = sorted(
    path
    for path in (*DOCS.rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md",
                 *(REPOSITORY / folder / "RESULTS.md" for folder in ("training", "benchmarks")),
                 REPOSITORY / "training/README.md")
)  # fmt: skip
ALL_COMMANDS = frozenset(cli.COMMANDS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's address, served from a folder."""
    pytest.importorskip("material", reason="MkDocs' theme is not installed")
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_site_is_made_without_a_warning_and_fetches_nothing(site):
    folder, _ = site
    pages = list(folder.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        fetched = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text())
        assert [url for url in fetched if "lircdepth.example" not in url] == [], page
    assert "<math" in (folder / "distillation.html").read_text()
    assert "from_weights" in (folder / "api.html").read_text(), "the reference is made from docstrings"
    assert (folder / "source/config/model.yaml.txt").is_file(), "a link to a file of the repository leads to its copy"


@pytest.mark.full  # a minute: each page in a browser
@pytest.mark.parametrize("device", browser.WIDTHS)
def test_the_site_is_readable_in_a_browser(site, device, tmp_path):
    folder, address = site
    with browser.opened(address, device) as (page, errors):
        for name in sorted(path.name for path in folder.glob("*.html") if path.name != "404.html"):
            page.goto(f"{address}/{name}", wait_until="load")
            assert errors == [], name
            page.screenshot(path=tmp_path / f"{name}.png")
            # Chromium lets the keyboard scroll wide tables, which the theme wraps in a box of its own.
            browser.check_readable(page, without=["scrollable-region-focusable"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_page_names_its_reader_at_its_top(path):
    if path.name == "README.md" and path.parent == REPOSITORY:
        return  # which has a table of readers
    _, first = path.read_text().split("\n\n", 2)[:2]
    assert first.startswith("For "), first


def test_every_page_has_its_place_in_the_site():
    text = (REPOSITORY / "mkdocs.yml").read_text()
    pages = set(re.findall(r"([\w/-]+\.md)", yaml.safe_dump(yaml.safe_load(text)["nav"])))
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} <= pages


def commands_of(text):
    """Yield the words of each `lircdepth` command in the blocks of a page: indented, or fenced."""
    text = re.sub(r"\\\n\s*", " ", text)
    for line in re.findall(r"^(?: {4,}|\$ )(lircdepth .*)$", text, re.MULTILINE):
        line = re.sub(r"\s{2,}#.*| #.*", "", line)
        if "..." in line or "|" in line:
            continue
        yield [word for word in shlex.split(line)[1:] if word not in ("$FRAMES", "ROW")]  # which the page explains


COMMANDS = sorted(
    {(str(path.relative_to(REPOSITORY)), *words) for path in PAGES for words in commands_of(path.read_text())}
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_of_the_documentation_has_only_options_that_there_are(command):
    """A renamed option would leave a page behind. The options of `train` are Lightning's: its files are there."""
    _, name, *words = command
    if name == "train":
        for option, value in itertools.pairwise(words):
            if option in ("-c", "--config") and value.startswith("training/"):
                assert (REPOSITORY / value).is_file()
        return
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.suppress(SystemExit):
        cli.make_parser({name}).parse_args([name, *words])
        return
    pytest.fail(told.getvalue())


def test_the_pages_that_a_newcomer_follows_can_be_followed(tmp_path, monkeypatch, capsys):
    """Start and viewers, command by command, on a made bag; those that serve until ^C are run in test_view.py."""
    pytest.importorskip("nuscenes", reason="bags are converted from nuScenes, through its devkit")
    pytest.importorskip("plotly")
    monkeypatch.chdir(tmp_path)
    root = rich_nuscenes.write(tmp_path / "root")
    assert cli.main(["nuscenes-to-bag", "--dataroot", str(root), "--scene", "scene-0001", "-o", "BAG"]) == 0
    for page in ("index", "viewers"):
        for words in commands_of((DOCS / f"{page}.md").read_text()):
            if words[0] == "view":
                continue
            if words[0] == "infer-bag":
                for path in (tmp_path / "DEPTH", tmp_path / "depth.mp4"):
                    if path.exists():
                        path.rename(path.with_name(f"{page}-{path.name}"))  # of the page before
                words += ["--weights", "tiny", "--backend", "eager"]
            assert cli.main(words) == 0, (words, capsys.readouterr().err)
    made = {path.name for path in tmp_path.iterdir()}
    assert {
        "depth.png",
        "depth.jpg",
        "DEPTH",
        "depth.mp4",
        "depth.html",
        "look.png",
        "errors.html",
        "again.html",
    } <= made
