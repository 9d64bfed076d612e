# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The documentation: its site is made without a warning, its pages name their readers, its tables are even."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading

import pytest
import yaml

import browser
import documented
from paths import REPOSITORY

DOCS = REPOSITORY / "docs"


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


@pytest.mark.parametrize("page", sorted({*documented.PAGES, *documented.RECORDS} - {"README.md"}))  # a table of readers
def test_a_page_names_its_reader_at_its_top(page):
    _, first = (REPOSITORY / page).read_text().split("\n\n", 2)[:2]
    assert first.startswith("For "), first


@pytest.mark.parametrize("page", documented.PAGES)
def test_the_rows_of_a_table_have_as_many_columns(page):
    for table in re.findall(r"(?:^\|.*\n)+", (REPOSITORY / page).read_text(), re.M):
        columns = {len(re.split(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in table.splitlines()}
        assert len(columns) == 1, table


def test_every_page_has_its_place_in_the_site():
    text = (REPOSITORY / "mkdocs.yml").read_text()
    pages = set(re.findall(r"([\w/-]+\.md)", yaml.safe_dump(yaml.safe_load(text)["nav"])))
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} <= pages
