"""Scores per query of every run over one candidate set, with audits beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from resrank.evaluation.audits import ScoredList, lists_with_ties, short_lists, unjudged_share
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.leak_auditor import LeakAuditor
from resrank.evaluation.metrics import per_query
from resrank.evaluation.seen_collection import SeenCollection
from resrank.io.atomic import atomic_file
from resrank.io.manifest import check_run, write_checked_json, write_manifest
from resrank.io.parquet import column_names, read_columns, write_table
from resrank.io.run import TIED, encoder_run, usage_of
from resrank.io.trec import read_run
from resrank.records import Qrels

FIELDS = {
    "system": pa.string(),
    "seed": pa.int32(),
    "query_id": pa.string(),
    "metric": pa.string(),
    "value": pa.float64(),
}
SCHEMA = pa.schema(list(FIELDS.items()))
ENCODER = "encoder "  # prefix of a metric that scores the ranking of the system's encoder alone
COUNTED = ["truncated_passages", "repaired_answers", "rejected_answers"]
RunPaths = Mapping[tuple[str, int], Path]
"""(system, seed) -> the run's TREC file."""
QueryRow = tuple[str, str, float]
"""(query id, metric, value)."""


def score_runs(
    candidate_set: CandidateSet,
    runs: RunPaths,
    metrics: Sequence[str],
    trained_on: Mapping[str, Sequence[SeenCollection]],
    out: Path,
    audits: Path,
) -> None:
    """Score runs per query and audit them.

    trained_on: system -> the collections that it was trained on. Writes `out` (parquet: system,
    seed, query_id, metric, value) and `audits` (JSON). Metrics of the ranking by a system's encoder
    alone have the prefix `ENCODER`.
    """
    auditor = LeakAuditor(candidate_set, trained_on)
    rows, audited = [], []
    for (system, seed), path in sorted(runs.items()):
        check_run(path)
        run = read_run(path)
        scores = _scores(path, run, auditor.qrels, metrics, candidate_set.relevant_grade)
        rows += [(system, seed, *row) for row in scores]
        audited.append({"system": system, "seed": seed} | _audit(system, path, run, auditor))
    _write_scores(out, rows)
    write_checked_json(
        audits,
        {
            "judged_queries": len(auditor.qrels),
            "candidates": auditor.manifest,
            "ties": auditor.first_stage_ties(),
            "systems": audited,
        },
    )
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=_inputs(candidate_set, runs, trained_on),
        config={"metrics": list(metrics), "relevant_grade": candidate_set.relevant_grade},
        judged_queries=len(auditor.qrels),
        outputs=[out, audits],
    )


def _scores(
    path: Path,
    run: Mapping[str, ScoredList],
    qrels: Qrels,
    metrics: Sequence[str],
    relevant_grade: int,
) -> Iterator[QueryRow]:
    """Yield the scores of a run, then those of its encoder's ranking if there is one."""
    rankings = [("", run)]
    if encoder_run(path).is_file():
        rankings.append((ENCODER, read_run(encoder_run(path))))
    for prefix, ranking in rankings:
        judged = {q: dict(ranking[q]) for q in ranking if q in qrels}
        for metric, query_id, value in per_query(metrics, qrels, judged, relevant_grade):
            yield query_id, f"{prefix}{metric}", value


def _audit(
    system: str, path: Path, run: Mapping[str, ScoredList], auditor: LeakAuditor
) -> dict[str, Any]:
    qrels = auditor.qrels
    judged = {q: ranked for q, ranked in run.items() if q in qrels}
    return {
        "missing_queries": len(qrels) - len(judged),
        "unjudged_queries": len(run) - len(judged),
        "short_lists": short_lists([judged.get(q, []) for q in qrels], auditor.depth),
        "ties_top10": lists_with_ties(judged.values(), 10),
        "unjudged_top10": unjudged_share(judged, qrels, 10),
        **_usage_counts(path),
        "leak": auditor.audit(system, {q: dict(ranked) for q, ranked in judged.items()}),
    }


def _usage_counts(run: Path) -> dict[str, int | None]:
    """Return how many texts were cut, answers repaired or rejected and scores equal, by a run.

    The number of equal scores is None where the system gave no scores, or the run did not count.
    """
    path = usage_of(run)
    if not path.is_file():
        raise ValueError(f"{run} has no usage file beside it ({path.name}); `rerank` writes both")
    counted = [*COUNTED, TIED] if TIED in column_names(path) else COUNTED
    usage = read_columns(path, counted)
    counts: dict[str, int | None] = {n: int(sum(usage[n].to_pylist())) for n in COUNTED}
    tied = [n for n in usage[TIED].to_pylist() if n is not None] if TIED in counted else []
    return counts | {TIED: sum(tied) if tied else None}


def _write_scores(out: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(SCHEMA.names)}
    with atomic_file(out) as partial:
        write_table(partial, pa.table(columns, SCHEMA))


def _inputs(
    candidate_set: CandidateSet,
    runs: RunPaths,
    trained_on: Mapping[str, Sequence[SeenCollection]],
) -> dict[str, Path | str]:
    collection = candidate_set.collection
    inputs: dict[str, Path | str] = {f"{s}/seed{k}": path for (s, k), path in runs.items()}
    inputs |= {"candidates": candidate_set.candidates, "collection": collection.hash}
    return inputs | {
        f"trained on {source.collection.folder.name}": source.collection.hash
        for sources in trained_on.values()
        for source in sources
    }
