"""All tables and figures of a suite."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.io.manifest import write_manifest
from resrank.reporting.comparison import comparison
from resrank.reporting.conditions import conditions, suite_title
from resrank.reporting.figures.difference_matrix import difference_matrix
from resrank.reporting.figures.effectiveness_cost import effectiveness_against
from resrank.reporting.figures.intervals import scores_with_intervals
from resrank.reporting.figures.training_curves import training_curves
from resrank.reporting.pareto import LATENCY, TOKENS
from resrank.reporting.statistics import Statistics, read_statistics
from resrank.reporting.tables.ablation import write_ablation
from resrank.reporting.tables.audits import write_audits
from resrank.reporting.tables.calibration import write_calibration
from resrank.reporting.tables.claims import write_claims
from resrank.reporting.tables.comparison import write_comparison
from resrank.reporting.tables.efficiency import write_efficiency
from resrank.reporting.tables.first_stages import write_first_stages
from resrank.reporting.tables.gains import with_gains
from resrank.reporting.tables.leak import write_leak
from resrank.reporting.tables.modes import write_modes
from resrank.reporting.tables.pareto import write_pareto
from resrank.reporting.tables.sensitivity import write_sensitivity
from resrank.reporting.tables.significance import write_significance
from resrank.reporting.tables.tokens import write_tokens
from resrank.suite.resolved import Resolved
from resrank.suite.schema import Suite

FILLED = (
    "\nFilled: passages are encoded within the query. Hollow: their embeddings are cached. "
    "Where markers overlap, the top one is drawn smaller. Grey steps: the Pareto front, solid with "
    "passages encoded within the query, dashed with cached embeddings."
)


def report(resolved: Resolved, root: Path) -> None:
    """Write tables/, figures/ and report.manifest.json under `root`.

    A suite of random weights has only tables of costs and of its candidates, and no scores.
    """
    title = suite_title(resolved)
    statistics = {} if resolved.costs_alone else read_statistics(resolved, root)
    whole = with_gains(comparison(resolved, root), statistics)
    frame = whole[~whole["companion"]].reset_index(drop=True)
    written = write_comparison(resolved, root, whole, statistics)
    written += write_efficiency(resolved, root, frame, title)
    written += write_tokens(resolved, root, title)
    written += write_first_stages(resolved, root, frame, title)
    written += write_leak(resolved, root, title)
    written += write_audits(resolved, root, title)
    if not resolved.costs_alone:
        written += _score_tables(resolved, root, whole, statistics)
        written += _figures(resolved, root, frame, statistics)
    if resolved.trained:
        written += training_curves(resolved, root, title, root / "figures" / "training_curves")
    write_manifest(
        root / "report.manifest.json",
        inputs=_inputs(resolved, root),
        config=_without_companions(resolved).model_dump(mode="json"),
        outputs=written,
    )


def _without_companions(resolved: Resolved) -> Suite:
    """Return the suite as it was written, without the skipped collections."""
    kept = {"collections": resolved.suite.collections}
    return resolved.given.model_copy(update=kept)


def _inputs(resolved: Resolved, root: Path) -> dict[str, Path | str]:
    folders = {"scores": "parquet", "audits": "json", "statistics": "json"}
    if resolved.judges:
        folders["calibration"] = "json"
    return {
        f"{folder}/{dataset}/{stage}": root / folder / dataset / f"{stage}.{ending}"
        for dataset, stage in resolved.pairs
        for folder, ending in folders.items()
    }


def _score_tables(
    resolved: Resolved, root: Path, frame: pd.DataFrame, statistics: Statistics
) -> list[Path]:
    """Write the tables that compare or explain scores. frame: with companions."""
    title = suite_title(resolved)
    written = write_significance(resolved, statistics, title, root)
    written += write_modes(resolved, root, frame, conditions(resolved, frame))
    if not resolved.suite.demonstration:  # no published figure is about a demonstration
        written += write_claims(resolved, root, title)
    if resolved.suite.sensitivity:
        written += write_sensitivity(resolved, conditions(resolved, frame), root)
    if resolved.judges:
        written += write_calibration(resolved, title, root)
    if resolved.ablated:
        written += write_ablation(resolved, root, frame, statistics)
    return written


def _figures(
    resolved: Resolved, root: Path, frame: pd.DataFrame, statistics: Statistics
) -> list[Path]:
    """Draw scores, differences between systems, and effectiveness against latency and tokens.

    The table `pareto` lists the fronts of the latter.
    """
    metric, figures = resolved.suite.metrics[0], root / "figures"
    measured, labels = conditions(resolved, frame), resolved.labels
    note = measured + FILLED
    return [
        *write_pareto(frame, metric, measured, root),
        *scores_with_intervals(statistics, labels, measured, figures / "scores"),
        *difference_matrix(statistics, labels, f"{measured}\n", figures / "significance"),
        *effectiveness_against(frame, metric, LATENCY, note, figures / "effectiveness_latency"),
        *effectiveness_against(frame, metric, TOKENS, note, figures / "effectiveness_tokens"),
    ]
