"""Leak audits of all runs over one candidate set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.leak import audit, training_positives
from resrank.evaluation.ties import tie_bounds
from resrank.io.candidates import candidate_lists
from resrank.io.collection import Collection
from resrank.io.manifest import read_checked_json
from resrank.records import Split

TRAINING_GRADE = 1
"""The lowest grade of a training positive: training takes every grade above 0 as relevant, even
where binary metrics count only higher grades."""


class LeakAuditor:
    """The judgments, lists and training positives that the leak audits of a candidate set share.

    trained_on: system -> the collections that it was trained on.
    """

    def __init__(
        self, candidate_set: CandidateSet, trained_on: Mapping[str, Sequence[Collection]]
    ) -> None:
        collection, candidates, self.relevant_grade = candidate_set
        self.qrels = collection.qrels(Split.TEST)
        self.lists = candidate_lists(collection, candidates, Split.TEST)
        self.passages = collection.passages.judged(self.qrels)
        self.trained_on = trained_on
        manifest = read_checked_json(candidates.with_suffix(".manifest.json"))
        self.manifest: dict[str, Any] = manifest["splits"]["test"]
        self.depth = int(manifest["depth"])
        self.positives: dict[Path, Counter[str]] = {}

    def audit(self, system: str, run: Mapping[str, Mapping[str, float]]) -> dict[str, Any] | None:
        """Return the leak audit of a system; None if no system of the set was trained.

        An untrained system is audited against the training positives of the trained ones, so that
        its score on the queries without overlap can be compared with theirs.
        """
        training = self.trained_on.get(system)
        everything = {c.folder: c for group in self.trained_on.values() for c in group}
        sources = training or list(everything.values())
        if not sources:
            return None
        seen = sum((self._positives_of(source) for source in sources), Counter[str]())
        result = audit(run, self.qrels, self.lists, self.passages, seen, self.relevant_grade)
        names = ", ".join(source.folder.name for source in sources)
        return {"trained_on": names if training else f"nothing (held against {names})", **result}

    def first_stage_ties(self) -> dict[str, float]:
        """Return the first stage's nDCG@10 under the worst and the best order of its ties."""
        scores = {q: {c.passage.id: c.score for c in ranked} for q, ranked in self.lists.items()}
        return tie_bounds(["nDCG@10"], self.qrels, scores)["nDCG@10"]._asdict()

    def _positives_of(self, source: Collection) -> Counter[str]:
        if source.folder not in self.positives:
            qrels = source.qrels(Split.TRAIN)
            passages = source.passages.judged(qrels)
            self.positives[source.folder] = training_positives(qrels, passages, TRAINING_GRADE)
        return self.positives[source.folder]
