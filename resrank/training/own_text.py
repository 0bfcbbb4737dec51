"""Training examples from a collection's own text, with BM25's candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from resrank.candidates.base import FirstStageKind
from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.pseudo_queries import MIN_QUERY_WORDS, MIN_REST_WORDS, draw, without_start
from resrank.io.passage_table import PassageTable
from resrank.records import Candidate, TrainingExample
from resrank.training.options import OWN_TEXT_STAGE

DEPTH = 100
"""Candidates per pseudo-query."""


class OwnText(NamedTuple):
    """Training examples whose queries are pseudo-queries, and counts for the manifest."""

    examples: list[TrainingExample]
    counts: Mapping[str, Any]


def own_text(passages: PassageTable, limit: int, stage: FirstStageKind | None = None) -> OwnText:
    """Return examples of at most `limit` pseudo-queries, each with BM25's candidates.

    BM25 and the training read every passage without its start. stage: BM25 with the collection's
    options; any other kind is replaced by BM25 with its defaults. Raises ValueError if no passage
    is long enough for a pseudo-query.
    """
    drawn = draw(passages, limit)
    queries = drawn.queries
    if not queries:
        raise ValueError(
            f"none of {len(passages)} passages gives a pseudo-query for `queries: own_text`; it "
            f"needs a first sentence of at least {MIN_QUERY_WORDS} words that few others share, "
            f"and {MIN_REST_WORDS} words after it"
        )
    is_bm25 = stage is not None and stage.kind == OWN_TEXT_STAGE
    bm25: Any = stage if is_bm25 else FIRST_STAGES.read({"kind": OWN_TEXT_STAGE}, FirstStageKind)
    lists = bm25.model_copy(update={"depth": DEPTH}).rank(queries, map(without_start, passages))
    listed = {passage_id for ranked in lists.values() for passage_id, _ in ranked}
    texts = {i: without_start(p) for i, p in passages.of(listed | drawn.sources).items()}
    examples = [
        TrainingExample(
            query=query,
            candidates=[Candidate(texts[p], score) for p, score in lists[query.id]],
            grades=dict.fromkeys(drawn.passage_ids[query.text], 1),
            positives=[texts[p] for p in drawn.passage_ids[query.text]],
        )
        for query in queries
    ]
    return OwnText(examples, drawn.counts)
