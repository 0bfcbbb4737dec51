"""Files that appear whole or not at all, and the manifest that stands beside each output."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from resrank.seals import BLANK, SEAL, seal

Item = TypeVar("Item")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

PACKAGES = (
    "resrank", "torch", "transformers", "sentence-transformers", "tokenizers", "numpy", "scipy",
    "pandas", "pyarrow", "bm25s", "PyStemmer", "ir_measures", "snakemake",
)  # fmt: skip


def _umask() -> int:
    """The permissions that this user's files are not to have."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


UMASK = _umask()  # asked once, at import: to ask is to set it, for every thread


class NoRoom(OSError):
    """A file that does not fit on its disk; names it and says what to do."""


@contextmanager
def room_for(path: Path, advice: str = "make room on that disk") -> Iterator[None]:
    """Turn what a full disk, a quota or a limit of a file's size raises into NoRoom."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoom(
            f"cannot write {path}: {os.strerror(error.errno)}; {advice}, and run again: nothing "
            "half-written is left"
        ) from error


class NotWritable(OSError):
    """A place that cannot be written; names it and says what to do."""


def check_writable(path: Path) -> Path:
    """Raise NotWritable if nothing can be written at `path`, there or not; returns the path."""
    place = path if path.is_dir() else path.parent
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise NotWritable(
            f"cannot write {path}: {os.strerror(error.errno or 0)}; make {place} writable, or "
            "start where there is a folder that is: nothing was begun"
        ) from error
    return path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it only if the block ends without an error.

    Raises NoRoom if the disk is full.
    """
    with room_for(path), _partial_file(path) as partial:
        yield partial


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place only if the block succeeds.

    Raises NoRoom if the disk is full.
    """
    with room_for(path), _partial_folder(path) as partial:
        yield partial


@contextmanager
def _partial_file(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~UMASK)  # a temporary file is its owner's alone
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _partial_folder(path: Path) -> Iterator[Path]:
    if path.is_file():
        raise FileExistsError(f"{path} is a file, but a folder is to stand there; name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield partial
        for inner in (partial, *partial.rglob("*")):  # as safetensors writes its files
            inner.chmod((0o777 if inner.is_dir() else 0o666) & ~UMASK)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file or nothing."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a whole JSON file (sorted keys, so that equal content is equal bytes) or nothing."""
    write_text(path, _json(value))


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """As `write_json`, an object that holds its own hash: `seals.read_sealed` checks it."""
    with atomic_file(path) as partial:
        partial.write_text(_json({SEAL: BLANK, **value}), encoding="utf-8")
        seal(partial)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class LinesHash:
    """SHA-256 of text lines: a hash of content that no file format's version changes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, lines: Iterable[str]) -> None:
        """Add lines."""
        for line in lines:
            self._digest.update(line.encode("utf-8", "surrogatepass"))
            self._digest.update(b"\n")

    def passing(self, items: Iterable[Item], line: Callable[[Item], str]) -> Iterator[Item]:
        """The items, each one's line added as it goes by."""
        for item in items:
            self.update([line(item)])
            yield item

    def hexdigest(self) -> str:
        """The hash of the lines so far."""
        return self._digest.hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """The hash of text lines, see `LinesHash`."""
    digest = LinesHash()
    digest.update(lines)
    return digest.hexdigest()


def files_hash(files: Iterable[Path]) -> str:
    """SHA-256 over the paths, as they are given, and the contents of some files."""
    return sha256_lines(f"{path} {sha256_file(path)}" for path in sorted(files))


@cache
def sources_hash() -> str:
    """SHA-256 over the sources of resrank and baselines, as they are on disk."""
    root = Path(__file__).resolve().parent.parent
    files = [*root.glob("resrank/**/*.py"), *root.glob("baselines/**/*.py")]
    return sha256_lines(f"{f.relative_to(root)} {sha256_file(f)}" for f in sorted(files))


@cache
def environment() -> dict[str, Any]:
    """What the numbers depend on outside the configuration: versions, hardware, revision."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES if _version(name)},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()},
        "git_revision": _git_revision(),
    }


@cache
def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def hashed(inputs: Mapping[str, Path | str]) -> dict[str, str]:
    """Inputs by name, a file as the hash of its bytes; a hash that is known stays."""
    return {
        name: sha256_file(source) if isinstance(source, Path) else source
        for name, source in inputs.items()
    }


def write_manifest(
    path: Path, *, inputs: Mapping[str, Path | str], config: Any, **facts: Any
) -> None:
    """Write the manifest of an output: hashes of its inputs, config, versions, hardware, facts.

    inputs: name -> a file (hashed by its bytes) or a hash that is already known.
    """
    about = {"inputs": hashed(inputs), "config": config, **facts, "environment": environment()}
    write_sealed(path, about)
