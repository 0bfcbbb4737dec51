"""How training went: each system's losses and dev scores, a panel a system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from resrank.outputs import check_file, manifest_of
from resrank.reporting.figures import COLOURS, STYLE, explain, grid, save
from resrank.seals import read_sealed
from resrank.suite import Resolved

NOT_LOSSES = {"phase", "step", "epoch", "dev_score", "at", "seed"}
LINES = ["-", "--", "-.", ":"]
LEGEND = "Line: mean over seeds; band: their range; smoothed over a twentieth of the steps."


def training_curves(resolved: Resolved, root: Path, note: str, out: Path) -> list[Path]:
    """Losses over steps, mean and range over seeds, as `<out>.svg` and `<out>.png`.

    Stages follow one another; a dev score stands where it was taken.
    """
    systems = resolved.trained
    logs = {name: _logs(resolved, root, name) for name in systems}
    with plt.rc_context(STYLE):
        figure, axes = grid(len(systems), 3.4, 2.6)
        for axis, system in zip(axes, systems, strict=True):
            _panel(axis, logs[system])
            axis.set_title(resolved.label(system), loc="left", fontsize=8)
        scored = any("dev_score" in log for log in logs.values())
        figure.supxlabel("step of the optimiser", fontsize=8)
        figure.supylabel("loss; dev nDCG@10" if scored else "loss", fontsize=8)
        explain(figure, note + LEGEND)
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def _logs(resolved: Resolved, root: Path, system: str) -> pd.DataFrame:
    """The training logs of all seeds of a system."""
    folder = root / "models" / system
    seeds = resolved.seeds_of(system)
    return pd.concat([read_log(folder / f"seed{seed}.log.jsonl", seed) for seed in seeds])


def read_log(path: Path, seed: int) -> pd.DataFrame:
    """A training log, a row a step; `at` counts steps through all phases.

    Raises Damaged if it is not what the model's manifest says was written.
    """
    manifest = manifest_of(path.with_name(path.name.removesuffix(".log.jsonl")))
    if manifest.is_file() and (digest := read_sealed(manifest).get("log")):
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
    return frame


def _panel(axis: Axes, frame: pd.DataFrame) -> None:
    losses = [name for name in frame if name not in NOT_LOSSES]
    window = max(1, int(frame["at"].max()) // 20)
    for colour, line, name in zip(COLOURS, LINES, losses, strict=False):
        wide = frame.pivot_table(index="at", columns="seed", values=str(name))
        smooth = wide.rolling(window, min_periods=1).mean()
        axis.plot(smooth.index, smooth.mean(axis=1), color=colour, ls=line, lw=1.2, label=str(name))
        axis.fill_between(
            smooth.index, smooth.min(axis=1), smooth.max(axis=1), color=colour, alpha=0.2, lw=0
        )
    if "dev_score" in frame:
        found = frame.dropna(subset=["dev_score"])
        axis.plot(found["at"], found["dev_score"], "k+", ms=6, label="dev nDCG@10")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7)
