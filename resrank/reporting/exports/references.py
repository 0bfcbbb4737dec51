"""BibTeX of the systems, collections, first stages and metrics that a suite used.

`config/references.yaml` holds the entries, and the keys that each name cites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from resrank.evaluation.metrics import parse_metric
from resrank.io.atomic import write_text
from resrank.io.shipped_files import shipped
from resrank.io.yaml import read_source
from resrank.options import Strict
from resrank.reporting.exports.runs import run_files
from resrank.reporting.results import read_json

Entry = dict[str, str | int]
Citations = dict[str, list[str]]
"""Name -> keys of entries."""


class References(Strict):
    """BibTeX entries, and the names that cite them."""

    entries: dict[str, Entry] = Field(description="Key -> `type` and BibTeX's fields.")
    kinds: Citations = Field(description="A system's kind -> keys.")
    systems: Citations = Field(
        description="A system of config/systems.yaml -> keys in addition to its kind's."
    )
    collections: Citations = Field(description="A collection of config/datasets.yaml -> keys.")
    first_stages: Citations = Field(description="A first stage's kind -> keys.")
    metrics: Citations = Field(description="A metric's family as ir_measures names it -> keys.")
    claims: Citations = Field(description="A file of config/claims -> keys of its source.")

    @model_validator(mode="after")
    def _every_entry_is_cited_and_every_citation_has_one(self) -> References:
        cited = {key for names in self.sections.values() for keys in names.values() for key in keys}
        if cited != set(self.entries):
            missing, unused = sorted(cited - set(self.entries)), sorted(set(self.entries) - cited)
            raise ValueError(
                f"cited without an entry: {missing}; entries that nothing cites: {unused}"
            )
        return self

    @property
    def sections(self) -> dict[str, Citations]:
        """The citations by section, named as in the file."""
        return {
            "kinds": self.kinds,
            "systems": self.systems,
            "collections": self.collections,
            "first_stages": self.first_stages,
            "metrics": self.metrics,
            "claims": self.claims,
        }


def read_references() -> References:
    """Read config/references.yaml."""
    return read_source(References, shipped("references.yaml"))


def export_references(root: Path, out: Path) -> Path:
    """Write the BibTeX of everything that a suite used.

    Comments at the end of the file name what has no reference.
    """
    references = read_references()
    keys: list[str] = []
    unknown: list[str] = []
    for section, name, description in used(root):
        cited = references.sections[section].get(name)
        if cited is None and section != "systems":  # a system's kind has the references
            unknown.append(description)
        keys += cited or []
    parts = [bibtex(key, references.entries[key]) for key in sorted(set(keys))]
    parts += [f"% no reference for {item}\n" for item in dict.fromkeys(unknown)]
    write_text(out, "\n".join(parts))
    return out


def bibtex(key: str, entry: Mapping[str, str | int]) -> str:
    """Return an entry in BibTeX's syntax."""
    fields = [f"  {name} = {{{value}}}" for name, value in entry.items() if name != "type"]
    return "\n".join([f"@{entry['type']}{{{key},", ",\n".join(fields), "}\n"])


def used(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (section, name in it, description) of everything that the suite's files name."""
    for path in run_files(root):
        dataset, stage, system = path.relative_to(root).parts[1:4]
        config = read_json(path.with_suffix(".manifest.json"))["config"]
        yield "systems", system, f"system {system}"
        yield "kinds", config["kind"], f"system {system} (kind {config['kind']})"
        for kind in _inner_kinds(config["options"]):
            yield "kinds", kind, f"kind {kind}"
        yield "collections", dataset, f"collection {dataset}"
        candidates = read_json(root / "candidates" / dataset / f"{stage}.manifest.json")
        kind = candidates["config"]["kind"]
        yield "first_stages", kind, f"first stage {stage} (kind {kind})"
    for metric in read_json(root / "report.manifest.json")["config"]["metrics"]:
        yield "metrics", parse_metric(metric).NAME, f"metric {metric}"


def _inner_kinds(options: Any) -> Iterator[str]:
    """Yield the kinds of systems inside another system's options, under the key `system`."""
    if isinstance(options, Mapping):
        system = options.get("system")
        if isinstance(system, Mapping) and "kind" in system:
            yield str(system["kind"])
        for value in options.values():
            yield from _inner_kinds(value)
