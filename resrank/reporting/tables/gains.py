"""The column `gain over untrained`: each trained system compared with its untrained self."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.evaluation.bootstrap import interval_over_collections
from resrank.evaluation.resampling import Values
from resrank.evaluation.seed_scores import SeedScores, read_scores, seed_scores
from resrank.reporting.statistics import Statistics
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.means import groups
from resrank.suite.resolved import Resolved

GAIN = Column(
    "gain over untrained", 4, interval=("gain_low", "gain_high"), mark="gain_mark", signed=True
)
NAMES = ["gain", "gain_low", "gain_high", "gain_p", "gain_mark"]
LEGEND = (
    " Gain over untrained: mean difference per query in {metric} from the same system before "
    "training, over the same seeds, with its 95% paired bootstrap interval; ↑, ↓: significant "
    "(randomisation test, p below 0.05 after Holm's correction over the gains of a candidate set)."
)
COMPANIONS = (
    " Rows 'untrained' are there for this comparison: they are not timed, since they cost what "
    "their trained systems cost, and are not marked as best."
)


def with_gains(frame: pd.DataFrame, statistics: Statistics) -> pd.DataFrame:
    """Return a frame with the columns of `NAMES`; unchanged if no system has a gain.

    frame: one row per collection, first stage and system.
    """
    gains = {
        (*pair, row["a"]): _columns(row, results["level"])
        for pair, results in statistics.items()
        for row in results["gains"]
    }
    if not gains:
        return frame
    keys = zip(frame["collection"], frame["first_stage"], frame["system"], strict=True)
    rows = [gains.get(key, {}) for key in keys]
    return frame.join(pd.DataFrame(rows, frame.index, columns=NAMES))


def gain_column(frame: pd.DataFrame) -> dict[str, Column]:
    """Return the column of a table, or none if no system of the frame has a gain."""
    return {"gain": GAIN} if "gain" in frame else {}


def gain_legend(resolved: Resolved, frame: pd.DataFrame) -> str:
    """Return what a caption says of the gains and of companions; empty without them.

    A trained system without a gain is named with the reason.
    """
    about = LEGEND.format(metric=resolved.suite.metrics[0]) if "gain" in frame else ""
    about += COMPANIONS if frame["companion"].any() else ""
    without = [
        f"{resolved.label(name)} ({reason})"
        for name, reason in resolved.unknown_starts.items()
        if name in set(frame["system"])
    ]
    return about + (f" No gain of {'; '.join(without)}." if without else "")


def gains_note(compared: pd.DataFrame) -> str:
    """Return every gain as a sentence, for tables that have a column per collection.

    compared: the rows of `means.with_means`, with gains.
    """
    if "gain" not in compared:
        return ""
    by_system: dict[str, list[str]] = {}
    for row in compared[compared["gain"].notna()].to_dict("records"):
        by_system.setdefault(row["label"], []).append(f"{row['collection']} {_text(row)}")
    systems = "; ".join(f"{label}: {', '.join(gains)}" for label, gains in by_system.items())
    return f" Gains: {systems}."


def with_mean_intervals(resolved: Resolved, root: Path, compared: pd.DataFrame) -> pd.DataFrame:
    """Fill in the intervals of mean gains over collections.

    compared: the rows of `means.with_means`. Each collection is resampled separately.
    """
    means = compared["queries"].isna()
    if "gain" not in compared or not means.any():
        return compared
    for stage, part in groups(resolved, compared[~means]):
        pairs = part[["collection", "first_stage"]].drop_duplicates()
        values = [
            _scores(root / "scores" / dataset / f"{name}.parquet", resolved.suite.metrics[0])
            for dataset, name in pairs.itertuples(index=False, name=None)
        ]
        for system, untrained in resolved.untrained.items():
            rows = means & (compared["first_stage"] == stage) & (compared["system"] == system)
            samples = [_gain(by_system[system], by_system[untrained]) for by_system in values]
            compared.loc[rows, ["gain_low", "gain_high"]] = interval_over_collections(samples)
    return compared


def _columns(row: Mapping[str, Any], level: float) -> dict[str, Any]:
    """Return the values of `NAMES` for one gain of a candidate set."""
    arrow = "↑" if row["difference"] > 0 else "↓"
    mark = arrow if row["p_holm"] < level else ""
    values = (row["difference"], row["low"], row["high"], row["p_holm"], mark)
    return dict(zip(NAMES, values, strict=True))


def _text(row: Mapping[Any, Any]) -> str:
    mark = row["gain_mark"] if isinstance(row["gain_mark"], str) else ""
    bounds = f" [{row['gain_low']:.4f}, {row['gain_high']:.4f}]"
    text = f"{row['gain']:+.4f}{bounds if pd.notna(row['gain_low']) else ''}"
    return f"{text} {mark}".rstrip()


def _scores(path: Path, metric: str) -> dict[str, SeedScores]:
    """Return each system's values of a metric."""
    return seed_scores(read_scores(path, metric), metric)


def _gain(trained: SeedScores, untrained: SeedScores) -> Values:
    """Return the gain per query, the mean over the seeds of the trained system: (queries,)."""
    return trained.per_query - untrained.at(trained.seeds).per_query
