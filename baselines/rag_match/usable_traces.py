"""The teacher's traces that may be learned: those that lead to the pair's grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.teacher import DocumentedPair, TraceTeacher
from baselines.rag_match.trace import Malformed, Trace, count_defects


def usable_traces(
    pairs: Sequence[GradedPair], documents: Mapping[str, str], teacher: TraceTeacher
) -> tuple[list[str | None], dict[str, Any]]:
    """Return the text of each pair's trace, and the counts of usable and of rejected traces.

    A trace is None where it is malformed or has another grade than the pair. documents: query id
    -> document; a missing one counts as empty.
    """
    answers = teacher([DocumentedPair(pair, documents.get(pair.query_id, "")) for pair in pairs])
    traces = [
        trace.text() if isinstance(trace, Trace) and trace.grade == pair.grade else None
        for pair, trace in zip(pairs, answers, strict=True)
    ]
    malformed = sum(isinstance(answer, Malformed) for answer in answers)
    usable = sum(trace is not None for trace in traces)
    return traces, {
        "traces": usable,
        "malformed_traces": malformed,
        "defects": count_defects(answers),
        "traces_of_another_grade": len(pairs) - usable - malformed,
    }
