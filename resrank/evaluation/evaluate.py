"""The verb `evaluate`: any run against any qrels, with the audits that a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from resrank.evaluation.audits import lists_with_ties, short_lists
from resrank.evaluation.metrics import averages, per_query
from resrank.trec import read_qrels, read_run


@dataclass(frozen=True)
class Evaluation:
    """Metrics averaged over every judged query, and what to know before trusting them."""

    metrics: Mapping[str, float]
    judged_queries: int
    missing_queries: int
    unjudged_queries: int
    queries_with_ties_in_first_10: int
    lists_shorter_than_depth: int
    depth: int

    def to_dict(self) -> dict[str, object]:
        """Plain values, metrics rounded to four decimals."""
        return asdict(self) | {"metrics": {n: round(v, 4) for n, v in self.metrics.items()}}

    def to_text(self) -> str:
        """A line a value."""
        lines = [f"{name:<28}{value:.4f}" for name, value in self.metrics.items()]
        lines += [
            f"{'judged queries':<28}{self.judged_queries}",
            f"{'missing from the run':<28}{self.missing_queries}  (each counts 0)",
            f"{'in the run, not judged':<28}{self.unjudged_queries}  (left out)",
            f"{'ties within the first ten':<28}{self.queries_with_ties_in_first_10} queries  "
            "(broken by passage id, as by trec_eval)",
            f"{f'lists shorter than {self.depth}':<28}{self.lists_shorter_than_depth}",
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
    scores = per_query(metrics, qrels, {q: dict(found) for q, found in judged.items()})
    return Evaluation(
        metrics=averages(scores),
        judged_queries=len(qrels),
        missing_queries=len(qrels) - len(judged),
        unjudged_queries=len(run) - len(judged),
        queries_with_ties_in_first_10=lists_with_ties(judged.values(), 10),
        lists_shorter_than_depth=short_lists(judged.values(), depth),
        depth=depth,
    )
