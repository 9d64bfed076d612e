# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Hooks of the documentation site (mkdocs.yml): pages that live elsewhere in the repository, and links to its files.

A link from a page to a file of the repository that is no page leads to a copy of that file in the site, so that the
site is whole without a network.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

REPOSITORY = Path(__file__).resolve().parents[1]
# {page: file of the repository that it is made of}
ELSEWHERE = {
    "training.md": "training/README.md",
    "results.md": "training/RESULTS.md",
    "benchmarks.md": "benchmarks/RESULTS.md",
    "changelog.md": "CHANGELOG.rst",
    "contributing.md": "CONTRIBUTING.md",
}
_MATH = re.compile(r"^```math\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NEEDS = re.compile(r"^<!-- needs: (.*) -->$", re.MULTILINE)  # above commands that cannot run everywhere
_COPIES = "source"  # folder in the site
_LINK = re.compile(r"(?P<before>\]\()(?!https?://|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?P<after>\))")


def _math(fence):
    """Return the LaTeX of a fence of Markdown as MathML, which browsers draw by themselves."""
    from latex2mathml.converter import convert

    formula = convert(" ".join(fence.group(1).split()), display="block")
    return f'<div class="math" tabindex="0" role="region" aria-label="equation">{formula}</div>'


def on_files(files, config):
    """Add the pages that live elsewhere, and a copy of each file that a page links to and that is no page."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=_as_markdown(REPOSITORY / source)))
    docs = Path(config.docs_dir)
    pages = {file.src_uri: docs / file.src_uri for file in files.documentation_pages()}
    pages |= {page: REPOSITORY / source for page, source in ELSEWHERE.items()}
    copies = {path for page in pages.values() for _, path in _outside(page.read_text(), page.parent)}
    for path in sorted(copies):
        name = f"{_COPIES}/{path.relative_to(REPOSITORY)}"
        if path.is_dir():
            listing = "\n".join(sorted(each.name for each in path.iterdir() if not each.name.startswith((".", "__"))))
            files.append(File.generated(config, f"{name}/index.txt", content=listing + "\n"))
        else:
            # A name with .txt, so that a browser shows the file, and no other plugin takes it for a page.
            files.append(File.generated(config, f"{name}.txt", content=path.read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links to files outside docs/ into links to pages or copies; what commands need and equations into HTML."""
    source = ELSEWHERE.get(page.file.src_uri)
    path = REPOSITORY / source if source else Path(config.docs_dir) / page.file.src_uri
    here = posixpath.dirname(page.file.src_uri)
    for link, target in _outside(markdown, path.parent):
        markdown = markdown.replace(
            link.group(0),
            link.group("before") + _address(target, here) + (link.group("anchor") or "") + link.group("after"),
        )
    markdown = _NEEDS.sub(r'<p class="needs">Needs: \1</p>\n', markdown)
    return _MATH.sub(_math, markdown)


def _outside(markdown, folder):
    """Yield (link, file) of each link of a page in ``folder`` that leads to a file which is no page of docs/."""
    for link in _LINK.finditer(markdown):
        target = (folder / link.group("path")).resolve()
        if not target.is_relative_to(REPOSITORY) or not target.exists():
            continue  # MkDocs reports it
        if folder.is_relative_to(REPOSITORY / "docs") and target.is_relative_to(REPOSITORY / "docs"):
            continue
        yield link, target


def _address(target, here):
    """Return what a page in the folder ``here`` of the site calls a file of the repository."""
    name = str(target.relative_to(REPOSITORY))
    known = {source: page for page, source in ELSEWHERE.items()} | {"README.md": "index.md"}
    if name in known:
        site = known[name]
    elif name.startswith("docs/"):
        site = name.removeprefix("docs/")
    else:
        site = f"{_COPIES}/{name}" + ("/index.txt" if target.is_dir() else ".txt")
    return posixpath.relpath(site, here or ".")


def _as_markdown(path):
    """Return a page's Markdown; of the changelog, which ROS wants as reStructuredText, what it uses of that."""
    text = path.read_text()
    if path.suffix != ".rst":
        return text
    text = re.sub(r"^\^+\n(.*)\n\^+\n", r"# \1\n\nFor whoever updates.\n", text)
    text = re.sub(r"^(.+)\n-+$", r"## \1", text, flags=re.MULTILINE)
    return text.replace("``", "`")
