"""Leak audits of all runs over one candidate set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.leak import audit
from resrank.evaluation.seen_collection import SeenCollection, merged
from resrank.evaluation.ties import tie_bounds
from resrank.io.candidates import candidate_lists
from resrank.io.manifest import read_checked_json
from resrank.records import Split


class LeakAuditor:
    """The judgments, lists and training positives that the leak audits of a candidate set share.

    trained_on: system -> the collections that it was trained on.
    """

    def __init__(
        self, candidate_set: CandidateSet, trained_on: Mapping[str, Sequence[SeenCollection]]
    ) -> None:
        collection, candidates, self.relevant_grade = candidate_set
        self.qrels = collection.qrels(Split.TEST)
        self.lists = candidate_lists(collection, candidates, Split.TEST)
        self.passages = collection.passages.judged(self.qrels)
        self.trained_on = trained_on
        manifest = read_checked_json(candidates.with_suffix(".manifest.json"))
        self.manifest: dict[str, Any] = manifest["splits"]["test"]
        self.depth = int(manifest["depth"])
        self.everything = merged(s for sources in trained_on.values() for s in sources)
        self.positives: dict[Path, Counter[str]] = {}
        self.unlabelled: dict[tuple[Path, int], frozenset[str]] = {}

    def audit(self, system: str, run: Mapping[str, Mapping[str, float]]) -> dict[str, Any] | None:
        """Return the leak audit of a system; None if no system of the set was trained.

        An untrained system is audited against the training positives of the trained ones, so that
        its score on the queries without overlap can be compared with theirs.
        """
        training = self.trained_on.get(system)
        sources = training or self.everything
        if not sources:
            return None
        seen = sum((self._positives_of(source) for source in sources), Counter[str]())
        result = audit(run, self.qrels, self.lists, self.passages, seen, self.relevant_grade)
        if any(source.pseudo_queries for source in self.everything):
            result["unlabelled_overlap"] = self._unlabelled_overlap(sources)
        names = ", ".join(source.name for source in sources)
        return {"trained_on": names if training else f"nothing (held against {names})", **result}

    def first_stage_ties(self) -> dict[str, float]:
        """Return the first stage's nDCG@10 under the worst and the best order of its ties."""
        scores = {q: {c.passage.id: c.score for c in ranked} for q, ranked in self.lists.items()}
        return tie_bounds(["nDCG@10"], self.qrels, scores)["nDCG@10"]._asdict()

    def _positives_of(self, source: SeenCollection) -> Counter[str]:
        folder = source.collection.folder
        if not source.labels:
            return Counter()
        if folder not in self.positives:
            self.positives[folder] = source.positives()
        return self.positives[folder]

    def _unlabelled_overlap(self, sources: Sequence[SeenCollection]) -> float:
        """Return the share of test positives that were relevant to a pseudo-query, by text."""
        positives = {
            p: self.passages[p].text
            for grades in self.qrels.values()
            for p, grade in grades.items()
            if grade >= self.relevant_grade and p in self.passages
        }
        read = frozenset[str]().union(*map(self._unlabelled_of, sources))
        return sum(text in read for text in positives.values()) / max(1, len(positives))

    def _unlabelled_of(self, source: SeenCollection) -> frozenset[str]:
        key = (source.collection.folder, source.pseudo_queries)
        if key not in self.unlabelled:
            self.unlabelled[key] = source.unlabelled()
        return self.unlabelled[key]
