"""How a query's cost grows: rows for `python -m resrank growth`, modelled and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from resrank.efficiency.assumptions import Assumptions
from resrank.io.collection import Collection
from resrank.io.environment import environment
from resrank.io.manifest import read_checked_json, write_checked_json
from resrank.jobs.growth_points import USUAL, Measuring, measured, modelled, running_text
from resrank.jobs.parent_process import end_with_parent
from resrank.records import Split
from resrank.suite.collection_instruction import open_instructions
from resrank.suite.resolved import Resolved

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class GrowthJob:
    """What to model, and to measure where a collection gives text.

    systems: names; all of the suite's if empty.
    collection: a folder; nothing is measured if None.
    most_candidates, longest, repeats: the ends of the measured axes, and the queries per point.
    out: each system's measured rows are kept in `out`/growth; a stopped call resumes after them.
    """

    suite: Resolved
    systems: Sequence[str] = ()
    assumed: Assumptions
    collection: Path | None = None
    most_candidates: int = 100
    longest: int = 128
    repeats: int = 3
    out: Path

    @property
    def chosen(self) -> list[str]:
        """The systems' names. ValueError if the suite lacks one."""
        unknown = sorted(set(self.systems) - set(self.suite.systems))
        if unknown:
            allowed = ", ".join(sorted(self.suite.systems))
            raise ValueError(f"unknown system {', '.join(unknown)}; known: {allowed}")
        return list(self.systems or self.suite.given.systems)

    @property
    def instruction(self) -> str:
        """The instruction of the collection whose text is measured.

        A folder that is not named as one of the suite's collections has that of the first.
        """
        names = self.suite.suite.collections
        folder = "" if self.collection is None else self.collection.name
        return self.suite.collections[folder if folder in names else names[0]].instruction

    def title(self, rows: Sequence[Row]) -> str:
        """Return the first sentences of the caption."""
        suite = self.suite.suite
        title = suite.title or suite.name
        title += f"; modelled: {self.assumed.device} at {self.assumed.utilisation:.0%}."
        if suite.scale > 1:
            title += f" Layers and widths are divided by {suite.scale}."
        with_rows = {row["system"] for row in rows}
        left_out = [self.suite.label(n) for n in self.chosen if n not in with_rows]
        if left_out:
            title += f" Left out, since no model's cost is known of them: {', '.join(left_out)}."
        if self.collection is not None:
            listed = min(USUAL.candidates, self.most_candidates)
            title += f" Measured: {environment()['machine']['processor']}; passages of each length "
            title += f"in lists of {listed}, modelled in lists of {USUAL.candidates}."
        return title


def grow(job: GrowthJob) -> list[Row]:
    """Return the rows of the named systems: modelled, then measured if there is a collection."""
    rows = modelled(job.suite, job.chosen, job.assumed)
    if job.collection is None:
        return rows
    text = Collection(job.collection)
    query = min(text.queries(Split.TEST), key=lambda q: q.id)
    ends = (job.most_candidates, job.longest, job.repeats)
    measuring = Measuring(running_text(text.passages), query, *ends, job.instruction)
    with_rows = {row["system"] for row in rows}
    with ProcessPoolExecutor(
        1, get_context("spawn"), end_with_parent, max_tasks_per_child=1
    ) as apart:  # no memory is held for the next system
        for name in (n for n in job.chosen if n in with_rows):
            about = _about(job, name, text.hash)
            measure = partial(_in_a_process, apart, job.suite, name, measuring)
            rows += _kept(job.out / "growth" / f"{name}.json", about, measure)
    return rows


def _about(job: GrowthJob, name: str, text: str) -> dict[str, Any]:
    """Return what a system's measured rows depend on."""
    system = job.suite.systems[name].model_dump(mode="json")
    ends = [job.most_candidates, job.longest, job.repeats]
    about = {"system": system, "text": text, "ends": ends, **environment()}
    has_text = any(open_instructions(job.suite.systems[name].options))
    return about | ({"instruction": job.instruction} if has_text else {})


def _kept(path: Path, about: Mapping[str, Any], measure: Callable[[], list[Row]]) -> list[Row]:
    """Return rows that an earlier call measured under the same conditions, or measure and keep."""
    if path.is_file():
        earlier = read_checked_json(path)
        if earlier["about"] == about:
            rows: list[Row] = earlier["rows"]
            return rows
    rows = measure()
    write_checked_json(path, {"about": about, "rows": rows})
    return rows


def _in_a_process(apart: ProcessPoolExecutor, *about: Any) -> list[Row]:
    """Measure one system in a process of its own; return its rows."""
    return apart.submit(_measured, *about).result()


def _measured(*about: Any) -> list[Row]:
    return list(measured(*about))
