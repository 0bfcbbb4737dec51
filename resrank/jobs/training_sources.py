"""The collections that a system is trained on, and the examples that training gets from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resrank.candidates.base import FirstStageKind
from resrank.io.candidates import candidate_lists
from resrank.io.collection import Collection
from resrank.records import Ranking, Split, TrainingExample
from resrank.training.own_text import OwnText, own_text


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """One collection that a system is trained on.

    candidates: the frozen lists (parquet) of its training queries.
    weight: its share of the training queries, relative to the weights of the others.
    instruction: its retrieval instruction.
    stage: the first stage that made the lists; if it is BM25, it lists the pseudo-queries' too.
    """

    name: str
    collection: Collection
    candidates: Path
    weight: float = 1.0
    instruction: str = ""
    stage: FirstStageKind | None = None


def inputs_of(sources: Sequence[TrainingSource]) -> dict[str, Path | str]:
    """Return the collections and candidates, for a manifest; by name if there are several."""
    several = len(sources) > 1
    inputs: dict[str, Path | str] = {}
    for source in sources:
        ending = f" {source.name}" if several else ""
        inputs[f"collection{ending}"] = source.collection.hash
        inputs[f"candidates{ending}"] = source.candidates
    return inputs


def examples_of(sources: Sequence[TrainingSource], split: Split) -> list[TrainingExample]:
    """Return the queries of a split with their lists, grades and relevant passages.

    If there are several sources, each query brings the instruction of its collection, and its id
    begins with the collection's name.
    """
    if len(sources) == 1:
        return _examples(sources[0], split)
    return [_in_mixture(e, source) for source in sources for e in _examples(source, split)]


def own_text_of(sources: Sequence[TrainingSource], limit: int) -> OwnText:
    """Return at most `limit` pseudo-queries of each collection, and counts for the manifest.

    Several sources are treated as in `examples_of`, and have counts by name.
    """
    if limit == 0:
        return OwnText([], {})
    parts = {s.name: own_text(s.collection.passages, limit, s.stage) for s in sources}
    if len(sources) == 1:
        (part,) = parts.values()
        return OwnText([replace(e, collection=sources[0].name) for e in part.examples], part.counts)
    examples = [
        _in_mixture(replace(example, collection=source.name), source)
        for source in sources
        for example in parts[source.name].examples
    ]
    return OwnText(examples, {name: part.counts for name, part in parts.items()})


def dev_score(sources: Sequence[TrainingSource]) -> Callable[[Sequence[Ranking]], float]:
    """Return a function: nDCG@10 of rankings, over the dev queries that are ranked."""
    from resrank.evaluation.metrics import averages, falling, per_query

    qrels: dict[str, Mapping[str, int]] = {}
    for source in sources:
        prefix = _prefix(source) if len(sources) > 1 else ""
        judged = source.collection.qrels(Split.DEV)
        qrels |= {f"{prefix}{query_id}": grades for query_id, grades in judged.items()}

    def score(rankings: Sequence[Ranking]) -> float:
        run = {r.query_id: falling(r.passage_ids) for r in rankings}
        ranked = {q: qrels[q] for q in run if q in qrels}
        return averages(per_query(["nDCG@10"], ranked, run))["nDCG@10"]

    return score


def _prefix(source: TrainingSource) -> str:
    return f"{source.name}/"


def _in_mixture(example: TrainingExample, source: TrainingSource) -> TrainingExample:
    query = example.query
    return replace(
        example,
        query=replace(query, id=f"{_prefix(source)}{query.id}", instruction=source.instruction),
        weight=source.weight,
        id_prefix=_prefix(source),
    )


def _examples(source: TrainingSource, split: Split) -> list[TrainingExample]:
    """Return one collection's examples, under their own ids."""
    collection = source.collection
    lists = candidate_lists(collection, source.candidates, split)
    qrels = collection.qrels(split)
    passages = collection.passages.judged(qrels)
    ids = {query_id: [c.passage.id for c in listed] for query_id, listed in lists.items()}
    graded = collection.graded(ids, split) if collection.has_grades else {}
    return [
        TrainingExample(
            query=q,
            candidates=lists.get(q.id, []),
            grades=qrels.get(q.id, {}),
            positives=[
                passages[p] for p, g in qrels.get(q.id, {}).items() if g > 0 and p in passages
            ],
            graded=graded.get(q.id, {}),
            collection=source.name,
        )
        for q in collection.queries(split)
    ]
