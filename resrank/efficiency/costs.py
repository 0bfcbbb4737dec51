"""FLOPs of a suite's systems: what each states of its work, over the shapes of its models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from resrank.efficiency.flops import cache_bytes, flops
from resrank.efficiency.work import Asked, Cut, Made, Model, Pass
from resrank.model.architectures import FAMILIES, RANDOM, Architecture, architecture, config_of
from resrank.model.trained_models import PREFIX
from resrank.records import Usage
from resrank.registry import resolve

if TYPE_CHECKING:
    from resrank.suite.schema import System

Systems = Mapping[str, "System"]


class Cost(NamedTuple):
    """FLOPs of a query: with every passage embedded for it, and with embeddings at hand.

    The two are equal for a system that embeds no passages. stepped: parameters that are read for
    tokens written one at a time, which bounds their time more than FLOPs do.
    """

    online: float
    cached: float
    stepped: float = 0.0


class Costs:
    """One system's FLOPs a query, from its usage."""

    def __init__(self, spec: System, systems: Systems) -> None:
        self.passes = stated(spec, "passes")
        self.shape = cache(lambda model: shape_of(model, systems))

    def of(self, usage: Usage, candidates: int) -> Cost | None:
        """FLOPs of a ranking; None where the system, or the shape of a model, is not known."""
        found = self._shaped(usage, candidates)
        if found is None:
            return None
        counts = [flops(shape, each.work) for each, shape in found]
        late = sum(n for n, (each, _) in zip(counts, found, strict=True) if not each.ahead)
        read = [e.work.steps * (shape.decoder or shape.stack).parameters for e, shape in found]
        return Cost(float(sum(counts)), float(late), float(sum(read)))

    def memory(self, usage: Usage, candidates: int, number_bytes: int = 2) -> float | None:
        """Bytes of weights, and of keys and values where tokens are written; None if not known.

        Activations and batches beside them are not counted.
        """
        found = self._shaped(usage, candidates)
        if found is None:
            return None
        weights = {each.model: number_bytes * shape.parameters for each, shape in found}
        written = sum(cache_bytes(shape, each.work, number_bytes) for each, shape in found)
        return float(sum(weights.values()) + written)

    def _shaped(self, usage: Usage, candidates: int) -> list[tuple[Pass, Architecture]] | None:
        """The passes, each with its model's shape; None if one of these is not known."""
        passes: Sequence[Pass] | None = self.passes and self.passes(usage, candidates)
        if passes is None:
            return None
        shapes = [(each, self.shape(each.model)) for each in passes]
        known = [(each, shape) for each, shape in shapes if shape is not None]
        return known if len(known) == len(shapes) else None

    def mean(self, rankings: Iterable[tuple[Usage, int]]) -> Cost | None:
        """The mean over rankings, each given by its usage and its number of candidates."""
        found = [self.of(usage, candidates) for usage, candidates in rankings]
        known = [each for each in found if each is not None]
        if not known or len(known) < len(found):
            return None
        return Cost(*(sum(values) / len(known) for values in zip(*known, strict=True)))


def stated(spec: System, what: str) -> Callable[..., Any] | None:
    """A system's `passes` or `expected` with its options filled in; None if it has none."""
    cls = resolve(spec.kind)
    if not hasattr(cls, what):
        return None
    return partial(getattr(cls, what), cls.Options.model_validate(spec.options))


def expected_cost(spec: System, systems: Systems, asked: Asked) -> Cost | None:
    """FLOPs of a query that was not run; None where the system or a model's shape is not known."""
    expected = stated(spec, "expected")
    return expected and Costs(spec, systems).of(expected(asked), asked.candidates)


def models_of(spec: System) -> list[Model]:
    """The models that a system names, its encoder first; none that it does not state."""
    passes = stated(spec, "passes")
    return list(dict.fromkeys(each.model for each in passes(Usage(), 0) or ())) if passes else []


def is_random(spec: System) -> bool:
    """Whether a system's weights are random, `random:<hub id>`: only its costs mean anything."""
    return any(str(model).startswith(RANDOM) for model in models_of(spec))


def shape_of(model: Model, systems: Systems) -> Architecture | None:
    """A model's shape as options, a folder or the library give it; None if none of them does.

    A trained system's model has the shape it began with: of a system's two, `trained:<system>`
    is the encoder, which comes first, and `trained:<system>/reranker` the other.
    """
    if isinstance(model, Made):
        return _made(model, systems)
    if isinstance(model, Cut):
        return _cut(model, systems)
    if model.startswith(PREFIX):
        name, _, part = model.removeprefix(PREFIX).partition("/")
        below = models_of(systems[name]) if name in systems else []
        return shape_of(below[-1 if part == "reranker" else 0], systems) if below else None
    config = config_of(model)
    if config is None or config.get("model_type") not in FAMILIES:
        return None
    return architecture(config)


def _cut(model: Cut, systems: Systems) -> Architecture | None:
    """The whole model's shape but for the number of its layers."""
    whole = shape_of(model.model, systems)
    if whole is None or model.layers is None:
        return whole
    return replace(whole, stack=replace(whole.stack, layers=model.layers))


def _made(model: Made, systems: Systems) -> Architecture | None:
    """A decoder made here has Qwen3's form."""
    owner = shape_of(model.vocabulary, systems)
    if owner is None:
        return None
    shape = model.shape
    return architecture({
        "model_type": "qwen3", "vocab_size": owner.vocabulary + model.added,
        "hidden_size": shape.hidden, "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "head_dim": shape.hidden // shape.heads,
    })  # fmt: skip
