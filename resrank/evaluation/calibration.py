"""Calibration of a system's grades: bias, order of pairs, confidence and confusion.

The pairs are of a query and a judged passage, with three grades. The predicted grade is the most
probable one; of two equally probable grades, the lower. docs/statistics.md has the definitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.grades import Probabilities, grades_of, read_grades
from resrank.io.manifest import write_checked_json, write_manifest
from resrank.records import GRADES, Qrels, Split

BINS = 10  # of confidence, of equal width


class Judged(NamedTuple):
    """A query's judged passages, best first: true grades (n,), probabilities (n, GRADES)."""

    true: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def calibrate_runs(
    collection: Collection, candidates: Path, runs: Mapping[tuple[str, int], Path], out: Path
) -> None:
    """Write the measures of runs by (system, seed) as JSON.

    Pairs without a judgment are left out, or have the lowest grade where the collection's judgments
    are complete; both are counted. Raises ValueError if a run lacks three grades.
    """
    lists = {
        query_id: [passage_id for passage_id, _ in ranked]
        for query_id, ranked in read_candidates(candidates).items()
    }
    judged, stated = collection.graded(lists, Split.TEST), collection.graded({}, Split.TEST)
    systems = []
    for (system, seed), path in sorted(runs.items()):
        grades = _read(path)
        unjudged = _unjudged(judged, grades)
        counts = {"not_judged": unjudged, "taken_for_0": _unjudged(stated, grades) - unjudged}
        about = {"system": system, "seed": seed} | counts
        systems.append(about | measures(_by_query(judged, grades)))
    write_checked_json(out, {"judged_queries": len(judged), "systems": systems})
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs={f"{s}/seed{k}": grades_of(path) for (s, k), path in runs.items()}
        | {"candidates": candidates, "collection": collection.hash},
        config={n: collection.manifest["config"].get(n) for n in ("grades_from", "complete")},
        outputs=[out],
    )


def measures(lists: Sequence[Judged]) -> dict[str, Any]:
    """Return every measure over the pairs of all queries; None for a measure without pairs.

    lists: one or more queries. pnr and its two counts are over pairs of a query's passages with
    different true grades, in the order of the ranking. pnr is also None if no pair is discordant.
    """
    true = np.concatenate([q.true for q in lists])
    probabilities = np.concatenate([q.probabilities for q in lists])
    predicted = probabilities.argmax(axis=1)
    concordant, discordant = np.sum([pair_order(q.true) for q in lists], axis=0).tolist()
    bins = reliability(probabilities.max(axis=1, initial=0), predicted == true)
    return {
        "queries": sum(len(q.true) > 0 for q in lists),
        "pairs": len(true),
        "true_grades": np.bincount(true, minlength=GRADES).tolist(),
        "over_estimation": _mean(predicted > true),
        "mean_bias": _mean(predicted - true),
        "concordant": concordant,
        "discordant": discordant,
        "pnr": concordant / discordant if discordant else None,
        "npnr": concordant / (concordant + discordant) if concordant + discordant else None,
        "ece": expected_calibration_error(bins),
        "confusion": confusion(true, predicted).tolist(),
        "reliability": bins,
    }


def pair_order(true: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count pairs of passages ranked by falling true grade, and by rising true grade; (2,).

    true: (n,) grades in the order of the ranking, best first. Pairs of equal grades are not
    counted.
    """
    above, below = np.triu_indices(len(true), k=1)
    return np.array([(true[above] > true[below]).sum(), (true[above] < true[below]).sum()])


def confusion(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count pairs by true grade (rows) and predicted grade (columns); (GRADES, GRADES)."""
    counts = np.bincount(true * GRADES + predicted, minlength=GRADES * GRADES)
    return counts.reshape(GRADES, GRADES)


def reliability(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> list[dict[str, float]]:
    """Return the non-empty bins of the predicted grade's probability, each with its upper end.

    A bin has its number (0: the least confident), the number of pairs, the sum of their confidence,
    and how many of them are correct.
    """
    number = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    pairs, sums, right = (
        np.bincount(number, weights, BINS)
        for weights in (np.ones_like(confidence), confidence, correct)
    )
    return [
        {"bin": n, "pairs": int(pairs[n]), "confidence": float(sums[n]), "correct": int(right[n])}
        for n in np.flatnonzero(pairs).tolist()
    ]


def expected_calibration_error(bins: Sequence[Mapping[str, float]]) -> float | None:
    """Return the expected calibration error (Guo et al., 2017); None without pairs.

    It is the distance between a bin's mean confidence and its share of correct pairs, averaged over
    bins with the number of pairs as weight.
    """
    pairs = sum(b["pairs"] for b in bins)
    return sum(abs(b["confidence"] - b["correct"]) for b in bins) / pairs if pairs else None


def _read(run: Path) -> Probabilities:
    path = grades_of(run)
    if not path.is_file():
        raise ValueError(
            f"{run} has no grades beside it ({path.name}); `rerank` writes both for a system that "
            "gives grades"
        )
    probabilities = read_grades(path)
    counts = {len(row) for passages in probabilities.values() for row in passages.values()}
    if counts - {GRADES}:
        raise ValueError(
            f"{path} holds {', '.join(map(str, sorted(counts)))} grades per passage; judgments "
            f"have {GRADES}: 0 not relevant, 1 partly, 2 relevant"
        )
    return probabilities


def _by_query(judged: Qrels, probabilities: Probabilities) -> list[Judged]:
    """Return each judged query's judged passages in the run's order."""
    lists = []
    for query_id, grades in judged.items():
        ranked = probabilities.get(query_id, {}).items()
        rows = [(grades[p], row) for p, row in ranked if p in grades]
        true, predicted = zip(*rows, strict=True) if rows else ((), np.empty((0, GRADES)))
        lists.append(Judged(np.array(true, int), np.array(predicted, float)))
    return lists


def _unjudged(judged: Qrels, probabilities: Probabilities) -> int:
    """Count the pairs of judged queries that a run grades without a judgment."""
    return sum(
        passage_id not in judged[query_id]
        for query_id, passages in probabilities.items()
        if query_id in judged
        for passage_id in passages
    )


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
