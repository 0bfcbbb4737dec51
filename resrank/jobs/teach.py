"""The teach job: a system ranks training queries, and other systems learn from its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resrank.io.candidates import candidate_lists
from resrank.io.run import write_run
from resrank.jobs.rerank import RerankJob
from resrank.ranking import Request
from resrank.records import Ranking, Split, TrainingExample
from resrank.reranker import Reranker
from resrank.reranker_options import TeacherWork
from resrank.training.mixture import share

SECTION = 64
"""Queries whose passages are embedded together, independent of the number of shards."""


@dataclass(frozen=True, kw_only=True)
class TeachJob(RerankJob):
    """A teacher's run over training queries, or a shard of it, with the teacher's scores.

    work: what the stages of training that learn from it need. A query is ranked if it is in one of
    their shares, to the largest depth of those.
    """

    work: Sequence[TeacherWork]

    def requests(self) -> list[Request]:
        """Return the training queries that are needed, by id, each with its candidates."""
        lists = candidate_lists(self.collection, self.candidates, Split.TRAIN)
        queries = self.collection.queries(Split.TRAIN)
        examples = [TrainingExample(q, lists.get(q.id, []), {}, []) for q in queries]
        kept: dict[str, int] = {}
        for part in self.work:
            for e in share(examples, *part.share):
                depth = len(e.candidates) if part.depth is None else part.depth
                kept[e.query.id] = max(kept.get(e.query.id, 0), depth)
        return [(e.query, e.candidates[: kept[e.query.id]]) for e in examples if e.query.id in kept]

    def prepare(
        self, reranker: Reranker, requests: Sequence[Request], shard_requests: Sequence[Request]
    ) -> None:
        """Embed the batches that hold a passage of the shard's queries.

        Batches are those of the whole job, for any number of shards: a passage is in one with
        others that the same `SECTION` queries are the first to need.
        """
        wanted = {c.passage.text for _, listed in shard_requests for c in listed}
        seen: set[str] = set()
        for start in range(0, len(requests), SECTION):
            section = [c.passage for _, listed in requests[start : start + SECTION] for c in listed]
            new = {p.text: p for p in section if p.text not in seen}
            seen |= new.keys()
            needed = [passage for text, passage in new.items() if text in wanted]
            if needed:
                reranker.prepare(new.values(), self.store, needed)

    def by_encoder(self, reranker: Reranker, requests: Sequence[Request]) -> None:
        """Return None: nothing learns from the encoder's own ranking."""
        return

    def write_run(self, rankings: Sequence[Ranking]) -> None:
        """Write the run with the teacher's scores."""
        write_run(self.out, rankings, self.name, with_scores=True)
