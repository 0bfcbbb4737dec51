"""The job behind `python -m resrank growth`: rows made and measured, then shown."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from resrank.efficiency.assumed import Assumed
from resrank.efficiency.growth import USUAL, measured, modelled, running_text
from resrank.files import environment
from resrank.owner import end_with_parent
from resrank.records import Split
from resrank.reporting.growth import write_growth
from resrank.store import Collection
from resrank.suite import Resolved


def grow(
    resolved: Resolved, names: Sequence[str] | None, assumed: Assumed, collection: Path | None,
    ends: tuple[int, int, int], out: Path,
) -> list[Path]:  # fmt: skip
    """Model the named systems' growth, measure it where a collection gives text, write both.

    ends: most candidates, longest passages and repeats of what is measured.
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
                rows += apart.submit(_measured, resolved, name, words, query, *ends).result()
        listed = min(USUAL.candidates, ends[0])
        title += f" Measured: {environment()['machine']['processor']}; passages of each length in "
        title += f"lists of {listed}, modelled in lists of {USUAL.candidates}."
    return write_growth(rows, title, out)


def _measured(*about: Any) -> list[dict[str, Any]]:
    """The rows of one system, in a process of its own."""
    return list(measured(*about))
