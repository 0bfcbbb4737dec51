"""The tables and figures of a suite."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.io.hashing import sha256_file
from resrank.io.manifest import write_manifest
from resrank.reporting.figures.difference_matrix import difference_matrix
from resrank.reporting.figures.effectiveness_cost import effectiveness_against
from resrank.reporting.figures.intervals import scores_with_intervals
from resrank.reporting.figures.training_curves import training_curves
from resrank.reporting.results import ablation, audits, comparison, first_stages, leaks
from resrank.reporting.tables.calibration import write_calibration
from resrank.reporting.tables.claims import write_claims
from resrank.reporting.tables.effectiveness import write_effectiveness
from resrank.reporting.tables.efficiency import write_efficiency
from resrank.reporting.tables.means import NOTE, with_means
from resrank.reporting.tables.modes import write_modes
from resrank.reporting.tables.sensitivity import write_sensitivity
from resrank.reporting.tables.significance import (
    MARKS,
    Statistics,
    marks,
    read_statistics,
    write_significance,
)
from resrank.reporting.tables.tokens import write_tokens
from resrank.reporting.tables.write import COST, WHERE, Column, write_table
from resrank.suite.load import Resolved

DEMONSTRATION = "A demonstration of the pipeline on a small collection, not a benchmark. "


def report(resolved: Resolved, root: Path) -> None:
    """Write tables/, figures/ and report.manifest.json under `root`.

    A suite of random weights has tables of costs and of its candidates, and nothing of scores.
    """
    frame = comparison(resolved, root)
    kind = _kind(resolved)
    found = {} if resolved.costs_alone else read_statistics(resolved, root)
    written = _comparison(resolved, root, frame, found)
    written += write_efficiency(resolved, root, frame, kind)
    written += write_tokens(resolved, root, kind)
    written += _candidates(resolved, root, frame)
    if not resolved.costs_alone:
        written += _scores(resolved, root, frame, found)
        written += _figures(resolved, root, frame, found)
    if resolved.trained:
        written += training_curves(resolved, root, kind, root / "figures" / "training_curves")
    write_manifest(
        root / "report.manifest.json",
        inputs={
            f"{kind}/{d}/{s}": root / kind / d / f"{s}.{ending}"
            for d, s in resolved.pairs
            for kind, ending in (("scores", "parquet"), ("audits", "json"), ("statistics", "json"))
        }
        | {
            f"calibration/{d}/{s}": root / "calibration" / d / f"{s}.json"
            for d, s in resolved.pairs
            if resolved.judges
        },
        config=resolved.suite.model_dump(mode="json"),
        outputs={p.relative_to(root).as_posix(): sha256_file(p) for p in written},
    )


def _comparison(
    resolved: Resolved, root: Path, frame: pd.DataFrame, found: Statistics
) -> list[Path]:
    """All systems as rows, and their scores by collection; with means where there are several."""
    caption, marked = conditions(resolved, frame), ""
    if found:
        baseline = resolved.suite.baseline
        frame["mark"] = marks(frame, found, baseline)
        marked = MARKS.format(reference=baseline or "the best system")
    compared = with_means(resolved, frame)
    marked += NOTE if len(compared) > len(frame) else ""
    written = write_table(
        root / "tables", "comparison", compared, _columns(resolved, frame), GROUPS,
        caption + COMPARISON + marked,
    )  # fmt: skip
    if resolved.costs_alone:
        return written
    return written + write_effectiveness(resolved, root, compared, caption, marked)


def _candidates(resolved: Resolved, root: Path, frame: pd.DataFrame) -> list[Path]:
    """What candidate sets allow, and what was counted in runs over them."""
    tables, kind = root / "tables", _kind(resolved)
    stages = first_stages(resolved, root, frame)
    plain = {n: Column(n, 4 if _is_share(n) else 0) for n in map(str, stages)}
    written = write_table(tables, "first_stages", stages, plain, ["collection"], kind + STAGES)
    audit = leaks(resolved, root)
    if len(audit):
        shown = _by_label({n: Column(n, _leak_decimals(audit[n])) for n in map(str, audit)})
        written += write_table(tables, "leak", audit, shown, ["collection"], kind + LEAK)
    counted = audits(resolved, root)
    shown = _by_label(
        {n: Column(n, 4 if n == "unjudged in first 10" else 0) for n in map(str, counted)}
    )
    return written + write_table(tables, "audits", counted, shown, ["collection"], kind + AUDITS)


def _scores(resolved: Resolved, root: Path, frame: pd.DataFrame, found: Statistics) -> list[Path]:
    """What differences between scores are worth."""
    kind = _kind(resolved)
    written = write_significance(resolved, found, kind, root)
    written += write_modes(resolved, root, frame, conditions(resolved, frame))
    if not resolved.suite.demonstration:  # which no published figure is about
        written += write_claims(resolved, root, kind)
    if resolved.suite.sensitivity:
        written += write_sensitivity(resolved, conditions(resolved, frame), root)
    if resolved.judges:
        written += write_calibration(resolved, kind, root)
    if resolved.suite.ablation is not None:
        choices = ablation(resolved, root, frame)
        written += write_table(
            root / "tables", "ablation", choices, _ablation_columns(resolved, choices), GROUPS,
            conditions(resolved, frame) + ABLATION.format(base=resolved.suite.ablation),
        )  # fmt: skip
    return written


def _figures(resolved: Resolved, root: Path, frame: pd.DataFrame, found: Statistics) -> list[Path]:
    """Effectiveness by collection, against latency and against tokens; pairs of systems."""
    metric, figures = resolved.suite.metrics[0], root / "figures"
    measured = conditions(resolved, frame)
    labels = resolved.labels
    written = scores_with_intervals(found, labels, measured, figures / "scores")
    written += difference_matrix(found, labels, f"{measured}\n", figures / "significance")
    note = measured + FILLED
    return written + effectiveness_against(
        frame, metric, "p50_ms_online", "p50_ms_cached", "median latency of a query (ms)", note,
        figures / "effectiveness_latency",
    ) + effectiveness_against(
        frame, metric, "tokens_per_passage_online", "tokens_per_passage_cached",
        "tokens per passage", note, figures / "effectiveness_tokens",
    )  # fmt: skip


GROUPS = ["collection", "first_stage"]
COMPARISON = (
    " Tokens per passage and times: 'online' encodes every passage within the query, 'cached' "
    "takes its embedding from the index; a system without passage embeddings has one figure. "
    "Passages cut: share of candidates of which a model does not read the end. "
    "± is the standard deviation over seeds. What does no reranking is no best of a cost. "
)
STAGES = (
    "Recall at the depth, and the nDCG@10 of a perfect reordering, bound every system. Before and "
    "after: the first stage's own order, and that of the system with the highest mean. At "
    "worst and best ties: the first stage's nDCG@10 if its equal scores stood in those orders."
)
FILLED = (
    "\nFilled: passages are encoded within the query. Hollow: their embeddings are cached. "
    "Of markers that lie upon each other the upper ones are smaller."
)
ABLATION = (
    " Difference: from `{base}`, of means over seeds. Encoder alone: the same candidates by the "
    "cosine of the system's own encoder, which a reranking score by itself would hide. Without "
    "overlap: nDCG@10 on queries none of whose positives was a training positive."
)
AUDITS = (
    "Counted over judged queries. Missing: not in the run, counted as 0. Not judged: in the run, "
    "left out. Short: lists of fewer "
    "candidates than the depth. Ties: in the run as written. Unjudged: share of the first ten "
    "passages that nobody judged, which a metric takes for not relevant. Answers repaired: a "
    "language model's that named some passages; rejected: that named none, so that the window kept "
    "its order."
)
LEAK = (
    "Leak audit, nDCG@10. Overlap: share of test positives that were training positives (by text). "
    "Prior alone: candidates by how often they were training positives, blind to the query. Prior "
    "over first stage: training positives first, each part in first-stage order. A system that was "
    "not trained is held against what the others learned from."
)


def conditions(resolved: Resolved, frame: pd.DataFrame) -> str:
    """Where, how and on how much the figures were measured."""
    one = frame.iloc[0]
    judged = frame.groupby("collection", sort=False)["queries"].max()
    queries = ", ".join(f"{n} judged queries of {c}" for c, n in judged.items())
    scored = "" if resolved.costs_alone else f"Scores: {queries}. {_grades(resolved)}"
    dtypes = ", ".join(dict.fromkeys(d for d in frame["dtype"] if d != "none"))
    formats = f", {dtypes}" if dtypes else ""
    return (
        f"{_kind(resolved)}{scored}Times: {one['timed_queries']} queries one at a time, "
        f"batch 1, {one['threads']} threads of {one['processor']}{formats} (encoder + reranker)."
        f"{_recorded(frame)}"
    )


def _grades(resolved: Resolved) -> str:
    """From which grade a passage counts for binary metrics, where it is not 1."""
    grades = {c: resolved.collections[c].relevant_grade for c in resolved.suite.collections}
    higher = ", ".join(f"{grade} of {c}" for c, grade in grades.items() if grade > 1)
    return f"Binary metrics count grades from {higher}. " if higher else ""


def _recorded(frame: pd.DataFrame) -> str:
    """Which systems were not timed on this machine."""
    labels = ", ".join(dict.fromkeys(frame["label"][frame["timed"] == "recorded"]))
    said = "what its calls took when they were recorded, one after the other, with others in flight"
    return f" A query's time of {labels}: {said}." if labels else ""


def _kind(resolved: Resolved) -> str:
    title = f"{resolved.suite.title}. " if resolved.suite.title else ""
    if resolved.suite.scale > 1:
        title += "The models of random weights are not of the sizes they are named by: layers and "
        title += f"widths are divided by {resolved.suite.scale}. "
    skipped = "; ".join(f"{name}, {why}" for name, why in resolved.skipped.items())
    said = f"Skipped: {skipped}. " if skipped else ""
    return title + (DEMONSTRATION if resolved.suite.demonstration else "") + said


def _is_share(name: str) -> bool:
    return name == "recall" or "nDCG" in name or name.endswith((" before", " after"))


def _by_label(columns: dict[str, Column]) -> dict[str, Column]:
    """The columns with a system's label in the place of its name, which the CSV keeps."""
    return {n: Column("system") if n == "label" else c for n, c in columns.items() if n != "system"}


def _leak_decimals(values: pd.Series[float]) -> int:
    return 4 if pd.api.types.is_float_dtype(values) else 0


def _ablation_columns(resolved: Resolved, choices: pd.DataFrame) -> dict[str, Column]:
    metric = resolved.suite.metrics[0]
    several = choices[["collection", "first_stage"]].drop_duplicates().shape[0] > 1
    shown = (WHERE if several else {}) | {
        "label": Column("system"),
        metric: Column(metric, 4, 1, f"{metric} sd"),
        "difference": Column("difference", 4),
        "encoder alone": Column("encoder alone", 4, 1, "encoder alone sd"),
        "without overlap": Column("without overlap", 4, 1),
        "seeds": Column("seeds"),
    }
    return {name: column for name, column in shown.items() if name in choices}


def _columns(resolved: Resolved, frame: pd.DataFrame) -> dict[str, Column]:
    several = len(resolved.given.collections) > 1 or frame["first_stage"].nunique() > 1
    columns = {}
    if several:
        columns = dict(WHERE)
    columns["label"] = Column("system")
    random = resolved.costs_alone
    for metric in [] if random else resolved.suite.metrics:
        tested = "mark" if metric == resolved.suite.metrics[0] else None
        columns[metric] = Column(metric, 4, 1, f"{metric} sd", mark=tested)
    if random:
        columns["flops_per_query_online"] = Column("GFLOPs/query online", 1, unit=1e9, **COST)
        columns["flops_per_query_cached"] = Column("cached", 1, unit=1e9, **COST)
    return columns | {
        "seeds": Column("seeds"),
        "tokens_per_passage_online": Column("tokens/passage online", 1, **COST),
        "tokens_per_passage_cached": Column("cached", 1, **COST),
        "truncated_share": Column("passages cut", 2),
        "generated_tokens": Column("generated tokens"),
        "model_calls": Column("model calls"),
        "p50_ms_online": Column("p50 ms online", 1, **COST),
        "p95_ms_online": Column("p95", 1, **COST),
        "p50_ms_cached": Column("p50 ms cached", 1, **COST),
        "p95_ms_cached": Column("p95", 1, **COST),
    }
