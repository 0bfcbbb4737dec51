"""What a suite would take of a device's time and of the disk, from the FLOPs of its systems.

An estimate from above: every ranking embeds its own passages, though systems and queries share
them, and a written token waits for all weights to be read, though windows are written together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from resrank.efficiency.assumed import WEIGHT_BYTES, Assumed
from resrank.efficiency.costs import Cost, Systems, estimated_cost, models_of, shape_of
from resrank.efficiency.flops import flops
from resrank.model.trained_models import PREFIX
from resrank.reranker_options import StageWork
from resrank.suite.resolved import Resolved
from resrank.suite.schema import System
from resrank.work import Work

TRAINED_BYTES = 4  # as training saves it
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


class Needs(NamedTuple):
    """Of one system: hours of training and of reranking, bytes of models and of embeddings.

    None where a model's shape or a number of queries is not known.
    """

    training: float | None
    reranking: float | None
    saved: float | None
    embeddings: float | None


def estimate(resolved: Resolved, assumed: Assumed) -> list[str]:
    """Lines that say what was assumed, what each system needs, and the sums of what is known."""
    names = list(dict.fromkeys([*resolved.trained, *resolved.suite.systems]))
    found = {name: needs(resolved, name, assumed) for name in names}
    device = assumed.peak
    lines = [
        f"Estimate, from above: {assumed.device}, {device.flops / 1e12:.0f} TFLOP/s and "
        f"{device.bandwidth / 1e12:.2f} TB/s as its maker states, of which "
        f"{assumed.utilisation:.0%} is used; {assumed.passage_tokens} tokens a passage, "
        f"{assumed.query_tokens} a query:"
    ]
    for name, each in found.items():
        embedded = "" if each.embeddings == 0 else f", embeddings {_bytes(each.embeddings)}"
        trained = resolved.systems[name].training is not None
        learning = f"training {_hours(each.training)}, " if trained else ""
        saved = f", saved models {_bytes(each.saved)}" if trained else ""
        lines.append(f"  {name}: {learning}reranking {_hours(each.reranking)}{saved}{embedded}")
    indexed = {stage: _index(resolved, stage, assumed) for stage in _dense(resolved)}
    for stage, (spent, held) in indexed.items():
        lines.append(
            f"  first stage {stage}: embedding every passage {_hours(spent)}, {_bytes(held)}"
        )
    hours = [n for each in found.values() for n in (each.training, each.reranking)]
    hours += [spent for spent, _ in indexed.values()]
    disk = [n for each in found.values() for n in (each.saved, each.embeddings)]
    disk += [held for _, held in indexed.values()]
    loaded = [_loaded(model, resolved.systems) for model in _hub_models(resolved)]
    lines.append(f"  total: {_total(hours, _hours)}; {_total(disk, _bytes)}, and")
    lines.append(f"  models to be loaded, at 2 bytes a parameter: {_total(loaded, _bytes)}")
    return lines


def needs(resolved: Resolved, name: str, assumed: Assumed) -> Needs:
    """What one system needs over the whole suite."""
    spec = resolved.systems[name]
    seeds = len(resolved.seeds_of(name))
    ranked = _rankings(resolved) if name in resolved.suite.systems else 0
    cost = estimated_cost(spec, resolved.systems, assumed.shape(_depth(resolved)))
    reranking = None
    if cost is not None and ranked is not None:
        how = resolved.suite.measure
        timed = 2 * (how.queries + how.warmup) * len(resolved.pairs) if ranked else 0
        reranking = assumed.hours(cost, ranked * seeds + timed)
    training = 0.0 if spec.training is None else _training_hours(resolved, name, assumed)
    saved = 0.0 if spec.training is None else _saved(spec, resolved.systems, seeds)
    return Needs(training, reranking, saved, _embeddings(resolved, spec, ranked))


def _dense(resolved: Resolved) -> list[str]:
    """The suite's dense first stages, and those that its fusions are of."""
    stages = resolved.first_stages
    names = [n for _, name in resolved.pairs for n in stages[name].names_of_fused() or [name]]
    return list(dict.fromkeys(n for n in names if stages[n].passage_encoder() is not None))


def _index(resolved: Resolved, name: str, assumed: Assumed) -> tuple[float | None, float | None]:
    """Hours and bytes of every collection's passages, embedded; None where not known."""
    encoder = resolved.first_stages[name].passage_encoder()
    assert encoder is not None
    shape = shape_of(encoder.model, resolved.systems)
    counts = [resolved.collections[c].sizes().passages for c in resolved.suite.collections]
    known = [n for n in counts if n is not None]
    if shape is None or len(known) < len(counts):
        return None, None
    tokens = min(assumed.passage_tokens, encoder.max_tokens)
    work = flops(shape, Work(1, tokens))
    held = float(sum(known) * shape.stack.hidden * ITEM_BYTES[encoder.store_dtype])
    return assumed.hours(Cost(work, work), sum(known)), held


def _depth(resolved: Resolved) -> int:
    """The longest list of the suite's first stages."""
    return max(resolved.first_stages[stage].depth for _, stage in resolved.pairs)


def _rankings(resolved: Resolved) -> int | None:
    """Test queries over all collections and first stages; None where one's are not known."""
    counts = [resolved.collections[name].sizes().test_queries for name, _ in resolved.pairs]
    known = [n for n in counts if n is not None]
    return sum(known) if len(known) == len(counts) else None


def _training_hours(resolved: Resolved, name: str, assumed: Assumed) -> float | None:
    """Hours of all seeds: three forward passes a step, four where some are made again."""
    spec = resolved.systems[name]
    training = spec.typed_training
    if training is None or training.stage_work is None:
        return None
    sample = resolved.collections[resolved.trained_on(name)].sizes().train_queries
    hours = 0.0
    for stage in training.stage_work:
        queries = _queries(stage, sample)
        cost = estimated_cost(spec, resolved.systems, assumed.shape(stage.texts))
        if cost is None or queries is None:
            return None
        learned = cost.online if stage.trains_encoder else cost.cached
        steps = queries * stage.epochs * (4 if training.recomputes else 3)
        hours += assumed.hours(Cost(learned, learned), steps)
    return hours * len(resolved.seeds_of(name))


def _queries(stage: StageWork, sample: int | None) -> int | None:
    """Training queries that a stage goes through; None if the collection's are not known."""
    low, high = stage.share
    shared = None if sample is None else round(sample * (high - low))
    known = [n for n in (shared, stage.max_queries) if n is not None]
    return min(known) if known else None


def _saved(spec: System, systems: Systems, seeds: int) -> float | None:
    """Bytes of a trained system's models, but a part that another system's job has trained."""
    named = models_of(spec)
    own = [model for model in named if not str(model).startswith(PREFIX)] or named
    shapes = [shape_of(model, systems) for model in own]
    known = [shape.parameters for shape in shapes if shape is not None]
    return seeds * TRAINED_BYTES * sum(known) if own and len(known) == len(own) else None


def _embeddings(resolved: Resolved, spec: System, rankings: int | None) -> float | None:
    """Bytes of the candidates' stored embeddings."""
    encoder = spec.reranker.encoder_options(spec.typed_options, None, None)
    if encoder is None or rankings == 0:
        return 0.0
    shape = shape_of(encoder.model, resolved.systems)
    if shape is None or rankings is None:
        return None
    texts = rankings * _depth(resolved)
    return float(texts * shape.stack.hidden * ITEM_BYTES[encoder.store_dtype])


def _hub_models(resolved: Resolved) -> list[str]:
    """Published models that systems load, each once."""
    named = [m for spec in resolved.systems.values() for m in models_of(spec)]
    return sorted({m for m in named if isinstance(m, str) and not m.startswith(PREFIX)})


def _loaded(model: str, systems: Systems) -> float | None:
    shape = shape_of(model, systems)
    return None if shape is None else float(WEIGHT_BYTES * shape.parameters)


def _total(values: list[float | None], shown: Any) -> str:
    """The sum of what is known, and how much is not."""
    known = [n for n in values if n is not None]
    more = f", {len(values) - len(known)} not known" if len(known) < len(values) else ""
    return f"{shown(sum(known))}{more}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "not known"
    return f"{hours:,.2f} GPU h" if hours == 0 or hours >= 0.005 else "under 0.01 GPU h"


def _bytes(count: float | None) -> str:
    return "not known" if count is None else f"{count / 1e9:,.2f} GB"
