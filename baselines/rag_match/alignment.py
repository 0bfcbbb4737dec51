"""Stage II, hierarchical reasoning alignment: learn the teacher's traces and the grades.

The grade is learned twice: at the end of a trace, and without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from baselines.rag_match.learner import Learner, StageTask
from baselines.rag_match.options import AlignmentStage
from baselines.rag_match.pairs import GradedPair, balanced
from baselines.rag_match.sequences import answered
from baselines.rag_match.teacher import TraceTeacher
from baselines.rag_match.usable_traces import usable_traces
from resrank.records import TrainingExample
from resrank.training.mixture import choose, share
from resrank.training.options import TrainingStage
from resrank.training.query_use import report_queries


class TracedPair(NamedTuple):
    """A pair and the text of the trace that leads to its grade, None without one."""

    pair: GradedPair
    trace: str | None


def learn_to_judge(
    learner: Learner,
    stage: AlignmentStage,
    examples: Sequence[TrainingExample],
    documents: Mapping[str, str],
    teacher: TraceTeacher,
) -> dict[str, Any]:
    """Fit the model in place; return the numbers of pairs and traces learned, and of defects.

    documents: query id -> document for the teacher. Where a trace is malformed or has another grade
    than the pair, the pair's grade alone is learned. Raises ValueError if there is no pair.
    """
    shared = share(examples, *stage.share)
    kept = choose(shared, stage.max_queries, learner.rng(2))
    about = TrainingStage(share=stage.share, max_queries=stage.max_queries)
    report_queries("alignment", about, examples, shared, kept)
    pairs = balanced(kept, stage.pairs, learner.rng(2, 1))
    if not pairs:
        raise ValueError(
            f"none of {len(kept)} training queries of stage two has a graded passage with a text; "
            "train on more queries or with a better first stage"
        )
    items, counts = _with_traces(learner, stage, pairs, documents, teacher)
    weights = {"label": stage.label_weight}
    has_traces = bool(counts)
    if has_traces:
        weights |= {"trace": stage.trace_weight}

    def losses(batch: Sequence[TracedPair], batch_size: int) -> Tensor:
        parts = [learner.label_loss([item.pair for item in batch])]
        if has_traces:
            parts.append(_trace_loss(learner, batch, parts[0].new_zeros(())))
        return torch.stack(parts) / batch_size

    task = StageTask(
        "alignment",
        items,
        stage.batch_pairs,
        weights,
        losses,
        lambda item: item.pair.query_id,
    )
    learner.fit(stage, task)
    of_grade = Counter(pair.grade for pair in pairs)
    return {
        "pairs": len(pairs),
        "of_grade": {str(grade): number for grade, number in sorted(of_grade.items())},
    } | counts


def _with_traces(
    learner: Learner,
    stage: AlignmentStage,
    pairs: Sequence[GradedPair],
    documents: Mapping[str, str],
    teacher: TraceTeacher,
) -> tuple[list[TracedPair], dict[str, Any]]:
    """Return each pair with its trace, and the teacher's counts; empty if no pair was drawn."""
    order = learner.rng(2, 2).permutation(len(pairs))
    drawn = sorted(order[: round(stage.traced * len(pairs))])
    if not drawn:
        return [TracedPair(pair, None) for pair in pairs], {}
    traces, counts = usable_traces([pairs[place] for place in drawn], documents, teacher)
    by_place = dict(zip(drawn, traces, strict=True))
    return [TracedPair(pair, by_place.get(place)) for place, pair in enumerate(pairs)], counts


def _trace_loss(learner: Learner, batch: Sequence[TracedPair], zero: Tensor) -> Tensor:
    """Return the sum of the traces' losses, each a mean over the trace's tokens, a scalar."""
    items = [
        answered(learner.model, learner.judge.prompt_of(p.query, p.passage.text).prompt, trace)
        for p, trace in batch
        if trace
    ]
    log_probabilities = learner.likelihood(items) if items else []
    return zero - sum((tokens.mean() for tokens in log_probabilities), start=zero)
