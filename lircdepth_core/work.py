# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one way in which commands work through many items: processes of this machine, or workers of a cluster.

An item is a small picklable description (a scene's name, a bag's path, a range of frames). A function makes its result
and writes it under its final name once it is complete, so that an item may be done twice. What comes back is a small
report.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from lircdepth_core import cluster, processes
from lircdepth_core.errors import LircDepthError, naming
from lircdepth_core.files import claimed

_Item = TypeVar("_Item")
_Report = TypeVar("_Report")
_Advance: TypeAlias = Callable[[int], object]


@dataclass(frozen=True)
class Workers:
    """Who works, as ``add_arguments`` declares it. cluster: None for processes of this machine."""

    jobs: int = 1
    cluster: str | None = None
    retries: int = 0

    def __post_init__(self) -> None:
        """Raise LircDepthError for numbers that cannot be."""
        if self.jobs < 1:
            raise LircDepthError(f"--jobs is {self.jobs}, expected 1 or more")
        if self.retries < 0:
            raise LircDepthError(f"--retries is {self.retries}, expected 0 or more")

    def __str__(self) -> str:
        return f"cluster {self.cluster}" if self.cluster else f"{self.jobs} processes"


def add_arguments(parser: argparse.ArgumentParser, jobs: int | None = 1) -> None:
    """Add the options of who works. jobs: the default of --jobs."""
    parser.add_argument("--jobs", type=int, default=jobs, help="processes that work at once (default: %(default)s)")
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS|local|slurm|pbs",
        help="work on a Dask cluster instead: the address of its scheduler, such as tcp://host:8786; local: one on "
        "this machine of --jobs workers; slurm, pbs: --jobs jobs of the batch system, as Dask's configuration "
        "describes them. Its workers must see data and --output under the same paths",
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=0,
        help="times that an item is tried again after an error of the operating system (default: %(default)s)",
    )


def workers_of(arguments: argparse.Namespace) -> Workers:
    """Return who works, from the options of ``add_arguments``; called before any work. Raises LircDepthError."""
    if arguments.cluster is not None:
        cluster.check(arguments.cluster)
    return Workers(arguments.jobs, arguments.cluster, arguments.retries)


@dataclass(frozen=True)
class _Named(Generic[_Item]):
    name: str
    item: _Item

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Tried(Generic[_Item, _Report]):
    """A function whose errors name the item, and which is tried again after an error of the operating system."""

    function: Callable[[_Item, _Advance], _Report]
    retries: int

    def __call__(self, task: _Named[_Item], advance: _Advance) -> _Report:
        for _ in range(self.retries):
            counted = _Counted(advance)
            with contextlib.suppress(OSError):
                return self.function(task.item, counted)
            advance(-counted.count)
        try:
            return self.function(task.item, advance)
        except LircDepthError as error:
            raise _named(task.name, str(error)) from error
        except MemoryError as error:
            raise _named(task.name, str(error) or "out of memory") from error
        except OSError as error:
            place = f": {error.filename}" if error.filename else ""
            raise _named(task.name, f"{error.strerror or error}{place}") from error


class _Counted:
    """Passes counts on, and knows their sum."""

    def __init__(self, advance: _Advance) -> None:
        self._advance, self.count = advance, 0

    def __call__(self, count: int) -> None:
        self.count += count
        self._advance(count)


def _named(name: str, text: str) -> LircDepthError:
    return LircDepthError(naming(name, text))


def run(
    function: Callable[[_Item, _Advance], _Report],
    items: Iterable[_Item],
    workers: Workers,
    advance: _Advance = lambda count: None,
    name: Callable[[_Item], str] = str,
    finished: Callable[[_Item, _Report], object] = lambda item, report: None,
    start: Callable[[], object] | None = None,
    method: Literal["fork", "spawn"] = "fork",
    output: Path | None = None,
) -> list[_Report]:
    """Return ``function(item, advance)`` of every item, in the order of the items.

    function: picklable, and small where pickled, for a cluster. advance: called here with the counts that the function
    gives its second argument; those of a cluster come when an item is done. name: of an item in errors. finished:
    called here with an item and its report, as they come. start, method: see processes.run. output: file or folder
    that workers write; this process has it for itself (files.claimed), and what killed workers left there is removed.
    The first error ends the work and is raised as a LircDepthError that names the item.
    """
    tasks = [_Named(name(item), item) for item in items]
    tried = _Tried(function, workers.retries)

    def note(number: int, report: _Report) -> None:
        finished(tasks[number].item, report)

    with contextlib.nullcontext() if output is None else claimed(output):
        if workers.cluster is not None:
            return cluster.run(tried, tasks, workers.cluster, workers.jobs, advance, start, note)
        return processes.run(tried, tasks, workers.jobs, advance, method, start, note)
