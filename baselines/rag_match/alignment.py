"""Stage II: the model learns the teacher's traces, and the grade behind and without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from baselines.rag_match.learner import Learner
from baselines.rag_match.options import Alignment
from baselines.rag_match.pairs import Pair, balanced
from baselines.rag_match.sequences import answered
from baselines.rag_match.teacher import Asked, Teaches
from baselines.rag_match.trace import Malformed, Trace, defects
from resrank.records import TrainingExample
from resrank.training.lists import choose, share


class Lesson(NamedTuple):
    """A pair with the trace that leads to its grade, if there is one."""

    pair: Pair
    trace: str | None


def learn_to_judge(
    learner: Learner, stage: Alignment, examples: Sequence[TrainingExample],
    documents: Mapping[str, str], teacher: Teaches,
) -> dict[str, Any]:  # fmt: skip
    """Fit in place; returns how many pairs and traces were learned, and what was wrong with others.

    documents: query id -> the document that the teacher is shown. A trace that is malformed, or of
    another grade than the pair's, is not learned; the pair's grade is.
    """
    kept = choose(share(examples, *stage.share), stage.max_queries, learner.rng(2))
    pairs = balanced(kept, stage.pairs, learner.rng(2, 1))
    if not pairs:
        raise ValueError(
            f"none of {len(kept)} training queries of stage two has a graded passage with a text; "
            "train on more queries or with a better first stage"
        )
    order = learner.rng(2, 2).permutation(len(pairs))
    traced = sorted(order[: round(stage.traced * len(pairs))])
    traces, counts = (
        taught([pairs[place] for place in traced], documents, teacher) if traced else ([], {})
    )
    told = dict(zip(traced, traces, strict=True))
    lessons = [Lesson(pair, told.get(place)) for place, pair in enumerate(pairs)]
    weights = {"label": stage.label_weight}
    if traced:
        weights |= {"trace": stage.trace_weight}

    def losses(batch: Sequence[Lesson], whole: int) -> Tensor:
        parts = [learner.label_loss([lesson.pair for lesson in batch])]
        if traced:
            parts.append(_trace_loss(learner, batch, parts[0].new_zeros(())))
        return torch.stack(parts) / whole

    learner.fit(
        "alignment", stage, lessons, stage.batch_pairs, weights, losses,
        lambda lesson: lesson.pair.query_id,
    )  # fmt: skip
    of_grade = Counter(pair.grade for pair in pairs)
    return {
        "pairs": len(pairs),
        "of_grade": {str(g): n for g, n in sorted(of_grade.items())},
    } | counts


def _trace_loss(learner: Learner, batch: Sequence[Lesson], zero: Tensor) -> Tensor:
    """The sum of the traces' losses, each a mean over its tokens."""
    told = [
        answered(learner.model, learner.judge.show(p.query, p.passage.text).prompt, trace)
        for p, trace in batch
        if trace
    ]
    found = learner.likelihood(told) if told else []
    return zero - sum((tokens.mean() for tokens in found), start=zero)


def taught(
    pairs: Sequence[Pair], documents: Mapping[str, str], teacher: Teaches
) -> tuple[list[str | None], dict[str, Any]]:
    """The trace to learn for each pair, None where there is none, and what was counted."""
    answers = teacher([Asked(pair, documents.get(pair.query_id, "")) for pair in pairs])
    kept = [
        trace.text() if isinstance(trace, Trace) and trace.grade == pair.grade else None
        for pair, trace in zip(pairs, answers, strict=True)
    ]
    malformed = sum(isinstance(answer, Malformed) for answer in answers)
    right = sum(trace is not None for trace in kept)
    counts = {"traces": right, "malformed_traces": malformed, "defects": defects(answers)}
    return kept, counts | {"traces_of_another_grade": len(pairs) - right - malformed}
