"""The source files that a module's code depends on, read from import statements alone.

Nothing is imported. Imports count at the top of a module and inside functions, with two exceptions:

- An import under `TYPE_CHECKING` never runs. Whatever makes an object of that type imports it.
- A class's method `train` runs in train jobs only. Other jobs get the trained model as an input, so
  their closure leaves the method's imports out (`trains=False`). A training module that such a job
  needs is imported elsewhere too, and is followed from there.

Only modules of this project are followed, or those that lie beside a user's module; installed
packages are not. What `importlib` loads by a name in a string is not visible here: the caller gives
those modules as further entries.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from resrank.io.hashing import sha256_file, sha256_lines

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ("resrank", "baselines")
NOT_FOLLOWED = (
    "resrank.suite",
    "resrank.cli",
    "resrank.registry",
    "resrank.collections.kinds",
    "resrank.candidates.kinds",
)
"""The first two turn a configuration into a job's parameters, and a job with other parameters runs
again anyway. The others list every kind, so a new kind would make all jobs run again. The classes
of the kinds that a job uses are entries of their own (`resrank.suite.entry_classes`)."""
INSTALLED = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def hash_of_sources(*entries: str, trains: bool = True) -> str:
    """Return the SHA-256 of the entries and of the files in their closure, by name and content.

    An entry is a module or one of its classes, as `module:Class`. A file is named from its top
    package on, so that a moved folder has the same hash.
    """
    named = sorted((name, path) for path, name in _named_closure(*entries, trains=trains).items())
    return sha256_lines([*entries, *(f"{name} {_sha256(path)}" for name, path in named)])


@cache
def closure(*entries: str, trains: bool = True) -> tuple[Path, ...]:
    """Return the files of some modules and of all that they import, sorted.

    entries: a module each, or one of its classes, as `module:Class`.
    trains: whether the job trains; if not, what only methods `train` import is left out.

    Data files that lie beside these modules (prompts, style sheets, templates) are among them. A
    module that cannot be located is left out.
    """
    return tuple(sorted(_named_closure(*entries, trains=trains)))


@cache
def _named_closure(*entries: str, trains: bool) -> dict[Path, str]:
    """Return the files of the closure, each with its path from its top package on."""
    reached: set[str] = set()
    waiting = [entry.partition(":")[0] for entry in entries]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += _imports(module, trains)
    packages = {package for module in reached for package in _packages(module)}
    sources = {path: _name(m, path) for m in reached | packages if (path := locate(m))}
    folders = {path.parent: name.rpartition("/")[0] for path, name in sources.items()}
    data = {p: f"{name}/{p.name}" for folder, name in folders.items() for p in _data(folder)}
    return sources | data


@cache
def locate(module: str) -> Path | None:
    """Return the file of a module of this project, or beside a user's; None if there is none."""
    parts = module.split(".")
    if parts[0] in PROJECT:
        place = ROOT.joinpath(*parts)
        files = (place / "__init__.py", place.with_suffix(".py"))
        return next((file for file in files if file.is_file()), None)
    search = None
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), search)
        if spec is None:
            return None
        search = spec.submodule_search_locations
    origin = Path(spec.origin) if spec is not None and spec.origin else None
    return origin if origin is not None and origin.suffix == ".py" else None


@cache
def _imports(module: str, trains: bool) -> tuple[str, ...]:
    """Return the modules that a module imports, and those that its packages import at their top."""
    top = module.partition(".")[0]
    below = _statements(_parsed(module), trains)
    statements: list[tuple[str, Iterable[ast.AST]]] = [(module, below)]
    statements += [(package, _parsed(package).body) for package in _packages(module)]
    names = {
        name
        for importer, nodes in statements
        for node in nodes
        for name in _names(node, _package_of(importer))
    }
    return tuple(name for name in sorted(names - {module}) if _is_followed(name, top))


def _packages(module: str) -> list[str]:
    """Return the packages above a module, whose `__init__` runs before it."""
    return [module[:place] for place, letter in enumerate(module) if letter == "."]


def _package_of(module: str) -> str:
    """Return the package that a module's relative imports start from."""
    path = locate(module)
    is_package = path is not None and path.name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def _is_followed(name: str, top: str) -> bool:
    """Whether an import by a module of the package `top` leads to a file that is not installed."""
    first = name.partition(".")[0]
    if first in (*PROJECT, top):
        return not name.startswith(NOT_FOLLOWED) and locate(name) is not None
    if top in PROJECT:
        return False
    path = locate(name)
    return path is not None and not str(path).startswith(INSTALLED)


def _names(node: ast.AST, package: str) -> Iterator[str]:
    """Yield what an import statement may import: modules, and names that may be modules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST, trains: bool) -> Iterator[ast.AST]:
    """Yield the statements at and below a node that may run in a job.

    Expressions, most of a tree, are skipped.
    """
    yield node
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        below = vars(node).get(name)
        if isinstance(below, list):  # not so in a lambda or a conditional expression
            for statement in below:
                if _may_run(statement, node, name, trains):
                    yield from _statements(statement, trains)


def _may_run(statement: ast.AST, parent: ast.AST, branch: str, trains: bool) -> bool:
    """Return whether a statement in a branch of its parent may run in a job."""
    if isinstance(parent, ast.If) and branch == "body":
        return not _is_type_checking(parent.test)
    is_train = isinstance(statement, ast.FunctionDef) and statement.name == "train"
    return trains or not (is_train and isinstance(parent, ast.ClassDef))


def _is_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    is_name = isinstance(test, ast.Name | ast.Attribute)
    return is_name and ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


@cache
def _parsed(module: str) -> ast.Module:
    path = locate(module)
    if path is None or module.startswith(NOT_FOLLOWED):
        return ast.Module([], [])
    return ast.parse(path.read_bytes(), str(path))


@cache
def _data(folder: Path) -> tuple[Path, ...]:
    """Return the files of a package's folder that are not Python."""
    if not (folder / "__init__.py").is_file():
        return ()
    files = (path for path in folder.iterdir() if path.is_file() and path.suffix != ".py")
    return tuple(path for path in files if not path.name.startswith(".") and path.name[-1] != "~")


@cache
def _sha256(path: Path) -> str:
    return sha256_file(path)


def _name(module: str, path: Path) -> str:
    """Return a module's path within the folder that holds its top package."""
    parts = module.split(".")
    return "/".join([*(parts if path.name == "__init__.py" else parts[:-1]), path.name])
