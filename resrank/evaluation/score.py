"""Scores of every run over one candidate set, per query, with the audits beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from resrank.evaluation.audits import lists_with_ties, short_lists, unjudged_share
from resrank.evaluation.leak import audit, training_positives
from resrank.evaluation.metrics import per_query
from resrank.evaluation.ties import tie_bounds
from resrank.io.atomic import atomic_file
from resrank.io.candidate_lists import candidate_lists
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import check_run, write_manifest, write_sealed
from resrank.io.parquet import read_columns, write_table
from resrank.io.run import encoder_run, usage_of
from resrank.io.seals import read_sealed
from resrank.io.trec import read_run
from resrank.records import Split

SCHEMA = pa.schema(
    [("system", pa.string()), ("seed", pa.int32()), ("query_id", pa.string()),
     ("metric", pa.string()), ("value", pa.float64())]
)  # fmt: skip
ENCODER = "encoder "  # in front of a metric: of the ranking by the system's own encoder
COUNTED = ["truncated_passages", "repaired_answers", "rejected_answers"]
Runs = Mapping[tuple[str, int], Path]


def score_runs(
    collection: Collection,
    candidates: Path,
    runs: Runs,
    metrics: Sequence[str],
    relevant_grade: int,
    trained_on: Mapping[str, Sequence[Collection]],
    out: Path,
    audits: Path,
) -> None:
    """Score runs keyed by (system, seed); `trained_on` names the collections a system learned from.

    Writes `out` (parquet: system, seed, query_id, metric, value) and `audits` (JSON). Metrics of
    the ranking by a system's own encoder have `ENCODER` in front of their name.
    """
    qrels = collection.qrels(Split.TEST)
    rows = []
    judged = []
    audit_of = _Auditor(collection, candidates, relevant_grade, trained_on)
    for (system, seed), path in sorted(runs.items()):
        check_run(path)
        written = read_run(path)
        run = {q: found for q, found in written.items() if q in qrels}
        plain = {q: dict(found) for q, found in run.items()}
        for metric, query_id, value in per_query(metrics, qrels, plain, relevant_grade):
            rows.append((system, seed, query_id, metric, value))
        if encoder_run(path).is_file():
            own = {q: dict(f) for q, f in read_run(encoder_run(path)).items() if q in qrels}
            for metric, query_id, value in per_query(metrics, qrels, own, relevant_grade):
                rows.append((system, seed, query_id, f"{ENCODER}{metric}", value))
        judged.append(
            {
                "system": system,
                "seed": seed,
                "missing_queries": len(qrels) - len(run),
                "unjudged_queries": len(written) - len(run),
                "short_lists": short_lists([run.get(q, []) for q in qrels], audit_of.depth),
                "ties_top10": lists_with_ties(run.values(), 10),
                "unjudged_top10": unjudged_share(run, qrels, 10),
                **_counted(path),
                "leak": audit_of(system, plain),
            }
        )
    columns = {name: [row[i] for row in rows] for i, name in enumerate(SCHEMA.names)}
    with atomic_file(out) as partial:
        write_table(partial, pa.table(columns, SCHEMA))
    write_sealed(
        audits,
        {"judged_queries": len(qrels), "candidates": audit_of.manifest,
         "ties": audit_of.ties(), "systems": judged},
    )  # fmt: skip
    inputs: dict[str, Path | str] = {f"{s}/seed{k}": path for (s, k), path in runs.items()}
    inputs |= {"candidates": candidates, "collection": collection.hash}
    inputs |= {f"trained on {c.folder.name}": c.hash for f in trained_on.values() for c in f}
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs,
        config={"metrics": list(metrics), "relevant_grade": relevant_grade},
        judged_queries=len(qrels),
        outputs={path.name: sha256_file(path) for path in (out, audits)},
    )


class _Auditor:
    """What the leak audits of one candidate set share."""

    def __init__(
        self,
        collection: Collection,
        candidates: Path,
        relevant_grade: int,
        trained_on: Mapping[str, Sequence[Collection]],
    ) -> None:
        self.qrels = collection.qrels(Split.TEST)
        self.lists = candidate_lists(collection, candidates, Split.TEST)
        self.passages = collection.passages.judged(self.qrels)
        self.relevant_grade = relevant_grade
        self.trained_on = trained_on
        manifest = read_sealed(candidates.with_suffix(".manifest.json"))
        self.manifest: dict[str, Any] = manifest["splits"]["test"]
        self.depth = int(manifest["depth"])
        self.seen: dict[Path, Counter[str]] = {}

    def __call__(self, system: str, run: Mapping[str, Mapping[str, float]]) -> Any:
        """The leak audit of a system against what it learned from; None if no system learned.

        One that was not trained is held against what the others learned from, so that its score
        on the queries without overlap stands beside theirs.
        """
        learned = self.trained_on.get(system)
        everything = {s.folder: s for found in self.trained_on.values() for s in found}
        sources = learned or list(everything.values())
        if not sources:
            return None
        seen = sum((self._seen_in(source) for source in sources), Counter[str]())
        found = audit(run, self.qrels, self.lists, self.passages, seen, self.relevant_grade)
        names = ", ".join(source.folder.name for source in sources)
        return {"trained_on": names if learned else f"nothing (held against {names})", **found}

    def ties(self) -> dict[str, float]:
        """The first stage's own nDCG@10 under the worst and the best order of its ties."""
        scores = {q: {c.passage.id: c.score for c in found} for q, found in self.lists.items()}
        return tie_bounds(["nDCG@10"], self.qrels, scores)["nDCG@10"]._asdict()

    def _seen_in(self, source: Collection) -> Counter[str]:
        if source.folder not in self.seen:
            qrels = source.qrels(Split.TRAIN)
            passages = source.passages.judged(qrels)
            self.seen[source.folder] = training_positives(qrels, passages, 1)
        return self.seen[source.folder]


def _counted(run: Path) -> dict[str, int]:
    """What a run's usage says of texts cut and answers that were not as asked for."""
    path = usage_of(run)
    if not path.is_file():
        raise ValueError(f"{run} has no usage beside it ({path.name}); `rerank` writes both")
    usage = read_columns(path, COUNTED)
    return {name: int(sum(usage[name].to_pylist())) for name in COUNTED}
