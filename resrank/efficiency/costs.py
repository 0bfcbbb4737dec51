"""FLOPs of a suite's systems: the work that each states, over the shapes of its models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

from resrank.efficiency.flops import cache_bytes, flops
from resrank.model.architectures import RANDOM, config_of
from resrank.model.layer_count import check_layers
from resrank.model.shapes import FAMILIES, Architecture, architecture
from resrank.model.trained_models import PREFIX
from resrank.records import Usage
from resrank.reranker_entry import RerankerEntry
from resrank.work import DecoderShape, FirstLayers, ModelRef, Pass, QueryShape, model_name

Systems = Mapping[str, RerankerEntry]
"""The entries of a suite by name, to look up the models that others were trained from."""


class Cost(NamedTuple):
    """FLOPs per query: with every passage embedded for it, and with embeddings already stored.

    The two are equal for a system that embeds no passages. stepped: parameters that are read for
    tokens written one at a time, which bounds their time more than FLOPs do.
    """

    online: float
    cached: float
    stepped: float = 0.0


class Costs:
    """One system's FLOPs per query, from its usage."""

    def __init__(self, entry: RerankerEntry, systems: Systems) -> None:
        self.passes = partial(entry.reranker.passes, entry.typed_options)
        self.shape = cache(lambda model: shape_of(model, systems))

    def of(self, usage: Usage, candidates: int) -> Cost | None:
        """Return the FLOPs of a ranking, or None if its work or a model's shape is unknown."""
        passes = self._with_shapes(usage, candidates)
        if passes is None:
            return None
        counts = [flops(shape, each.work) for each, shape in passes]
        late = sum(n for n, (each, _) in zip(counts, passes, strict=True) if not each.ahead)
        read = [e.work.steps * (shape.decoder or shape.stack).parameters for e, shape in passes]
        return Cost(float(sum(counts)), float(late), float(sum(read)))

    def memory(self, usage: Usage, candidates: int, number_bytes: int = 2) -> float | None:
        """Return the bytes of weights, and of keys and values where tokens are written.

        Returns None if they are unknown. Activations and further batches are not counted.
        """
        passes = self._with_shapes(usage, candidates)
        if passes is None:
            return None
        weights = {each.model: number_bytes * shape.parameters for each, shape in passes}
        written = sum(cache_bytes(shape, each.work, number_bytes) for each, shape in passes)
        return float(sum(weights.values()) + written)

    def _with_shapes(self, usage: Usage, candidates: int) -> list[tuple[Pass, Architecture]] | None:
        """Return each pass with its model's shape, or None if one of them is unknown."""
        passes = self.passes(usage, candidates)
        if passes is None:
            return None
        shapes = [(each, self.shape(each.model)) for each in passes]
        complete = [(each, shape) for each, shape in shapes if shape is not None]
        return complete if len(complete) == len(shapes) else None

    def mean(self, rankings: Iterable[tuple[Usage, int]]) -> Cost | None:
        """Return the mean over rankings, each given by its usage and number of candidates."""
        costs = [self.of(usage, candidates) for usage, candidates in rankings]
        complete = [cost for cost in costs if cost is not None]
        if not complete or len(complete) < len(costs):
            return None
        return Cost(*(sum(values) / len(complete) for values in zip(*complete, strict=True)))


def estimated_cost(entry: RerankerEntry, systems: Systems, shape: QueryShape) -> Cost | None:
    """Return the FLOPs of a query that was not run, or None if they are unknown."""
    usage = entry.estimate_usage(shape)
    return None if usage is None else Costs(entry, systems).of(usage, shape.candidates)


def models_of(entry: RerankerEntry) -> list[ModelRef]:
    """Return the models that a system states, its encoder first."""
    return list(dict.fromkeys(each.model for each in entry.passes(Usage(), 0) or ()))


def is_random(entry: RerankerEntry) -> bool:
    """Whether a system's weights are random, `random:<hub id>`: only its costs mean anything."""
    names = [model_name(model) for model in models_of(entry)]
    return any(name.startswith(RANDOM) for name in names if name is not None)


def shape_of(model: ModelRef, systems: Systems) -> Architecture | None:
    """Return a model's shape as options, a folder or the library give it, or None.

    A trained system's model has the shape it started from. Of a system's two models,
    `trained:<system>` is the encoder, which comes first, and `trained:<system>/reranker` the other.
    """
    if isinstance(model, DecoderShape):
        return _new_decoder(model, systems)
    if isinstance(model, FirstLayers):
        return _first_layers(model, systems)
    if model.startswith(PREFIX):
        name, _, part = model.removeprefix(PREFIX).partition("/")
        parts = models_of(systems[name]) if name in systems else []
        return shape_of(parts[-1 if part == "reranker" else 0], systems) if parts else None
    config = config_of(model)
    if config is None or config.get("model_type") not in FAMILIES:
        return None
    return architecture(config)


def _first_layers(model: FirstLayers, systems: Systems) -> Architecture | None:
    """Return the whole model's shape with fewer layers. Raises ValueError if it has too few."""
    whole = shape_of(model.model, systems)
    if whole is None or model.layers is None:
        return whole
    check_layers(model.model, model.layers, whole.stack.layers)
    return replace(whole, stack=replace(whole.stack, layers=model.layers))


def _new_decoder(shape: DecoderShape, systems: Systems) -> Architecture | None:
    """Return the shape of a decoder made here, which has Qwen3's form."""
    vocabulary = shape_of(shape.vocabulary, systems)
    if vocabulary is None:
        return None
    return architecture(
        {
            "model_type": "qwen3",
            "vocab_size": vocabulary.vocabulary + shape.added,
            "hidden_size": shape.hidden,
            "intermediate_size": shape.intermediate,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "head_dim": shape.hidden // shape.heads,
        }
    )
