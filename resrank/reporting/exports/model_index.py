"""A suite's scores as Hugging Face's model-index: model card metadata, one file per system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.io.atomic import write_text
from resrank.reporting.results import read_comparison, read_json

TASK = "text-ranking"


def export_model_index(root: Path, out: Path) -> list[Path]:
    """Write `<system>.yaml`, the head of a model card, for each system with scores.

    Raises FileNotFoundError if the suite has no comparison.
    """
    path = root / "tables" / "comparison.csv"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run `snakemake --cores 2 all` to make it")
    frame = read_comparison(root)
    metrics = [
        m for m in read_json(root / "report.manifest.json")["config"]["metrics"] if m in frame
    ]
    # Means over collections have no queries, and companions are not systems of the suite.
    frame = frame[frame["queries"].notna() & ~frame["companion"]]
    written = []
    for system, rows in frame.groupby("system", sort=False):
        results = [
            result for row in rows.to_dict("records") for result in _results(root, row, metrics)
        ]
        if results:
            target = out / f"{system}.yaml"
            write_text(target, _card(str(rows["label"].iloc[0]), results))
            written.append(target)
    return written


def metric_type(metric: str) -> str:
    """Return a metric's name as the hub's leaderboards write it: `nDCG@10` is `ndcg_at_10`."""
    return re.sub(r"[^a-z0-9]+", "_", metric.lower().replace("@", "_at_")).strip("_")


def _results(root: Path, row: Mapping[Any, Any], metrics: list[str]) -> list[Any]:
    from huggingface_hub import EvalResult

    collection, stage = row["collection"], row["first_stage"]
    candidates = read_json(root / "candidates" / collection / f"{stage}.manifest.json")
    arguments = {
        "first_stage": stage,
        "depth": candidates.get("depth"),
        "candidates": candidates["hash"],
        "queries": int(row["queries"]),
        "seeds": int(row["seeds"]),
    }
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=collection,
            dataset_name=collection,
            dataset_split="test",
            dataset_args={name: value for name, value in arguments.items() if value is not None},
            metric_type=metric_type(metric),
            metric_name=f"{metric}, mean over queries and seeds",
            metric_value=round(float(row[metric]), 4),
        )
        for metric in metrics
        if pd.notna(row[metric])
    ]


def _card(name: str, results: list[Any]) -> str:
    from huggingface_hub import ModelCardData

    card = ModelCardData(model_name=name, eval_results=results, tags=["reranking"])
    return str(card.to_yaml()) + "\n"
