"""Evaluation of any run against any qrels, with the audits that a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from resrank.evaluation.audits import lists_with_ties, short_lists
from resrank.evaluation.metrics import averages, has_ties, per_query, trec_order
from resrank.evaluation.ties import Bounds, broken, tie_bounds
from resrank.io.trec import read_qrels, read_run

WIDTH = 28  # of the column of names, in characters


@dataclass(frozen=True)
class Evaluation:
    """Metrics averaged over every judged query, and audits to check before trusting them."""

    metrics: Mapping[str, float]
    judged_queries: int
    missing_queries: int
    unjudged_queries: int
    queries_with_ties_in_first_10: int
    tie_bounds: Mapping[str, Bounds]
    judged_at_10: float
    lists_shorter_than_depth: int
    depth: int
    recall_at_depth: float
    oracle_ndcg_at_10: float

    def to_dict(self) -> dict[str, object]:
        """Return plain values, rounded to four decimals."""
        bounds = {n: b._asdict() for n, b in self.tie_bounds.items()}
        return asdict(self) | {
            "metrics": {n: round(v, 4) for n, v in self.metrics.items()},
            "tie_bounds": {n: {k: round(v, 4) for k, v in b.items()} for n, b in bounds.items()},
            "judged_at_10": round(self.judged_at_10, 4),
            "recall_at_depth": round(self.recall_at_depth, 4),
            "oracle_ndcg_at_10": round(self.oracle_ndcg_at_10, 4),
        }

    def to_text(self) -> str:
        """Return one line per value."""
        rows = [(name, f"{value:.4f}") for name, value in self.metrics.items()]
        rows += [
            ("judged queries", f"{self.judged_queries}"),
            ("missing from the run", f"{self.missing_queries}  (each counts 0)"),
            ("in the run, not judged", f"{self.unjudged_queries}  (left out)"),
            (
                "ties within the first ten",
                f"{self.queries_with_ties_in_first_10} queries  "
                "(broken by passage id, as by trec_eval)",
            ),
        ]
        rows += [
            (f"  {name}, ties broken", f"{low:.4f} against the run, {high:.4f} for it")
            for name, (low, high) in self.tie_bounds.items()
            if round(low, 4) != round(high, 4)
        ]
        rows += [
            ("judged in the first ten", f"{self.judged_at_10:.4f}"),
            (f"lists shorter than {self.depth}", f"{self.lists_shorter_than_depth}"),
            (f"Recall@{self.depth}", f"{self.recall_at_depth:.4f}  (of the lists)"),
            ("oracle nDCG@10", f"{self.oracle_ndcg_at_10:.4f}  (the lists in perfect order)"),
        ]
        return "\n".join(f"{name:<{WIDTH}}{value}" for name, value in rows)


def evaluate(
    qrels_path: Path, run_path: Path, metrics: Sequence[str], depth: int = 100
) -> Evaluation:
    """Score a TREC run. Raises ValueError on an unknown metric or an unusable file."""
    qrels, run = read_qrels(qrels_path), read_run(run_path)
    judged = {q: run[q] for q in qrels if q in run}
    if not judged:
        raise ValueError(
            f"no query of {run_path} is judged in {qrels_path} "
            f"(run: {next(iter(run))!r}, qrels: {next(iter(qrels))!r}); do they belong to one "
            "collection?"
        )
    scores = {q: dict(ranked) for q, ranked in judged.items()}
    if not any(not scores[q].keys().isdisjoint(qrels[q]) for q in scores):
        query, ranked = next((q, ranked) for q, ranked in judged.items() if ranked)
        raise ValueError(
            f"no list of {run_path} holds a passage that {qrels_path} judges for its query (query "
            f"{query!r}: the run has {ranked[0][0]!r}, the qrels {next(iter(qrels[query]))!r}); do "
            "their passage ids have one form?"
        )
    recall, judged_share = f"Recall@{depth}", "Judged@10"
    tied = any(has_ties(passages.values()) for passages in scores.values())
    means = averages(per_query([*metrics, recall, judged_share], qrels, scores))
    perfect = broken({q: _all_tied(passages, depth) for q, passages in scores.items()}, qrels, 1)
    return Evaluation(
        metrics={name: means[name] for name in metrics},
        judged_queries=len(qrels),
        missing_queries=len(qrels) - len(judged),
        unjudged_queries=len(run) - len(judged),
        queries_with_ties_in_first_10=lists_with_ties(judged.values(), 10),
        tie_bounds=tie_bounds(metrics, qrels, scores)
        if tied
        else {name: Bounds(means[name], means[name]) for name in metrics},
        judged_at_10=means[judged_share],
        lists_shorter_than_depth=short_lists(judged.values(), depth),
        depth=depth,
        recall_at_depth=means[recall],
        oracle_ndcg_at_10=averages(per_query(["nDCG@10"], qrels, perfect))["nDCG@10"],
    )


def _all_tied(scores: Mapping[str, float], depth: int) -> dict[str, float]:
    """Return the first `depth` passages of a list with equal scores."""
    first = scores if len(scores) <= depth else trec_order(scores.items())[:depth]
    return dict.fromkeys(first, 0.0)
