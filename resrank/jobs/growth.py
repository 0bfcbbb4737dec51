"""The job behind `python -m resrank growth`: rows made and measured, then shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from resrank.efficiency.assumed import Assumed
from resrank.io.collection import Collection
from resrank.io.environment import environment
from resrank.io.manifest import read_checked_json, write_checked_json
from resrank.jobs.growth_points import USUAL, measured, modelled, running_text
from resrank.jobs.parent_process import end_with_parent
from resrank.records import Split
from resrank.reporting.figures.growth import write_growth
from resrank.suite.resolved import Resolved


def grow(
    resolved: Resolved, names: Sequence[str] | None, assumed: Assumed, collection: Path | None,
    ends: tuple[int, int, int], out: Path,
) -> list[Path]:  # fmt: skip
    """Model the named systems' growth, measure it where a collection gives text, write both.

    ends: most candidates, longest passages and repeats of what is measured. Each system's rows are
    kept in `out`/growth, and a call that was stopped goes on behind them.
    """
    unknown = sorted(set(names or ()) - set(resolved.systems))
    if unknown:
        known = ", ".join(sorted(resolved.systems))
        raise ValueError(f"unknown system {', '.join(unknown)}; known: {known}")
    chosen = list(names or resolved.suite.systems)
    rows = modelled(resolved, chosen, assumed)
    title = resolved.suite.title or resolved.suite.name
    title += f"; modelled: {assumed.device} at {assumed.utilisation:.0%}."
    if resolved.suite.scale > 1:
        title += f" Layers and widths are divided by {resolved.suite.scale}."
    shown = {row["system"] for row in rows}
    left_out = [resolved.label(n) for n in chosen if n not in shown]
    if left_out:
        title += f" Left out, since no model's cost is known of them: {', '.join(left_out)}."
    if collection is not None:
        text = Collection(collection)
        words = running_text(text.passages)
        query = min(text.queries(Split.TEST), key=lambda q: q.id)
        with ProcessPoolExecutor(
            1, get_context("spawn"), end_with_parent, max_tasks_per_child=1
        ) as apart:  # no memory is held for the next one
            for name in (n for n in chosen if n in shown):
                about = _about(resolved, name, text.hash, ends)
                measure = partial(_in_a_process, apart, resolved, name, words, query, *ends)
                rows += _kept(out / "growth" / f"{name}.json", about, measure)
        listed = min(USUAL.candidates, ends[0])
        title += f" Measured: {environment()['machine']['processor']}; passages of each length in "
        title += f"lists of {listed}, modelled in lists of {USUAL.candidates}."
    return write_growth(rows, title, out)


def _about(resolved: Resolved, name: str, text: str, ends: tuple[int, int, int]) -> dict[str, Any]:
    """What a system's measured rows depend on."""
    system = resolved.systems[name].model_dump(mode="json")
    return {"system": system, "text": text, "ends": list(ends), **environment()}


def _kept(
    path: Path, about: Mapping[str, Any], measure: Callable[[], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Rows that an earlier call measured under the same conditions, or new ones, kept there."""
    if path.is_file():
        found = read_checked_json(path)
        if found["about"] == about:
            rows: list[dict[str, Any]] = found["rows"]
            return rows
    rows = measure()
    write_checked_json(path, {"about": about, "rows": rows})
    return rows


def _in_a_process(apart: ProcessPoolExecutor, *about: Any) -> list[dict[str, Any]]:
    """The rows of one system."""
    return apart.submit(_measured, *about).result()


def _measured(*about: Any) -> list[dict[str, Any]]:
    return list(measured(*about))
