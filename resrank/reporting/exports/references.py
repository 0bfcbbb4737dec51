"""BibTeX of the systems, collections, first stages and metrics that a suite used.

`config/references.yaml` holds the entries and says which of them each name stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from resrank.evaluation.metrics import parse_metric
from resrank.io.atomic import write_text
from resrank.io.yaml import read_source
from resrank.options import Strict
from resrank.reporting.exports.runs import run_files
from resrank.reporting.results import read_json
from resrank.suite.load import CONFIG_DIR

Entry = dict[str, str | int]
Cited = dict[str, list[str]]


class References(Strict):
    """Entries, and what they are cited for."""

    entries: dict[str, Entry] = Field(description="Key -> `type` and BibTeX's own fields.")
    kinds: Cited = Field(description="A system's kind -> keys.")
    systems: Cited = Field(description="A system of config/systems.yaml -> keys beside its kind's.")
    collections: Cited = Field(description="A collection of config/datasets.yaml -> keys.")
    first_stages: Cited = Field(description="A first stage's kind -> keys.")
    metrics: Cited = Field(description="A metric's family as ir_measures names it -> keys.")

    @model_validator(mode="after")
    def _each_is_there_and_used(self) -> References:
        sections = (self.kinds, self.systems, self.collections, self.first_stages, self.metrics)
        named = {key for section in sections for keys in section.values() for key in keys}
        if named != set(self.entries):
            lacking, idle = sorted(named - set(self.entries)), sorted(set(self.entries) - named)
            raise ValueError(
                f"cited without an entry: {lacking}; entries that nothing cites: {idle}"
            )
        return self


def read_references() -> References:
    """What config/references.yaml holds."""
    return read_source(References, CONFIG_DIR / "references.yaml")


def export_references(root: Path, out: Path) -> Path:
    """Write the BibTeX of all that a suite used; what has no reference is named at the end."""
    known = read_references()
    keys: list[str] = []
    unknown: list[str] = []
    for section, name, what in used(root):
        found = getattr(known, section).get(name)
        if found is None and section != "systems":  # a system's kind has its own
            unknown.append(what)
        keys += found or []
    parts = [bibtex(key, known.entries[key]) for key in sorted(set(keys))]
    parts += [f"% no reference known of {what}\n" for what in dict.fromkeys(unknown)]
    write_text(out, "\n".join(parts))
    return out


def bibtex(key: str, entry: Mapping[str, str | int]) -> str:
    """An entry as BibTeX reads it."""
    fields = [f"  {name} = {{{value}}}" for name, value in entry.items() if name != "type"]
    return "\n".join([f"@{entry['type']}{{{key},", ",\n".join(fields), "}\n"])


def used(root: Path) -> Iterator[tuple[str, str, str]]:
    """(section, name in it, what it is) of all that the suite's files name."""
    for path in run_files(root):
        dataset, stage, system = path.relative_to(root).parts[1:4]
        config = read_json(path.with_suffix(".manifest.json"))["config"]
        yield "systems", system, f"system {system}"
        yield "kinds", config["kind"], f"system {system} (kind {config['kind']})"
        for kind in _inner(config["options"]):
            yield "kinds", kind, f"kind {kind}"
        yield "collections", dataset, f"collection {dataset}"
        candidates = read_json(root / "candidates" / dataset / f"{stage}.manifest.json")
        kind = candidates["config"]["kind"]
        yield "first_stages", kind, f"first stage {stage} (kind {kind})"
    for metric in read_json(root / "report.manifest.json")["config"]["metrics"]:
        yield "metrics", parse_metric(metric).NAME, f"metric {metric}"


def _inner(options: Any) -> Iterator[str]:
    """The kinds of systems that stand in another one's options, as `system`."""
    if isinstance(options, Mapping):
        system = options.get("system")
        if isinstance(system, Mapping) and "kind" in system:
            yield str(system["kind"])
        for value in options.values():
            yield from _inner(value)
