"""The teach job: a system ranks training queries, and other systems learn from its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resrank.io.candidates import candidate_lists
from resrank.io.run import write_run
from resrank.jobs.rerank import RerankJob
from resrank.ranking import Request
from resrank.records import Ranking, Split, TrainingExample
from resrank.reranker_options import TeacherWork
from resrank.training.mixture import share


@dataclass(frozen=True, kw_only=True)
class TeachJob(RerankJob):
    """A teacher's run over training queries, or a shard of it, with the teacher's scores.

    work: what the stages of training that learn from it need. A query is ranked if it is in one of
    their shares, to the largest of their depths.
    """

    work: Sequence[TeacherWork]

    def requests(self) -> list[Request]:
        """Return the training queries that are needed, by id, each with its candidates."""
        lists = candidate_lists(self.collection, self.candidates, Split.TRAIN)
        queries = self.collection.queries(Split.TRAIN)
        examples = [TrainingExample(q, lists.get(q.id, []), {}, []) for q in queries]
        needed = {e.query.id for part in self.work for e in share(examples, *part.share)}
        depths = [part.depth for part in self.work if part.depth is not None]
        depth = max(depths) if len(depths) == len(self.work) else None
        return [(e.query, e.candidates[:depth]) for e in examples if e.query.id in needed]

    def write_run(self, rankings: Sequence[Ranking]) -> None:
        """Write the run with the teacher's scores."""
        write_run(self.out, rankings, self.name, with_scores=True)
