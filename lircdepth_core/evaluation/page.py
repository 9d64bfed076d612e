# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page of what was measured, for people: figures by Plotly, layout by Jinja2.

It shows one result, or several side by side: of several cameras, weights or settings.
"""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from lircdepth_core import version
from lircdepth_core.errors import LircDepthError
from lircdepth_core.evaluation.metrics import CAPS
from lircdepth_core.evaluation.report import IMAGES, RESULTS, WHOLE_RANGE, Report, cap_group
from lircdepth_core.evaluation.worst import WorstImage
from lircdepth_core.files import written_whole
from lircdepth_core.models import checkpoints
from lircdepth_core.packages import import_package

SUFFIX = ".html"
_TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA3377", "#56B4E9", "#7A5C00")  # Okabe and Ito's, two of them darker
_BIN = " bin"
_TABLE = {"mae": "MAE [m]", "rmse": "RMSE [m]", "abs_rel": "AbsRel", "silog": "SILog", "delta1": "delta1"}
_PACKAGES = ("numpy", "torch", "onnxruntime", "openvino", "opencv-python-headless")
_NO_SETTING = ("errors", "worst", "notes", "reasons", "latency_ms", "report")


@dataclass(frozen=True)
class Measured:
    """One result on a page.

    name: tells it from the others. about, images, worst: as Report.as_dict, .images and .worst. latencies_ms: of its
    images, where they were measured. pictures: (caption, JPEG or PNG) besides the worst images. facts: {what: figure}
    that stand at the head of the page.
    """

    name: str
    about: Mapping[str, Any]
    images: Sequence[Mapping[str, Any]] = ()
    worst: Sequence[WorstImage] = ()
    latencies_ms: Sequence[float] = ()
    pictures: Sequence[tuple[str, bytes]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """{variant: {group: {metric: value}}}; empty where nothing was compared with a truth."""
        errors: Mapping[str, Mapping[str, Mapping[str, float]]] = self.about.get("errors") or {}
        return errors


def measured(report: Report, name: str, **more: Any) -> Measured:
    """Return a Report as a part of a page. more: further fields of Measured."""
    given = {"latencies_ms": _latencies_ms(report.images)} | more
    return Measured(name, report.as_dict(), report.images, report.worst, **given)


def _latencies_ms(images: Sequence[Mapping[str, Any]]) -> list[float]:
    return [1e3 * image["seconds"] for image in images if "seconds" in image]


def read(folder: str | Path) -> Measured:
    """Return what a command wrote into its folder (results.json, images.jsonl, worst/), or a demo (metrics.json).

    Raises LircDepthError where there is nothing of the kind.
    """
    folder = Path(folder)
    demo = folder / "metrics.json"
    try:
        if not (folder / RESULTS).is_file() and demo.is_file():
            return of_demo(json.loads(demo.read_text()), folder)
        about = json.loads((folder / RESULTS).read_text())
        images = [json.loads(line) for line in (folder / IMAGES).read_text().splitlines() if line]
        worst = [
            WorstImage(entry["mae"], entry["image"], (folder / entry["picture"]).read_bytes())
            for entry in about.get("worst", ())
        ]
        return Measured(str(folder), about, images, worst, _latencies_ms(images), pictures_of(folder))
    except FileNotFoundError as error:
        raise LircDepthError(
            f"{error.filename}: no such file; `lircdepth eval -o {folder}` and `eval-bag -o {folder}` write it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LircDepthError(f"{folder}: not a whole result of a command: {error!r}") from error


def of_demo(metrics: Mapping[str, Any], folder: Path) -> Measured:
    """Return the content of a demo's metrics.json as a part of a page. folder: where its picture is."""
    report = metrics.get("report") or {}
    facts = {
        "images in": metrics["frames_in"],
        "depth images out": metrics["frames_out"],
        "dropped": metrics["dropped"],
        "fused with radar": metrics["fused"],
    }
    about = {**report, **{name: value for name, value in metrics.items() if name not in _NO_SETTING}}
    return Measured(
        str(folder),
        about | {"errors": report.get("errors", {}), "latency_ms": metrics["latency_ms"]},
        latencies_ms=metrics.get("latencies_ms", ()),
        pictures=pictures_of(folder),
        facts=facts,
    )


def pictures_of(folder: Path) -> list[tuple[str, bytes]]:
    """Return the pictures that a command drew into its folder, with captions."""
    captions = {"eval.png": "one image", "montage.png": "the middle key frame"}
    return [(caption, path.read_bytes()) for name, caption in captions.items() if (path := folder / name).is_file()]


def check_path(path: str | Path | None, option: str = "--report") -> None:
    """Raise LircDepthError before any work where a page cannot be written: its name, its folder, or a package."""
    if path is None:
        return
    if Path(path).suffix.lower() != SUFFIX:
        raise LircDepthError(f"{option} is {path}, expected a name that ends in {SUFFIX}")
    if not Path(path).absolute().parent.is_dir():
        raise LircDepthError(f"{option} is {path}: there is no folder {Path(path).absolute().parent}")
    for package in ("jinja2", "plotly"):
        import_package(package)


def write(path: str | Path, results: Sequence[Measured], title: str) -> None:
    """Write the page under its name only when complete. Raises LircDepthError where a package is missing."""
    jinja2, offline = import_package("jinja2"), import_package("plotly.offline")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    several = len(results) > 1
    text = environment.get_template("report.html.j2").render(
        title=title,
        several=several,
        results=results,
        scripts=offline.get_plotlyjs(),
        summary=_summary(results),
        cautions=list(dict.fromkeys(result.about["caution"] for result in results if result.about.get("caution"))),
        figures=list(_figures(results)),
        percentiles=_percentiles(results),
        settings=[(result.name, _settings(result.about)) for result in results],
        versions=_versions(),
        picture=_data_uri,
        whole=WHOLE_RANGE,
    )
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Figure:
    title: str
    note: str
    html: str
    header: list[str]
    rows: list[list[str]]


def _variants(results: Sequence[Measured]) -> Iterator[tuple[str, Measured, str]]:
    """Yield (name, result, variant) of each variant of each result."""
    for result in results:
        for variant in result.errors:
            yield f"{result.name}: {variant}" if len(results) > 1 else variant, result, variant


def _series(results: Sequence[Measured]) -> list[tuple[str, Mapping[str, Mapping[str, float]]]]:
    """Return (name, {group: errors}) of each variant of each result."""
    return [(name, result.errors[variant]) for name, result, variant in _variants(results)]


def _summary(results: Sequence[Measured]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the errors over each cap."""
    rows = [
        [name, group, f"{groups[group]['images']:.0f}", *(f"{groups[group][key]:.3f}" for key in _TABLE)]
        for name, groups in _series(results)
        for group in map(cap_group, CAPS)
        if group in groups
    ]
    return ["depth", "true depth", "images", *_TABLE.values()], rows


def _figures(results: Sequence[Measured]) -> Iterable[_Figure]:
    series = _series(results)
    groups = list(dict.fromkeys(group for _, found in series for group in found))
    caps = set(map(cap_group, CAPS))
    bins = [group for group in groups if group.endswith(_BIN)]
    conditions = [group for group in groups if group not in caps and group not in bins]
    if bins:
        note = "Mean absolute error of the pixels whose true depth lies in a range, mean over images."
        yield _bars("Error by range", note, series, bins)
    if conditions:
        note = f"Mean absolute error at {WHOLE_RANGE}, of the images taken in a condition or by a camera."
        yield _bars("Error by condition", note, series, conditions)
    errors = {
        name: [
            image["errors"][variant][WHOLE_RANGE]["mae"]
            for image in result.images
            if WHOLE_RANGE in image["errors"].get(variant, {})
        ]
        for name, result, variant in _variants(results)
    }
    if any(len(values) > 1 for values in errors.values()):
        yield _histogram("Error of each image", f"Mean absolute error at {WHOLE_RANGE}.", errors, "MAE [m]")
    latencies = {result.name: list(result.latencies_ms) for result in results if result.latencies_ms}
    if latencies:
        note = "Time from an image and its radar scans to its depth."
        yield _histogram("Latency", note, latencies, "milliseconds")


def _bars(
    title: str, note: str, series: Sequence[tuple[str, Mapping[str, Mapping[str, float]]]], groups: Sequence[str]
) -> _Figure:
    figure = _figure("MAE [m]")
    labels = [group.removesuffix(_BIN) for group in groups]
    rows = []
    for number, (name, found) in enumerate(series):
        values = [found[group]["mae"] if group in found else None for group in groups]
        colour = _COLOURS[number % len(_COLOURS)]
        figure.add_bar(name=name, x=labels, y=values, marker_color=colour)
        rows.append([name, *("-" if value is None else f"{value:.3f}" for value in values)])
    return _Figure(title, note, _html(figure), ["MAE [m]", *labels], rows)


def _histogram(title: str, note: str, values: Mapping[str, Sequence[float]], unit: str) -> _Figure:
    import numpy as np

    figure = _figure("images", unit)
    figure.update_layout(barmode="overlay")
    rows = []
    for number, (name, found) in enumerate(values.items()):
        if not found:
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        figure.add_histogram(name=name, x=list(map(float, found)), nbinsx=40, marker_color=colour, opacity=0.7)
        rows.append([name, str(len(found)), *(f"{value:.2f}" for value in np.percentile(found, (0, 50, 90, 99, 100)))])
    return _Figure(title, note, _html(figure), [unit, "images", "least", "p50", "p90", "p99", "greatest"], rows)


def _figure(y_title: str, x_title: str = "") -> Any:
    graphs = import_package("plotly.graph_objects")
    layout = {
        "template": "plotly_white",
        "height": 380,
        "margin": {"l": 60, "r": 15, "t": 15, "b": 55},
        "font": {"family": "system-ui, sans-serif", "size": 14, "color": "#1b1b1b"},
        "legend": {"orientation": "h", "y": -0.2},
        "showlegend": True,
        "xaxis": {"title": x_title, "automargin": True},
        "yaxis": {"title": y_title, "automargin": True, "rangemode": "tozero"},
    }
    return graphs.Figure(layout=layout)


def _html(figure: Any) -> str:
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"responsive": True, "displayModeBar": False}
    )
    return text


def _percentiles(results: Sequence[Measured]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of latencies by stage, which the node's diagnostics have."""
    rows = [
        [stage if len(results) == 1 else f"{result.name}: {stage}", *(f"{value:.1f}" for value in found.values())]
        for result in results
        for stage, found in result.about.get("latency_ms", {}).items()
    ]
    names = next((list(found) for r in results for found in r.about.get("latency_ms", {}).values()), [])
    return ["latency [ms]", *names], rows


def _settings(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a result says of its making, and the weights' header where they are still there."""
    rows = [
        (name.replace("_", " "), value if isinstance(value, str) else json.dumps(value))
        for name, value in about.items()
        if name not in _NO_SETTING and value not in ("", None, [], {})
    ]
    weights = about.get("weights")
    if weights:
        try:
            header = asdict(checkpoints.read_header(weights))
        except (LircDepthError, OSError):
            rows.append(("weights' header", "the weights are not there any more"))
        else:
            rows += [
                (f"weights' {name.replace('_', ' ')}", json.dumps(value)) for name, value in header.items() if value
            ]
    return rows


def _versions() -> list[tuple[str, str]]:
    found = [("lircdepth", f"{version.version()} {version.commit()}".strip()), ("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return [*found, ("system", platform.platform())]


def _data_uri(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
