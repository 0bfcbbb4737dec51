"""Rules on names and shapes that linters do not have: `python -m tests.style [FOLDER ...]`.

Prints each breach as `path:line: what`. `tests/test_style.py` runs it over the whole project.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("resrank", "baselines")
PRIVATE_WORDS = {"found", "asked", "own", "shown", "known", "said"}
MOST_PARAMETERS = 6
MOST_PROBES = 12


def sources(folders: list[str]) -> list[Path]:
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a file binds: variables, parameters, functions, attributes, keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def private_words(path: Path, tree: ast.AST) -> Iterator[str]:
    for line, name in bound_names(tree):
        if name.strip("_") in PRIVATE_WORDS:
            yield f"{path.relative_to(ROOT)}:{line}: the name {name!r}"


def long_signatures(path: Path, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            names = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
            count = len([name for name in names if name not in ("self", "cls")])
            if count > MOST_PARAMETERS:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {count} parameters"


def probes(path: Path, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:70]}"


def type_names(tree: ast.Module) -> Iterator[str]:
    """Classes and type aliases at the top of a module, and classes within classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if (
                name[0].isupper()
                and not name.isupper()
                and isinstance(
                    node.value, ast.Subscript | ast.BinOp | ast.Call | ast.Attribute | ast.Name
                )
            ):
                yield name


def names_twice(parsed: dict[Path, ast.Module]) -> Iterator[str]:
    places = defaultdict(list)
    for path, tree in parsed.items():
        for name in set(type_names(tree)):
            places[name].append(str(path.relative_to(ROOT)))
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            yield f"the type name {name!r} is defined {len(paths)} times: {', '.join(paths)}"


def breaches(folders: list[str]) -> list[str]:
    """All breaches but the probes, in the given folders of the project's code."""
    parsed = {path: ast.parse(path.read_text("utf-8")) for path in sources(folders)}
    lines = [
        line
        for path, tree in parsed.items()
        for check in (private_words, long_signatures)
        for line in check(path, tree)
    ]
    everywhere = {path: ast.parse(path.read_text("utf-8")) for path in sources(list(CODE))}
    return lines + list(names_twice(everywhere))


def all_probes(folders: list[str]) -> list[str]:
    return [
        line
        for path in sources(folders)
        for line in probes(path, ast.parse(path.read_text("utf-8")))
    ]


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(CODE)
    for line in [*breaches(chosen), *all_probes(chosen)]:
        print(line)
