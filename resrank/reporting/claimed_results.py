"""The results in a suite's folder that answer a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resrank.evaluation.claims import Claim, SuiteResult
from resrank.evaluation.metrics import per_query
from resrank.evaluation.resampling import Values
from resrank.evaluation.seed_scores import read_scores, seed_values
from resrank.evaluation.verdicts import Measured
from resrank.io.collection import Collection
from resrank.io.parquet import column_names, read_columns
from resrank.io.trec import read_run
from resrank.records import Split
from resrank.reporting.results import read_json


class NotRun(Exception):
    """A suite's folder does not hold the result; the message names what is missing."""


class NotComparable(Exception):
    """A suite's folder holds the result, but not under the claim's conditions."""


class ScoredQueries(NamedTuple):
    """A system's values on one collection.

    ids: of the queries; empty for what queries consume. values: (seeds, queries).
    has_candidates: (queries,).
    """

    ids: Sequence[str]
    values: Values
    has_candidates: Values


def measured(claim: Claim, result: SuiteResult, root: Path) -> Measured:
    """Return a result's values on each of its collections.

    Raises NotRun if one is missing, and NotComparable if it has other candidates, queries or
    another prompt than the claim.
    """
    scored = [_scored(claim, result, name, n, root) for name, n in result.collections.items()]
    whole = [one.values for one in scored]
    part = [one.values[:, one.has_candidates.astype(bool)] for one in scored]
    judged, counted = (sum(values.shape[-1] for values in each) for each in (whole, part))
    used, unused = (part, whole) if claim.over == "with_candidates" else (whole, part)
    published = None
    if claim.published_run and Path(claim.published_run).is_file():
        published = _published(claim, result, scored[0], root)
    other = Measured(unused).by_seed.mean() if judged != counted else None
    if not scored[0].ids:
        return Measured(used)
    return Measured(used, published, judged, counted, other)


def _scored(
    claim: Claim, result: SuiteResult, dataset: str, queries: int, root: Path
) -> ScoredQueries:
    """Return the values on one collection, once its conditions are those of the claim."""
    stage, quantity = result.first_stage, claim.quantity
    scores = root / "scores" / dataset / f"{stage}.parquet"
    if not scores.is_file():
        raise NotRun(f"no {dataset} under {stage}")
    rows = [row for row in read_scores(scores, quantity) if row[0] == result.system]
    runs = root / "runs" / dataset / stage / result.system
    values = seed_values(rows, quantity)[result.system] if rows else _usage(runs, quantity)
    if values is None:
        raise NotRun(f"no {quantity} of {result.system} on {dataset}")
    candidates = root / "candidates" / dataset / f"{stage}.parquet"
    depth = read_json(candidates.with_suffix(".manifest.json"))["depth"]
    if depth != result.depth:
        raise NotComparable(f"{dataset}: {depth} candidates, not {result.depth}")
    if values.shape[-1] != queries:
        raise NotComparable(f"{dataset}: {values.shape[-1]} queries, not {queries}")
    _check_prompt(claim, result, dataset, runs)
    ids = sorted({row[2] for row in rows})
    listed = set(read_columns(candidates, ["query_id"])["query_id"].to_pylist()) if ids else set()
    has_candidates = np.array([q in listed for q in ids] or [True] * values.shape[-1])
    return ScoredQueries(ids, values, has_candidates)


def _check_prompt(claim: Claim, result: SuiteResult, dataset: str, runs: Path) -> None:
    """Raise NotComparable if a run's prompt is not the claim's."""
    if claim.prompt_hash is None:
        return
    for path in sorted(runs.glob("seed*.manifest.json")):
        used = read_json(path).get("about", {}).get("prompt_hash")
        if used != claim.prompt_hash:
            raise NotComparable(
                f"{result.system} on {dataset}: its prompt has the hash {str(used)[:8]}, not "
                f"{claim.prompt_hash[:8]} ({claim.prompt})"
            )


def _published(claim: Claim, result: SuiteResult, scored: ScoredQueries, root: Path) -> Values:
    """Return the values of the source's own run on the claim's queries.

    Raises NotComparable if its mean is not the published figure.
    """
    (dataset,) = result.collections
    folder = root / "scores" / dataset
    grade = read_json(folder / f"{result.first_stage}.manifest.json")["config"]["relevant_grade"]
    qrels = Collection(root / "collections" / dataset).qrels(Split.TEST)
    run = {q: dict(ranked) for q, ranked in read_run(Path(str(claim.published_run))).items()}
    by_query = _by_query(claim.quantity, {q: qrels[q] for q in scored.ids}, run, grade)
    values = np.array([by_query[query] for query in scored.ids])
    if claim.over == "with_candidates":
        values = values[scored.has_candidates.astype(bool)]
    if abs(values.mean() - claim.value) > max(claim.tolerance, 0.00005):
        raise NotComparable(
            f"the run at {claim.published_run} has {values.mean():.4f}, not the published "
            f"{claim.value}"
        )
    return values


def _by_query(
    metric: str,
    qrels: Mapping[str, Mapping[str, int]],
    run: Mapping[str, Mapping[str, float]],
    relevant_grade: int,
) -> dict[str, float]:
    return {q: value for _, q, value in per_query([metric], qrels, run, relevant_grade)}


def _usage(folder: Path, column: str) -> Values | None:
    """Return a system's usage counter, (seeds, queries); None if it has no such run or column."""
    files = sorted(folder.glob("seed*.usage.parquet"))
    if not files or column not in column_names(files[0]):
        return None
    return np.array([read_columns(f, [column])[column].to_numpy() for f in files], float)
