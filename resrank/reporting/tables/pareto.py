"""The table `pareto`: the systems that no other one beats in both effectiveness and cost."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.reporting.pareto import LATENCY, MODES, TOKENS, front
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.write import write_table

CAPTION = (
    "Pareto front: no other system of the candidate set has at least the {metric} at no more cost, "
    "and is better in one of the two. Online: passages are encoded within the query. Cached: "
    "embeddings are taken from an index. A first stage costs nothing here. Scores are means; the "
    "table significance says which differences are more than noise."
)


def write_pareto(frame: pd.DataFrame, metric: str, note: str, root: Path) -> list[Path]:
    """Write the table `pareto`, a row per candidate set, cost, mode and system on the front.

    frame: the rows of `comparison.comparison`, without companions. note: opens the caption.
    """
    listed = pareto(frame, metric)
    columns = CANDIDATE_SET | {
        "of": Column("cost"),
        "passages": Column("passages"),
        "label": Column("system"),
        metric: Column(metric, 4),
        "cost": Column("value", 1),
    }
    caption = f"{note} {CAPTION.format(metric=metric)}"
    return write_table(root / "tables", "pareto", listed, columns, [], caption)


def pareto(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the systems on each front, cheapest first.

    A candidate set whose systems cache no embeddings has one mode, and – in place of its name.
    """
    kept = [*CANDIDATE_SET, "of", "passages", "system", "label", metric, "cost"]
    parts = []
    for _, rows in frame.groupby([*CANDIDATE_SET], sort=False):
        modes = MODES if rows["caches_passages"].any() else MODES[:1]
        for cost in (LATENCY, TOKENS):
            for mode in modes:
                named = {"of": cost.label, "passages": mode if len(modes) > 1 else "–"}
                parts.append(front(rows, metric, cost, mode).assign(**named)[kept])
    return pd.concat(parts, ignore_index=True)
