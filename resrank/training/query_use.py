"""The line in a training job's log: how many queries a phase uses, and why others are dropped."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from resrank.records import TrainingExample
from resrank.training.mixture import share
from resrank.training.options import TrainingStage
from resrank.training.processes import processes


def report_queries(
    phase: str,
    stage: TrainingStage,
    examples: Sequence[TrainingExample],
    usable: Sequence[TrainingExample],
    chosen: Sequence[TrainingExample],
) -> None:
    """Print how many training queries a phase uses, and why the others are dropped.

    examples: all training queries. usable: those of the stage's share that teach something. chosen:
    those of an epoch; a mixture may repeat some.
    """
    print_use(phase, _ids(chosen), len(examples), dropped(stage, examples, usable, chosen))


def dropped(
    stage: TrainingStage,
    examples: Sequence[TrainingExample],
    usable: Sequence[TrainingExample],
    chosen: Sequence[TrainingExample],
) -> dict[str, int]:
    """Return the number of dropped queries by reason, without reasons that drop none."""
    shared, kept = share(examples, *stage.share), _ids(usable)
    reasons = Counter(_reason(stage, e) for e in shared if e.query.id not in kept)
    limit = "the mixture's weights" if stage.max_queries is None else "`max_queries`"
    counts = {f"outside of share {list(stage.share)}": len(examples) - len(shared), **reasons}
    counts[f"left out by {limit}"] = len(kept - _ids(chosen))
    return {reason: count for reason, count in counts.items() if count}


def print_use(phase: str, used: set[str], total: int, reasons: Mapping[str, int]) -> None:
    """Print one line to stderr, which a job's log holds; only the main process does."""
    if not processes().is_main:
        return
    line = f"{phase}: {len(used):,} of {total:,} training queries used"
    if reasons:
        parts = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        line += f"; dropped: {parts}"
    print(line, file=sys.stderr, flush=True)


def _reason(stage: TrainingStage, example: TrainingExample) -> str:
    """Return why a query of a stage's share teaches nothing."""
    if not example.candidates:
        return "without candidates"
    if stage.teacher is not None:
        return "without an ordering by the teacher"
    if stage.negatives == "sampled":
        return "without a relevant passage"
    return "without passages of different grades in the list"


def _ids(examples: Sequence[TrainingExample]) -> set[str]:
    return {example.query.id for example in examples}
