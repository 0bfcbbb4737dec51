"""GPU hours and bytes that a suite's systems need, from their FLOPs.

The values are upper estimates. Every ranking embeds its passages, although systems and queries
share embeddings. A generated token waits until all weights have been read, although windows are
generated together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resrank.collections.counting import Sizes
from resrank.efficiency.assumptions import WEIGHT_BYTES, Assumptions
from resrank.efficiency.costs import Cost, Systems, estimated_cost, models_of, shape_of
from resrank.efficiency.flops import flops
from resrank.model.trained_models import PREFIX
from resrank.reranker_options import StageWork
from resrank.suite.resolved import Resolved
from resrank.suite.schema import System
from resrank.work import Work, model_name

TRAINED_BYTES = 4  # per parameter, as training saves it
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


class Needs(NamedTuple):
    """One system's hours of training and reranking, and bytes of saved models and embeddings.

    reranking: over test queries, and over the training queries of systems that it teaches.

    None if a model's shape or a number of queries is unknown.
    """

    training: float | None
    reranking: float | None
    saved: float | None
    embeddings: float | None


def needs(resolved: Resolved, name: str, assumed: Assumptions) -> Needs:
    """Return the needs of one system over the whole suite."""
    spec = resolved.systems[name]
    seeds = len(resolved.seeds_of(name))
    pairs = [(c, stage) for c, stage, system in resolved.compared if system == name]
    rankings = _rankings(resolved, pairs)
    cost = estimated_cost(spec, resolved.systems, assumed.shape(_depth(resolved)))
    reranking = None
    if cost is not None and rankings is not None:
        measure = resolved.suite.measure
        measurements = 0 if name in resolved.companions else len(pairs)
        timed = 2 * (measure.queries + measure.warmup) * measurements
        reranking = assumed.hours(cost, rankings * seeds + timed)
    teaching = _teaching_hours(resolved, name, assumed)
    reranking = None if reranking is None or teaching is None else reranking + teaching
    training = 0.0 if spec.training is None else _training_hours(resolved, name, assumed)
    saved = 0.0 if spec.training is None else _saved(spec, resolved.systems, seeds)
    return Needs(training, reranking, saved, _embeddings(resolved, spec, rankings))


def indexed_stages(resolved: Resolved) -> list[str]:
    """Return the suite's dense first stages, including those inside fusions."""
    stages = resolved.first_stages
    names = [n for _, name in resolved.pairs for n in stages[name].names_of_fused() or [name]]
    return list(dict.fromkeys(n for n in names if stages[n].passage_encoder() is not None))


def index_needs(
    resolved: Resolved, name: str, assumed: Assumptions
) -> tuple[float | None, float | None]:
    """Return the hours and bytes of every collection's passage embeddings; None if unknown."""
    encoder = resolved.first_stages[name].passage_encoder()
    assert encoder is not None
    shape = shape_of(encoder.named, resolved.systems)
    passages = _sum([resolved.collections[c].sizes().passages for c in resolved.suite.collections])
    if shape is None or passages is None:
        return None, None
    tokens = min(assumed.passage_tokens, encoder.max_tokens)
    work = flops(shape, Work(1, tokens))
    size = float(passages * shape.stack.hidden * ITEM_BYTES[encoder.store_dtype])
    return assumed.hours(Cost(work, work), passages), size


def model_bytes(resolved: Resolved) -> list[float | None]:
    """Return the size of each published model that systems load; None if unknown."""
    named = [model_name(m) for spec in resolved.systems.values() for m in models_of(spec)]
    published = sorted({m for m in named if m is not None and not m.startswith(PREFIX)})
    shapes = [shape_of(model, resolved.systems) for model in published]
    return [None if s is None else float(WEIGHT_BYTES * s.parameters) for s in shapes]


def _depth(resolved: Resolved) -> int:
    """Return the length of the longest list of the suite's first stages."""
    return max(resolved.first_stages[stage].depth for _, stage in resolved.pairs)


def _rankings(resolved: Resolved, pairs: list[tuple[str, str]]) -> int | None:
    """Return the test queries over candidate sets; None if a collection's are unknown."""
    return _sum([resolved.collections[name].sizes().test_queries for name, _ in pairs])


def _sum(counts: list[int | None]) -> int | None:
    """Return the sum of counts; None if one is unknown."""
    given = [count for count in counts if count is not None]
    return sum(given) if len(given) == len(counts) else None


def _training_hours(resolved: Resolved, name: str, assumed: Assumptions) -> float | None:
    """Return the hours of all seeds.

    A step costs three forward passes, or four if some activations are computed again.
    """
    spec = resolved.systems[name]
    training = spec.typed_training
    if training is None or training.stage_work is None:
        return None
    sizes = [resolved.collections[c].sizes() for c in resolved.trained_on(name)]
    hours = 0.0
    for stage in training.stage_work:
        queries = number_of_queries(stage, sizes)
        cost = estimated_cost(spec, resolved.systems, assumed.shape(stage.texts))
        if cost is None or queries is None:
            return None
        forward = cost.online if stage.trains_encoder else cost.cached
        passes = queries * stage.epochs * (4 if training.recomputes else 3)
        hours += assumed.hours(Cost(forward, forward), passes)
    return hours * len(resolved.seeds_of(name))


def _teaching_hours(resolved: Resolved, name: str, assumed: Assumptions) -> float | None:
    """Return the hours of ranking training queries for the systems that a system teaches."""
    hours = 0.0
    for collection, stage, work in resolved.teaching(name):
        sizes = [resolved.collections[collection].sizes()]
        queries = number_of_queries(StageWork(1, 0, work.share), sizes)
        shape = assumed.shape(work.depth or resolved.first_stages[stage].depth)
        cost = estimated_cost(resolved.systems[name], resolved.systems, shape)
        if cost is None or queries is None:
            return None
        hours += assumed.hours(cost, queries)
    return hours


def number_of_queries(stage: StageWork, sizes: Sequence[Sizes]) -> int | None:
    """Return the training queries of a stage; None if the collections' number is unknown.

    There are at most as many pseudo-queries as passages.
    """
    labelled = stage.queries == "labelled"
    sample = _sum([size.train_queries if labelled else size.passages for size in sizes])
    low, high = stage.share
    shared = None if sample is None else round(sample * (high - low))
    limits = [n for n in (shared, stage.max_queries) if n is not None]
    return min(limits) if limits else None


def _saved(spec: System, systems: Systems, seeds: int) -> float | None:
    """Return the bytes of a trained system's models, except those that another system trains."""
    named = models_of(spec)
    trained = [m for m in named if not (model_name(m) or "").startswith(PREFIX)] or named
    shapes = [shape_of(model, systems) for model in trained]
    parameters = _sum([None if shape is None else shape.parameters for shape in shapes])
    return seeds * TRAINED_BYTES * parameters if trained and parameters is not None else None


def _embeddings(resolved: Resolved, spec: System, rankings: int | None) -> float | None:
    """Return the bytes of the candidates' stored embeddings; 0 for a system that stores none."""
    encoder = spec.reranker.encoder_options(spec.typed_options, None, None)
    if encoder is None or rankings == 0:
        return 0.0
    shape = shape_of(encoder.named, resolved.systems)
    if shape is None or rankings is None:
        return None
    texts = rankings * _depth(resolved)
    return float(texts * shape.stack.hidden * ITEM_BYTES[encoder.store_dtype])
