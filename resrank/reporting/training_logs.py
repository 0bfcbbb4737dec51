"""Training logs as data frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.io.manifest import check_output, manifest_of, read_checked_json

CONDITIONS = ["batch", "unit", "dtype", "device", "processor"]
"""Columns that describe the sample, the batches and the machine."""


def read_log(path: Path, seed: int) -> pd.DataFrame:
    """Read a training log, one row per step; `at` counts steps through all phases.

    `processor` comes from the model's manifest, beside the log. Raises Damaged if the log's hash is
    not the one in that manifest.
    """
    manifest = read_checked_json(manifest_of(path.with_name(path.name.removesuffix(".log.jsonl"))))
    check_output(path)
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    frame = pd.DataFrame(rows)
    phases = frame["phase"].drop_duplicates().tolist()
    before, done = {}, 0
    for phase in phases:
        before[phase] = done
        done += int(frame.loc[frame["phase"] == phase, "step"].max())
    frame["at"] = frame["step"] + frame["phase"].map(before)
    frame["seed"] = seed
    frame["processor"] = manifest["environment"]["machine"]["processor"]
    return frame
