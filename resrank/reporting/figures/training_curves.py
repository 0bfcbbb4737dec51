"""How training went: each system's losses and dev scores, a panel a system."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from resrank.io.manifest import check_file, manifest_of
from resrank.io.seals import read_sealed
from resrank.reporting.figures.effectiveness_cost import (
    COLOURS,
    STYLE,
    explain,
    grid,
    save,
)
from resrank.suite.load import Resolved

CONDITIONS = ["batch", "unit", "dtype", "device", "processor"]
NOT_LOSSES = {"phase", "step", "epoch", "dev_score", "at", "seed", *CONDITIONS}
SPREAD = 100  # times that the largest is the smallest loss, from which an axis is logarithmic
LETTERS_ACROSS = 50  # of a panel's title
LINES = ["-", "--", "-.", ":"]
LEGEND = "Line: mean over seeds; band: their range; smoothed over a twentieth of the steps."
Logs = Sequence[tuple[str, pd.DataFrame]]
"""(a system's label, its log, a row a step and seed)."""
Look = tuple[str, str]
"""(colour, style of the line)"""


def training_curves(resolved: Resolved, root: Path, note: str, out: Path) -> list[Path]:
    """Losses over steps, mean and range over seeds, as `<out>.svg` and `<out>.png`.

    Stages follow one another; a dev score stands where it was taken. Panels say what was learned
    from and in which batches, the caption where and in which number format.
    """
    logs = [(resolved.label(name), _logs(resolved, root, name)) for name in resolved.trained]
    with plt.rc_context(STYLE):
        figure, axes = grid(len(logs), 3.4, 2.8)
        styles = looks(logs)
        for axis, (label, log) in zip(axes, logs, strict=True):
            _panel(axis, log, styles)
            title = f"{textwrap.fill(label, LETTERS_ACROSS)}\n{sizes(log)}"
            axis.set_title(title, loc="left", fontsize=7)
        scored = any("dev_score" in log for _, log in logs)
        figure.supxlabel("step of the optimiser", fontsize=8)
        figure.supylabel("loss; dev nDCG@10" if scored else "loss", fontsize=8)
        explain(figure, f"{note}{conditions(logs)} {LEGEND}")
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def looks(logs: Logs) -> dict[str, Look]:
    """Each loss's colour and line, in every panel the same: (colour, style of the line) by name."""
    names = dict.fromkeys(str(n) for _, log in logs for n in log if n not in NOT_LOSSES)
    return dict(zip(names, zip(cycle(COLOURS), cycle(LINES), strict=False), strict=False))


def sizes(log: pd.DataFrame) -> str:
    """What each phase learned from, and in which batches: '512 queries, 16 a step', a line each."""
    said = []
    for phase, rows in log[log["seed"] == log["seed"].iloc[0]].groupby("phase", sort=False):
        epoch = rows[rows["epoch"] == rows["epoch"].min()]
        sample = f"{epoch['batch'].sum()} {rows['unit'].iloc[0]}, {rows['batch'].max()} a step"
        said.append(f"{phase}: {sample}" if log["phase"].nunique() > 1 else sample)
    return "\n".join(said)


def conditions(logs: Logs) -> str:
    """The machines that systems were trained on and the number formats, by system if several."""
    by_where: dict[str, list[str]] = {}
    for label, log in logs:
        rows = log[["processor", "device", "dtype"]].drop_duplicates()
        for processor, device, dtype in rows.itertuples(index=False, name=None):
            machine = processor if device == "cpu" else f"{device} and {processor}"
            by_where.setdefault(f"{machine}, {dtype}", []).append(label)
    if len(by_where) == 1:
        return f"Trained on {next(iter(by_where))}."
    each = "; ".join(f"{where} ({', '.join(labels)})" for where, labels in by_where.items())
    return f"Trained on {each}."


def _logs(resolved: Resolved, root: Path, system: str) -> pd.DataFrame:
    """The training logs of all seeds of a system."""
    folder = root / "models" / system
    seeds = resolved.seeds_of(system)
    return pd.concat([read_log(folder / f"seed{seed}.log.jsonl", seed) for seed in seeds])


def read_log(path: Path, seed: int) -> pd.DataFrame:
    """A training log, a row a step; `at` counts steps through all phases.

    `processor` is the one that the model's manifest, beside the log, names. Raises Damaged if the
    log is not what that manifest says was written.
    """
    manifest = read_sealed(manifest_of(path.with_name(path.name.removesuffix(".log.jsonl"))))
    if digest := manifest.get("log"):
        check_file(path, digest)
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


def _panel(axis: Axes, frame: pd.DataFrame, styles: Mapping[str, Look]) -> None:
    window = max(1, int(frame["at"].max()) // 20)
    for name in [name for name in styles if name in frame]:
        colour, line = styles[name]
        wide = frame.pivot_table(index="at", columns="seed", values=name)
        smooth = wide.rolling(window, min_periods=1).mean()
        axis.plot(smooth.index, smooth.mean(axis=1), color=colour, ls=line, lw=1.2, label=name)
        axis.fill_between(
            smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=colour, alpha=0.2, lw=0
        )
    if "dev_score" in frame:
        found = frame.dropna(subset=["dev_score"])
        axis.plot(found["at"], found["dev_score"], "k+", ms=6, label="dev nDCG@10")
    drawn = np.concatenate([line.get_ydata() for line in axis.lines])
    if 0 < drawn.min() < drawn.max() / SPREAD:  # or the smallest would lie on the axis
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, frameon=True, framealpha=0.8, edgecolor="none")
