# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""A page in headless Chromium, as a desktop and as a phone see it."""

import contextlib
import shutil

import pytest

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}


def chromium():
    """Return Chromium's path, or skip the test."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return path or pytest.skip("Chromium is not installed")


@contextlib.contextmanager
def opened(url, device, *options):
    """Give (page, texts of errors in its console). device: one of WIDTHS. options: of Chromium."""
    executable = chromium()
    from playwright.sync_api import sync_playwright

    width, height = WIDTHS[device]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", *options])
        try:
            page = browser.new_page(viewport={"width": width, "height": height}, is_mobile=device == "phone")
            errors = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.goto(url, wait_until="load")
            yield page, errors
        finally:
            browser.close()


def check_readable(page, rules=("wcag2a", "wcag2aa", "wcag21a", "wcag21aa"), without=()):
    """Assert that nothing is scrolled sideways, and that WCAG 2.1 A and AA hold as far as axe-core can tell.

    rules: of axe-core, or tags of them. without: rules that are left out.
    """
    from axe_playwright_python.sync_playwright import Axe

    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    options = {"runOnly": list(rules)}
    options["rules"] = {rule: {"enabled": False} for rule in without}
    found = Axe().run(page, options=options)
    assert not found.response["violations"], found.generate_report()
