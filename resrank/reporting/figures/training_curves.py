"""Training curves: each system's losses, residual and dev scores over the steps, one panel each."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from resrank.reporting.figures.style import COLOURS, STYLE, add_caption, grid, save
from resrank.reporting.training_logs import CONDITIONS, read_log
from resrank.suite.resolved import Resolved

NOT_DRAWN = {"phase", "step", "epoch", "dev_score", "at", "seed", "scale", *CONDITIONS}
NOT_DRAWN |= {"common_passages", "common_closing"}
NAMES = {"residual_ratio": "residual |we| / |h|"}
"""Names of columns in legends, where they differ from the columns'."""
LOG_RATIO = 100  # of the largest to the smallest loss, above which an axis is logarithmic
TITLE_LETTERS = 50  # per line of a panel's title
LINES = ["-", "--", "-.", ":"]
LEGEND = "Line: mean over seeds. Band: their range. Smoothed over a twentieth of the steps."
LabelledLogs = Sequence[tuple[str, pd.DataFrame]]
"""(a system's label, its log with one row per step and seed)."""
LineLook = tuple[str, str]
"""(colour, style of the line)."""


def training_curves(resolved: Resolved, root: Path, note: str, out: Path) -> list[Path]:
    """Draw losses over steps, mean and range over seeds, as `<out>.svg` and `<out>.png`.

    ResRank has a line for its residual's length, relative to the reranker's states.

    Stages follow one another. A dev score is drawn at the step where it was measured. Panels give
    the training sample and the batch size, the caption the machine and the number format.
    """
    logs = [(resolved.label(name), _logs(resolved, root, name)) for name in resolved.trained]
    with plt.rc_context(STYLE):
        figure, axes = grid(len(logs), 3.4, 2.8)
        styles = looks(logs)
        for axis, (label, log) in zip(axes, logs, strict=True):
            _draw_panel(axis, log, styles)
            title = f"{textwrap.fill(label, TITLE_LETTERS)}\n{sizes(log)}"
            axis.set_title(title, loc="left", fontsize=7)
        drawn = {
            "loss": True,
            "residual": any("residual_ratio" in log for _, log in logs),
            "dev nDCG@10": any("dev_score" in log for _, log in logs),
        }
        figure.supxlabel("optimiser step", fontsize=8)
        names = "; ".join(name for name, is_drawn in drawn.items() if is_drawn)
        figure.supylabel(names, fontsize=8)
        add_caption(figure, f"{note}{conditions(logs)} {LEGEND}")
        return save(figure, out)


def looks(logs: LabelledLogs) -> dict[str, LineLook]:
    """Return the colour and line style of each loss or ratio, the same in every panel."""
    names = dict.fromkeys(str(n) for _, log in logs for n in log if n not in NOT_DRAWN)
    return dict(zip(names, zip(cycle(COLOURS), cycle(LINES), strict=False), strict=False))


def sizes(log: pd.DataFrame) -> str:
    """Return each phase's sample and batch size, one per line: '512 queries, 16 per step'."""
    lines = []
    for phase, rows in log[log["seed"] == log["seed"].iloc[0]].groupby("phase", sort=False):
        epoch = rows[rows["epoch"] == rows["epoch"].min()]
        sample = f"{epoch['batch'].sum()} {rows['unit'].iloc[0]}, {rows['batch'].max()} per step"
        lines.append(f"{phase}: {sample}" if log["phase"].nunique() > 1 else sample)
    return "\n".join(lines)


def conditions(logs: LabelledLogs) -> str:
    """Return the training machines and number formats, with the systems of each if several."""
    by_machine: dict[str, list[str]] = {}
    for label, log in logs:
        rows = log[["processor", "device", "dtype"]].drop_duplicates()
        for processor, device, dtype in rows.itertuples(index=False, name=None):
            machine = processor if device == "cpu" else f"{device} and {processor}"
            by_machine.setdefault(f"{machine}, {dtype}", []).append(label)
    if len(by_machine) == 1:
        return f"Trained on {next(iter(by_machine))}."
    each = "; ".join(f"{machine} ({', '.join(labels)})" for machine, labels in by_machine.items())
    return f"Trained on {each}."


def _logs(resolved: Resolved, root: Path, system: str) -> pd.DataFrame:
    """Read the training logs of all seeds of a system."""
    folder = root / "models" / system
    seeds = resolved.seeds_of(system)
    return pd.concat([read_log(folder / f"seed{seed}.log.jsonl", seed) for seed in seeds])


def _draw_panel(axis: Axes, frame: pd.DataFrame, styles: Mapping[str, LineLook]) -> None:
    window = max(1, int(frame["at"].max()) // 20)
    for name in [name for name in styles if name in frame]:
        colour, line = styles[name]
        wide = frame.pivot_table(index="at", columns="seed", values=name)
        smooth = wide.rolling(window, min_periods=1).mean()
        axis.plot(
            smooth.index,
            smooth.mean(axis=1),
            color=colour,
            ls=line,
            lw=1.2,
            label=NAMES.get(name, name),
        )
        low, high = smooth.min(axis=1), smooth.max(axis=1)
        axis.fill_between(smooth.index, low, high, color=colour, alpha=0.2, lw=0)
    if "dev_score" in frame:
        scored = frame.dropna(subset=["dev_score"])
        axis.plot(scored["at"], scored["dev_score"], "k+", ms=6, label="dev nDCG@10")
    drawn = np.concatenate([line.get_ydata() for line in axis.lines])
    if 0 < drawn.min() < drawn.max() / LOG_RATIO:  # the smallest would otherwise touch the axis
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, frameon=True, framealpha=0.8, edgecolor="none")
