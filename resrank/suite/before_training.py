"""What a system is before training: the same entry with the models that training starts from.

A system is trained by its own job, or serves a model that is trained: a fusion of trained systems,
a saved ResRank, an encoder or a language model `trained:<system>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from resrank.io.manifest import manifest_of, read_checked_json
from resrank.io.yaml import ConfigError
from resrank.model.trained_models import PREFIX
from resrank.options import texts_in
from resrank.reranker_entry import RerankerEntry
from resrank.suite.collection_instruction import with_open_instructions
from resrank.suite.entry_classes import is_reranker_kind
from resrank.suite.schema import System

OWN = ((), ("llm",))
"""Where in the options the model that a reranker scores with is named, as `model`."""


class UnknownStart(ConfigError):
    """It is not on record what a saved model was before training."""


class TrainedModel(NamedTuple):
    """A trained model in a reranker's options.

    path: keys of the section that names it. key: its key there. system: the trained system. part:
    the part of its model, or "".
    """

    path: tuple[str, ...]
    key: str
    system: str
    part: str


def before_training(entry: RerankerEntry, systems: Mapping[str, System]) -> RerankerEntry | None:
    """Return an entry with untrained models in place of those that it serves; None if it has none.

    Encoders that another system has trained stay where they are only read, as in a ResRank. Raises
    UnknownStart if nothing says what a model was before training.
    """
    if isinstance(entry, System) and entry.training is not None:
        return RerankerEntry(kind=entry.kind, options=entry.options)
    if entry.typed_options.saved_model is not None:
        return _before_saving(entry, systems)
    for model in _models(entry.options):
        if _serves(entry, model, systems):
            return _with_start(entry, model, systems)
    options = {name: _inner(value, systems) for name, value in entry.options.items()}
    return None if options == entry.options else RerankerEntry(kind=entry.kind, options=options)


def _inner(value: Any, systems: Mapping[str, System]) -> Any:
    """Return a value of the options with the rerankers in it as before training."""
    if isinstance(value, list | tuple):
        return [_inner(item, systems) for item in value]
    if not (isinstance(value, Mapping) and is_reranker_kind(value.get("kind"))):
        return value
    before = before_training(RerankerEntry.model_validate(value), systems)
    return value if before is None else before.model_dump()


def _models(options: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[TrainedModel]:
    """Yield the trained models in options, without those of rerankers in them."""
    for key, value in options.items():
        if isinstance(value, str) and value.startswith(PREFIX):
            system, _, part = value.removeprefix(PREFIX).partition("/")
            yield TrainedModel(path, key, system, part)
        elif isinstance(value, Mapping) and not is_reranker_kind(value.get("kind")):
            yield from _models(value, (*path, key))


def _serves(entry: RerankerEntry, model: TrainedModel, systems: Mapping[str, System]) -> bool:
    """Whether a reranker scores with a trained model, and does not only read its embeddings."""
    same = systems[model.system].kind == entry.kind and not model.part
    return same or (model.path in OWN and model.key == "model")


def _with_start(
    entry: RerankerEntry, model: TrainedModel, systems: Mapping[str, System]
) -> RerankerEntry:
    """Return an entry with the model that the training of `model` starts from.

    What the entry does not say of the model is said by the options of the trained system.
    """
    start: Any = systems[model.system].options
    for key in [model.part] if model.part else model.path:
        start = start.get(key, {})
    options = _replaced(entry.options, model.path, model.key, start)
    try:
        return RerankerEntry(kind=entry.kind, options=options)
    except ValueError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UnknownStart(f"the options of {model.system!r} do not suit it: {reason}") from error


def _replaced(
    options: Mapping[str, Any], path: tuple[str, ...], key: str, start: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options whose section at `path` is based on `start`, without the trained model."""
    if path:
        inner = _replaced(options[path[0]], path[1:], key, start)
        return {**options, path[0]: inner}
    return {**start, **{name: value for name, value in options.items() if name != key}}


def _before_saving(entry: RerankerEntry, systems: Mapping[str, System]) -> RerankerEntry:
    """Return the reranker that a saved model was before training, served with these options."""
    options, model = entry.typed_options, str(entry.typed_options.saved_model)
    if model.startswith(PREFIX):
        trained = systems[model.removeprefix(PREFIX)]
        return RerankerEntry(kind=trained.kind, options=options.before_training(trained.options))
    manifest = manifest_of(Path(model))
    if not manifest.is_file():
        raise UnknownStart(f"no {manifest} says what its model was before training")
    about = read_checked_json(manifest)
    if "kind" not in (config := about.get("config", {})):
        raise UnknownStart(f"{manifest} does not say what its model was before training")
    trained_with = with_open_instructions(config["options"], about.get("instructions", {}))
    if missing := [text for text in texts_in(trained_with) if _is_missing(text)]:
        raise UnknownStart(f"before training its model used {missing[0]}, which is not here")
    return RerankerEntry(kind=config["kind"], options=options.before_training(trained_with))


def _is_missing(text: str) -> bool:
    """Whether a text is the folder of a model under results/ that is not here."""
    return text.startswith("results/") and not Path(text).exists()
