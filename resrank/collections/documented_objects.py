"""Every public, documented object of an installed package, by each of its public names."""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from types import ModuleType
from typing import Any

# Modules that are not documentation for a reader, or that act on the machine when imported.
SKIPPED = {"tests", "test", "testing", "conftest", "setup", "benchmarks", "backends", "__main__"}


def names_by_docstring(package: str) -> dict[str, list[str]]:
    """Return raw docstring -> the public names of the objects that have it, in order.

    Most objects go by several names, so there are far fewer docstrings than names.

    Raises ValueError if the package is not installed.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for name, raw in documented_objects(package):
        names[raw].append(name)
    return names


def shortest(names: Iterable[str]) -> str:
    """Return the name with the fewest dots; of several the shortest, then the first in order."""
    return min(names, key=lambda name: (name.count("."), len(name), name))


def documented_objects(package: str) -> Iterator[tuple[str, str]]:
    """Yield (public dotted name, raw docstring); an object comes once for each public name.

    Raises ValueError if the package is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated attributes warn when they are looked at
        yield from _documented_objects(package)


def _documented_objects(package: str) -> Iterator[tuple[str, str]]:
    for module in _modules(package):
        for name, value in sorted(_public(module), key=lambda item: item[0]):
            if not _belongs(value, package):
                continue
            full = f"{module.__name__}.{name}"
            yield from _with_doc(full, value)
            if inspect.isclass(value):
                yield from _members(full, value)


def _modules(package: str) -> Iterator[ModuleType]:
    try:
        root = importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"package {package!r} is not installed; install it or drop it from the "
            "docstrings collection's `packages`"
        ) from error
    yield root
    yield from _submodules(root)


def _submodules(parent: ModuleType) -> Iterator[ModuleType]:
    folders = vars(parent).get("__path__", [])  # which only packages have
    for info in sorted(pkgutil.iter_modules(folders), key=lambda i: i.name):
        if info.name.startswith("_") or info.name in SKIPPED:
            continue
        module = _import(f"{parent.__name__}.{info.name}")
        if module is not None:
            yield module
            yield from _submodules(module)


def _import(name: str) -> ModuleType | None:
    """Return a module; None if it needs something that is not installed (a GUI, a compiler)."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return importlib.import_module(name)
    except (Exception, SystemExit):
        return None


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if not name.startswith("_") and not inspect.ismodule(value):
            yield name, value


def _belongs(value: Any, package: str) -> bool:
    """Return whether an object is defined in the package: not re-exported, nor a builtin."""
    module = getattr(value, "__module__", None)  # which constants and ufuncs lack
    if module is None and type(value).__name__ == "ufunc":
        return True
    if not (callable(value) and isinstance(module, str)):
        return False
    return module == package or module.startswith(f"{package}.")


def _members(owner: str, cls: type) -> Iterator[tuple[str, str]]:
    """Yield public methods and properties that the class itself defines, with their docstrings."""
    for name, value in sorted(vars(cls).items()):
        if not name.startswith("_"):
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if callable(value) or inspect.isdatadescriptor(value):
                yield from _with_doc(f"{owner}.{name}", value)


def _with_doc(name: str, value: Any) -> Iterator[tuple[str, str]]:
    doc = getattr(value, "__doc__", None)  # a foreign object may refuse to give it
    if isinstance(doc, str) and doc.strip():
        yield name, doc
