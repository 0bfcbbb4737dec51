"""The main table `comparison`: all systems by scores, tokens and times."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.reporting.comparison import VERDICTS
from resrank.reporting.conditions import conditions
from resrank.reporting.statistics import Statistics
from resrank.reporting.tables.column import CANDIDATE_SET, COST, Column
from resrank.reporting.tables.effectiveness import write_effectiveness
from resrank.reporting.tables.estimates import marked_columns, with_footnote
from resrank.reporting.tables.gains import gain_column, gain_legend, with_mean_intervals
from resrank.reporting.tables.means import NOTE, with_means
from resrank.reporting.tables.significance import MARKS, comparisons, marks, reference
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

ANSWERS = (
    "Answers: shares of a language model's written answers. Clean: complete and in the requested "
    "form. Repaired: named only some passages, and the rest follow in their old order. Rejected: "
    "could not be used, so the window kept its order. "
)
ESTIMATED = {
    "flops_per_query_online",
    "flops_per_query_cached",
    "tokens_per_passage_online",
    "tokens_per_passage_cached",
    "generated_tokens",
}
CAPTION = (
    " Tokens per passage and times: 'online' encodes every passage within the query, 'cached' "
    "takes its embedding from the index; a system without passage embeddings has one figure. "
    "p95: – below 20 timed queries. "
    "Passages cut: share of passages longer than the model's input limit. "
    "{answers}± is the standard deviation over seeds. The first stage does no reranking, so it is "
    "excluded when the cheapest system is marked. "
)


def write_comparison(
    resolved: Resolved, root: Path, frame: pd.DataFrame, statistics: Statistics
) -> list[Path]:
    """Write the table `comparison`, and `effectiveness` for suites with scores.

    frame: the rows of `comparison.comparison`. Means over collections follow them where the suite
    has several. statistics: empty for suites without scores.
    """
    caption, legend = conditions(resolved, frame), ""
    if statistics:
        baseline = resolved.suite.baseline
        frame["mark"] = marks(frame, statistics, baseline)
        legend = MARKS.format(reference=reference(resolved), family=comparisons(resolved))
    compared = with_mean_intervals(resolved, root, with_means(resolved, frame))
    legend += gain_legend(resolved, frame)
    legend += NOTE if len(compared) > len(frame) else ""
    columns = marked_columns(comparison_columns(resolved, frame), frame, ESTIMATED)
    answers = ANSWERS if "clean_share" in columns else ""
    text = with_footnote(caption + CAPTION.format(answers=answers) + legend, frame)
    written = write_table(
        root / "tables", "comparison", compared, columns, list(CANDIDATE_SET), text
    )
    if resolved.costs_alone:
        return written
    return written + write_effectiveness(resolved, root, compared, caption, legend)


def comparison_columns(resolved: Resolved, frame: pd.DataFrame) -> dict[str, Column]:
    """Return the displayed columns: scores, or FLOPs for a suite of random weights."""
    several = len(resolved.given.collections) > 1 or frame["first_stage"].nunique() > 1
    columns = dict(CANDIDATE_SET) if several else {}
    columns["label"] = Column("system")
    if resolved.costs_alone:
        columns["flops_per_query_online"] = Column("GFLOPs/query online", 1, unit=1e9, **COST)
        columns["flops_per_query_cached"] = Column("cached", 1, unit=1e9, **COST)
    else:
        for metric in resolved.suite.metrics:
            tested = "mark" if metric == resolved.suite.metrics[0] else None
            columns[metric] = Column(metric, 4, 1, f"{metric} sd", mark=tested)
        columns |= gain_column(frame)
    return columns | {
        "seeds": Column("seeds"),
        "tokens_per_passage_online": Column("tokens/passage online", 1, **COST),
        "tokens_per_passage_cached": Column("cached", 1, **COST),
        "truncated_share": Column("passages cut", 2),
        "generated_tokens": Column("generated tokens"),
        **_answer_column(resolved, frame),
        "model_calls": Column("model calls"),
        "p50_ms_online": Column("p50 ms online", 1, **COST),
        "p95_ms_online": Column("p95", 1, **COST),
        "p50_ms_cached": Column("p50 ms cached", 1, **COST),
        "p95_ms_cached": Column("p95", 1, **COST),
    }


def _answer_column(resolved: Resolved, frame: pd.DataFrame) -> dict[str, Column]:
    """Return the column of answer shares; nothing if no system of the suite writes answers."""
    first, *others = [f"{verdict}_share" for verdict in VERDICTS]
    if resolved.costs_alone or frame[first].isna().all():
        return {}
    return {first: Column(f"answers {' / '.join(VERDICTS)}", 2, joined=tuple(others))}
