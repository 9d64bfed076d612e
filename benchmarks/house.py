# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""Measure how the source is laid out: sizes, long functions, imports between folders, cycles, types, docstrings.

    python benchmarks/house.py                 # this checkout
    python benchmarks/house.py --root OTHER    # another one, to compare
    python benchmarks/house.py --no-mypy       # in two seconds

A folder stands for all modules directly in it, but modules at the top of a package, which may be its front door or its
foundation, stand for themselves. A public function is one whose name, class and module begin without an
underscore; ``__init__`` and other special methods and nested functions do not count.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("lircdepth_core", "lircdepth_ros")
LONG_FUNCTION_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path) -> dict[Path, ast.Module]:
    """Return {path relative to ``root``: syntax tree} of the packages' modules."""
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return {path.relative_to(root): ast.parse(path.read_text(), str(path)) for path in paths}


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Yield (qualified name, node) of functions and methods that are not nested in another function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def is_public(path: Path, name: str) -> bool:
    """Return whether a function of this qualified name, in a module at ``path``, is public."""
    parts = [*path.with_suffix("").parts, *name.split(".")]
    return not any(part.startswith("_") and part not in ("__init__", "__main__") for part in parts) and not (
        name.rpartition(".")[2].startswith("__")
    )


def is_trivial_override(node: Function) -> bool:
    """Return whether a function has a decorator that says whose documentation holds: overload or setter."""
    names = {ast.unparse(decorator) for decorator in node.decorator_list}
    return any(name == "overload" or name.endswith(".setter") for name in names)


def folder_of(module: str, modules: set[str]) -> str:
    """Return the folder of a dotted module name: itself where it is a package, or stands at the top of one."""
    parent = module.rpartition(".")[0]
    return module if f"{module}.__init__" in modules or parent in PACKAGES else parent


def arrows(trees: dict[Path, ast.Module]) -> Counter[tuple[str, str]]:
    """Return how often modules of one folder import from another: {(from, to): number of import statements}."""
    dotted = {".".join(path.with_suffix("").parts): tree for path, tree in trees.items()}
    modules = set(dotted)
    found: Counter[tuple[str, str]] = Counter()
    for module, tree in dotted.items():
        source = folder_of(module.removesuffix(".__init__"), modules)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                targets = {
                    f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules
                    or f"{node.module}.{alias.name}.__init__" in modules else node.module
                    for alias in node.names
                }  # fmt: skip
            elif isinstance(node, ast.Import):
                targets = {alias.name for alias in node.names}
            else:
                continue
            for target in targets:
                if target.partition(".")[0] in PACKAGES and (folder := folder_of(target, modules)) != source:
                    found[source, folder] += 1
    return found


def cycles(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of folders that import each other in a circle (strongly connected components, Tarjan 1972)."""
    graph: dict[str, list[str]] = {}
    for start, end in edges:
        graph.setdefault(start, []).append(end)
        graph.setdefault(end, [])
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for neighbour in graph[node]:
            if neighbour not in index:
                visit(neighbour)
                low[node] = min(low[node], low[neighbour])
            elif neighbour in stack:
                low[node] = min(low[node], index[neighbour])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def mypy_errors(root: Path, config: Path) -> str:
    """Return what mypy's last line says about the packages under ``root``, with the configuration of this checkout."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), *PACKAGES]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return (result.stdout.strip() or result.stderr.strip()).splitlines()[-1]


def main() -> int:
    """Print the measurements; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--root", type=Path, default=here, help="checkout to measure (default: this one)")
    parser.add_argument("--no-mypy", action="store_true", help="leave mypy out")
    parser.add_argument("--arrows", action="store_true", help="list every arrow between folders")
    arguments = parser.parse_args()
    trees = sources(arguments.root)
    lines = {path: len((arguments.root / path).read_text().splitlines()) for path in trees}

    print(f"{'folder':44}{'files':>6}{'lines':>7}")
    for folder in sorted({path.parent for path in trees}):
        inside = [path for path in trees if path.parent == folder]
        print(f"{folder!s:44}{len(inside):>6}{sum(lines[path] for path in inside):>7}")
    print(f"{'all':44}{len(trees):>6}{sum(lines.values()):>7}")
    largest = max(lines, key=lambda path: lines[path])
    print(f"largest file: {largest}, {lines[largest]} lines")

    everything = [(path, name, node) for path, tree in trees.items() for name, node in functions(tree)]
    long = [
        (node.end_lineno - node.lineno + 1, f"{path}:{name}")
        for path, name, node in everything
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > LONG_FUNCTION_LINES
    ]
    print(f"functions longer than {LONG_FUNCTION_LINES} lines: {len(long)}")
    for length, name in sorted(long, reverse=True):
        print(f"    {length:>4} {name}")

    public = [(path, name, node) for path, name, node in everything if is_public(path, name)]
    public = [entry for entry in public if not is_trivial_override(entry[2])]
    bare = [f"{path}:{name}" for path, name, node in public if ast.get_docstring(node) is None]
    print(f"public functions with a docstring: {len(public) - len(bare)} of {len(public)} "
          f"({100 * (1 - len(bare) / len(public)):.1f} %)")  # fmt: skip
    for name in bare:
        print(f"         {name}")
    annotated = sum(
        node.returns is not None or any(a.annotation for a in node.args.args if a.arg not in ("self", "cls"))
        for _, _, node in everything
    )
    print(f"functions with annotations: {annotated} of {len(everything)}")

    between = arrows(trees)
    print(f"import arrows between folders: {len(between)}")
    if arguments.arrows:
        for (start, end), count in sorted(between.items()):
            print(f"    {start} -> {end} ({count})")
    circles = cycles(set(between))
    print(f"cycles between folders: {len(circles)}")
    for circle in circles:
        print(f"    {' <-> '.join(circle)}")
    if not arguments.no_mypy:
        answer = mypy_errors(arguments.root, here / "setup.cfg")
        print(f"mypy, with the configuration of this checkout: {re.sub(r' in [0-9]+ file.*?[(]', ' (', answer)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
