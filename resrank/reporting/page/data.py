"""The content of a suite's page as plain values, from the suite's files alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from resrank.io.manifest import check_report
from resrank.reporting.page.dag import draw
from resrank.reporting.page.explorer import CHARACTERS, DEPTH, samples
from resrank.reporting.page.tables import PageTable, read_tables
from resrank.reporting.provenance import environments, hashes, lineage, read_manifests, stage_of
from resrank.reporting.results import read_comparison, read_json

SECTIONS = {
    "Claims": ("claims",),
    "Audits": ("audits", "leak", "first_stages", "calibration", "confusion"),
}
COSTS = {
    "p50_ms": "median latency of a query (ms)",
    "p95_ms": "95th percentile of latency (ms)",
    "tokens_per_passage": "tokens per passage",
    "flops_per_query": "FLOPs per query",
}


def page_data(root: Path) -> dict[str, Any]:
    """Return all values that the template uses.

    Raises FileNotFoundError if the suite has no report, and Damaged if a file has changed since it
    was written.
    """
    check_report(root)
    suite = read_json(root / "report.manifest.json")["config"]
    manifests = read_manifests(root)
    frame = read_comparison(root)
    listed = frame[~frame["companion"]]
    pairs = _pairs(root)
    counts = Counter(stage_of(path) for path in manifests)
    tables = read_tables(root / "tables")
    return {
        "suite": suite,
        "summary": _summary(suite, listed, pairs),
        "sections": _sections(tables),
        "verdicts": _verdicts(root / "tables" / "claims.csv"),
        "dag": draw(counts, lineage(root, manifests)),
        "environments": environments(manifests),
        "hashes": hashes(manifests),
        "config": yaml.safe_dump(suite, sort_keys=False, allow_unicode=True),
        "samples": samples(root, pairs, suite["metrics"][0]),
        "limits": {"depth": DEPTH, "characters": CHARACTERS},
        "chart": {
            "rows": _json_rows(listed),
            "metrics": [m for m in suite["metrics"] if m in frame and frame[m].notna().any()],
            "costs": {key: label for key, label in COSTS.items() if _is_measured(frame, key)},
        },
        "labels": dict(zip(frame["system"], frame["label"], strict=True)),
    }


def _pairs(root: Path) -> list[tuple[str, str]]:
    return [(p.parent.name, p.stem) for p in sorted(root.glob("scores/*/*.parquet"))]


def _summary(
    suite: dict[str, Any], frame: pd.DataFrame, pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return the suite's size, and the best system of each candidate set by the first metric."""
    metric = suite["metrics"][0]
    best = []
    for dataset, stage in pairs:
        rows = frame[(frame["collection"] == dataset) & (frame["first_stage"] == stage)]
        if rows[metric].notna().any():
            top = rows.loc[rows[metric].idxmax()]
            best.append((dataset, stage, str(top["label"]), f"{top[metric]:.4f}"))
    judged = frame.groupby("collection")["queries"].max().dropna()
    return {
        "metric": metric,
        "systems": int(frame["system"].nunique()),
        "sets": len(pairs),
        "collections": len({dataset for dataset, _ in pairs}),
        "queries": int(judged.sum()),
        "best": best,
    }


def _sections(tables: list[PageTable]) -> dict[str, list[PageTable]]:
    """Return the tables by section; those that no section names are under Results."""
    titles = {name: title for title, names in SECTIONS.items() for name in names}
    sections: dict[str, list[PageTable]] = {"Results": []}
    for table in sorted(tables, key=lambda t: (t.name != "comparison", t.name)):
        sections.setdefault(titles.get(table.name, "Results"), []).append(table)
    return sections


def _verdicts(path: Path) -> list[tuple[str, int]]:
    """Count the claims with each verdict; the reasons behind 'not run' are only in the table."""
    if not path.is_file():
        return []
    verdicts = pd.read_csv(path, dtype=str)["verdict"]
    return Counter(verdict.partition(" (")[0] for verdict in verdicts).most_common()


def _is_measured(frame: pd.DataFrame, cost: str) -> bool:
    columns = [f"{cost}_{mode}" for mode in ("online", "cached") if f"{cost}_{mode}" in frame]
    return bool(frame[columns].notna().any().any())


def _json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows that JSON can hold: None in place of not-a-number."""
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]
