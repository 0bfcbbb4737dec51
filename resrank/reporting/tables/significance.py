"""The tables `scores` and `significance`, and the arrows in the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.statistics import Statistics
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.gains import LEGEND, gain_column, with_gains
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

MARKS = (
    "↑, ↓: significantly above or below {reference} (randomisation test over queries, p below 0.05 "
    "after Holm's correction over {family})."
)
PAIRS = (
    "{metric}, a minus b, seeds averaged per query; 95% bootstrap interval over queries. p: paired "
    "randomisation test and t-test; Holm: the former, corrected over a family. "
    "Effect size: mean difference over its standard deviation over queries. Within seeds: whether "
    "the difference is no larger than the range over seeds of a's or b's mean. {families}"
)
COMPARISONS = {
    "baseline": "the comparisons of a candidate set with {reference}",
    "all_pairs": "all pairs of systems of a candidate set",
}
FAMILIES = {
    "gains": "each trained system (a) of a candidate set against its untrained self (b), over the "
    "seeds of the trained system",
    "ablation": "each system (a) against the reference of the ablation (b), over all candidate "
    "sets",
}
SCORES = (
    "{metric}: mean over seeds with its 95% bootstrap interval over queries; standard deviation, "
    "least and largest mean over seeds."
)
FAMILY = {"pairs": "comparison", "gains": "gain over untrained", "ablation": "ablation"}
PAIR_COLUMNS = {
    "a_label": Column("a"),
    "b_label": Column("b"),
    "difference": Column("difference", 4),
    "low": Column("from", 4),
    "high": Column("to", 4),
    "p_randomisation": Column("p (randomisation)", 4, p=True),
    "p_t": Column("p (t)", 4, p=True),
    "p_holm": Column("p (Holm)", 4, p=True),
    "effect_size": Column("effect size", 2),
    "within_seeds": Column("within seeds"),
}
SCORE_COLUMNS = {
    "label": Column("system"),
    "mean": Column("mean", 4),
    "low": Column("from", 4),
    "high": Column("to", 4),
    "seeds": Column("seeds"),
    "sd": Column("sd", 4),
    "min": Column("least", 4),
    "max": Column("largest", 4),
    "range": Column("range", 4),
}


def write_significance(
    resolved: Resolved, statistics: Statistics, title: str, root: Path
) -> list[Path]:
    """Write the tables `scores` and `significance`."""
    metric, labels, tables = resolved.suite.metrics[0], resolved.labels, root / "tables"
    scores, tested = seeds(statistics, labels), pairs(statistics, labels)
    columns = CANDIDATE_SET | SCORE_COLUMNS | gain_column(scores)
    caption = title + (SCORES + (LEGEND if "gain" in scores else "")).format(metric=metric)
    written = write_table(tables, "scores", scores, columns, [], caption)
    several = tested["family"].nunique() > 1
    columns = CANDIDATE_SET | ({"family": Column("family")} if several else {}) | PAIR_COLUMNS
    families = _families(tested, comparisons(resolved))
    caption = title + PAIRS.format(metric=metric, families=families).rstrip()
    return written + write_table(tables, "significance", tested, columns, [], caption)


def _families(tested: pd.DataFrame, compared: str) -> str:
    """Return what the families of a table of tests are. compared: that of the comparisons."""
    texts = {"pairs": compared} | FAMILIES
    listed = [texts[key] for key, name in FAMILY.items() if name in set(tested["family"])]
    return f"Families: {'; '.join(listed)}." if listed else ""


def comparisons(resolved: Resolved) -> str:
    """Return what the suite's family of comparisons is, for captions."""
    return COMPARISONS[resolved.suite.comparisons].format(reference=reference(resolved))


def reference(resolved: Resolved) -> str:
    """Return the name of the system that arrows compare with, for captions."""
    suite = resolved.suite
    if suite.comparisons == "all_pairs" and suite.baseline is None:
        return "the best system"
    names = {resolved.label(resolved.baseline_on(name)) for name in suite.collections}
    return names.pop() if len(names) == 1 else "the first system of each collection"


def pairs(statistics: Statistics, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per tested pair of systems on a candidate set, by family."""
    words = {True: "yes", False: "no", None: None}
    rows = [
        {"collection": dataset, "first_stage": stage, "family": name}
        | pair
        | {"a_label": labels[pair["a"]], "b_label": labels[pair["b"]]}
        | {"within_seeds": words[pair["within_seeds"]]}
        for (dataset, stage), results in statistics.items()
        for key, name in FAMILY.items()
        for pair in results[key]
    ]
    return pd.DataFrame(rows, columns=[*CANDIDATE_SET, "family", "a", "b", *PAIR_COLUMNS])


def seeds(statistics: Statistics, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return a system's mean, interval, spread and gain, one row per candidate set."""
    rows = [
        {"collection": dataset, "first_stage": stage, "label": labels[system["system"]]} | system
        for (dataset, stage), results in statistics.items()
        for system in results["systems"]
    ]
    frame = pd.DataFrame(rows)
    frame["range"] = frame["max"].astype(float) - frame["min"].astype(float)
    return with_gains(frame, statistics)


def marks(frame: pd.DataFrame, statistics: Statistics, baseline: str | None) -> list[str]:
    """Return an arrow for each row that differs significantly from the reference, else "".

    The reference is the one of the tests, else `baseline`, else (of all pairs alone) the system
    with the best mean on the row's candidate set. Companions are not compared.
    """
    arrows = {key: _arrows(results, baseline) for key, results in statistics.items()}
    keys = zip(frame["collection"], frame["first_stage"], frame["system"], strict=True)
    return [arrows[dataset, stage].get(system, "") for dataset, stage, system in keys]


def _arrows(results: Mapping[str, Any], baseline: str | None) -> dict[str, str]:
    means = {row["system"]: row["mean"] for row in results["systems"] if not row["companion"]}
    reference = results["baseline"] or baseline or max(means, key=means.__getitem__)
    arrows = {}
    for pair in results["pairs"]:
        if reference in (pair["a"], pair["b"]) and pair["p_holm"] < results["level"]:
            other = pair["b"] if pair["a"] == reference else pair["a"]
            arrows[other] = "↑" if means[other] > means[reference] else "↓"
    return arrows
