"""The verb `evaluate`: any run against any qrels, with the audits that a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from resrank.evaluation.audits import lists_with_ties, short_lists
from resrank.evaluation.metrics import averages, has_ties, per_query, trec_order
from resrank.evaluation.ties import Bounds, broken, tie_bounds
from resrank.io.trec import read_qrels, read_run


@dataclass(frozen=True)
class Evaluation:
    """Metrics averaged over every judged query, and what to know before trusting them."""

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
        """Plain values, rounded to four decimals."""
        bounds = {n: b._asdict() for n, b in self.tie_bounds.items()}
        return asdict(self) | {
            "metrics": {n: round(v, 4) for n, v in self.metrics.items()},
            "tie_bounds": {n: {k: round(v, 4) for k, v in b.items()} for n, b in bounds.items()},
        } | {
            name: round(getattr(self, name), 4)
            for name in ("judged_at_10", "recall_at_depth", "oracle_ndcg_at_10")
        }  # fmt: skip

    def to_text(self) -> str:
        """A line a value."""
        lines = [f"{name:<28}{value:.4f}" for name, value in self.metrics.items()]
        lines += [
            f"{'judged queries':<28}{self.judged_queries}",
            f"{'missing from the run':<28}{self.missing_queries}  (each counts 0)",
            f"{'in the run, not judged':<28}{self.unjudged_queries}  (left out)",
            f"{'ties within the first ten':<28}{self.queries_with_ties_in_first_10} queries  "
            "(broken by passage id, as by trec_eval)",
        ]
        lines += [
            f"{f'  {name}, ties broken':<28}{low:.4f} against the run, {high:.4f} for it"
            for name, (low, high) in self.tie_bounds.items()
            if round(low, 4) != round(high, 4)
        ]
        lines += [
            f"{'judged in the first ten':<28}{self.judged_at_10:.4f}",
            f"{f'lists shorter than {self.depth}':<28}{self.lists_shorter_than_depth}",
            f"{f'Recall@{self.depth}':<28}{self.recall_at_depth:.4f}  (of the lists)",
            f"{'oracle nDCG@10':<28}{self.oracle_ndcg_at_10:.4f}  (the lists in perfect order)",
        ]
        return "\n".join(lines)


def evaluate(
    qrels_path: Path, run_path: Path, metrics: Sequence[str], depth: int = 100
) -> Evaluation:
    """Score a TREC run. Raises ValueError on an unknown metric or an unusable file."""
    qrels, run = read_qrels(qrels_path), read_run(run_path)
    judged = {q: run[q] for q in qrels if q in run}
    if not judged:
        raise ValueError(
            f"no query of {run_path} is judged in {qrels_path} "
            f"(run: {next(iter(run))!r}, qrels: {next(iter(qrels))!r}); are they of one collection?"
        )
    plain = {q: dict(found) for q, found in judged.items()}
    recall, shown = f"Recall@{depth}", "Judged@10"
    tied = any(has_ties(found.values()) for found in plain.values())
    means = averages(per_query([*metrics, recall, shown], qrels, plain))
    perfect = broken({q: _alike(found, depth) for q, found in plain.items()}, qrels, 1)
    return Evaluation(
        metrics={name: means[name] for name in metrics},
        judged_queries=len(qrels),
        missing_queries=len(qrels) - len(judged),
        unjudged_queries=len(run) - len(judged),
        queries_with_ties_in_first_10=lists_with_ties(judged.values(), 10),
        tie_bounds=tie_bounds(metrics, qrels, plain)
        if tied
        else {name: Bounds(means[name], means[name]) for name in metrics},
        judged_at_10=means[shown],
        lists_shorter_than_depth=short_lists(judged.values(), depth),
        depth=depth,
        recall_at_depth=means[recall],
        oracle_ndcg_at_10=averages(per_query(["nDCG@10"], qrels, perfect))["nDCG@10"],
    )


def _alike(found: Mapping[str, float], depth: int) -> dict[str, float]:
    """The first `depth` passages of a list, their scores all the same."""
    first = found if len(found) <= depth else trec_order(found.items())[:depth]
    return dict.fromkeys(first, 0.0)
