"""What the library's collections are, and what a suite would fetch and run. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resrank.collections.counting import sizes
from resrank.collections.fetch import is_here
from resrank.collections.kinds import Collection, RemoteFile
from resrank.collections.origin import remote_files
from resrank.efficiency.assumed import Assumed
from resrank.model.architectures import RANDOM
from resrank.model.hub import PACKAGED
from resrank.model.trained_models import PREFIX
from resrank.registry import resolve
from resrank.reporting.plan.estimate import estimate
from resrank.suite.load import Resolved, with_parts

HEADERS = ["collection", "source", "licence", "files: size, checksum", "text of a passage",
           "relevant from grade", "three grades from", "passages", "test queries",
           "judgments"]  # fmt: skip
TEXTS = {
    "docstrings": "the first words of a docstring",
    "beir": "title and text",
    "candidates": "the candidate's text",
    "ir_datasets": "ir_datasets' default text",
}


def catalogue(collections: Mapping[str, Collection]) -> str:
    """A Markdown table of collections: origin, licence, files, counts that must come out."""
    rows = [_row(name, spec) for name, spec in collections.items()]
    lines = [HEADERS, [":--"] * 7 + ["--:"] * 3, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plan(resolved: Resolved, assumed: Assumed | None = None) -> str:
    """What a suite fetches, loads, trains and runs, what of it is here already, what it takes."""
    lines = [f"Suite {resolved.suite.name}: {resolved.suite.title or ''}".rstrip(": "), ""]
    lines.append("Collections:")
    fetched: dict[str, RemoteFile] = {}
    for name in resolved.suite.collections + resolved.only_learned_from:
        spec = resolved.collections[name]
        files = remote_files(spec)
        fetched |= {file.checksum: file for file in files}
        terms = f"; terms: {spec.terms}" if spec.terms else ""
        lines.append(f"  {name}: {_state(spec, files)}; licence: {spec.licence}{terms}")
    lines += [f"  skipped: {name}, {why}" for name, why in resolved.skipped.items()]
    absent = [file for file in fetched.values() if not is_here(file)]
    lines.append(f"  to fetch: {len(absent)} files, {_size(sum(f.bytes for f in absent))}")
    lines += ["", "Models:"]
    lines += [f"  {model}" for model in sorted(set(_models(resolved)))] or ["  none"]
    lines += ["", "Systems:"]
    for name in resolved.suite.systems:
        learned = resolved.systems[name].training is not None
        trained = f"trained on {resolved.trained_on(name)}, " if learned else ""
        count = len(resolved.seeds_of(name)) * len(resolved.pairs)
        lines.append(f"  {name}: {trained}{count} runs, {len(resolved.pairs)} measurements")
    lines += ["", *estimate(resolved, assumed or Assumed())]
    return "\n".join(lines)


def _row(name: str, spec: Collection) -> list[str]:
    files = [f"[{f.name}]({f.url}): {f.bytes:,} bytes, `{f.checksum}`" for f in remote_files(spec)]
    paths = [getattr(spec, key, None) for key in ("path", "qrels")]
    own = [f"your own copy at `{path}`" for path in paths if isinstance(path, Path)]
    source = f"{spec.source} ({spec.version})" if spec.version else spec.source
    if spec.kind == "docstrings":
        source, own = "docstrings of installed packages", ["none"]
    counts = [f"{n:,}" if n is not None else "–" for n in spec.counts.model_dump().values()]
    licence = "as the packages" if spec.kind == "docstrings" else spec.licence
    texts = TEXTS[spec.kind]
    grades = [str(spec.relevant_grade), three_grades_text(spec)]
    return [name, source, licence, "<br>".join(files + own), texts, *grades, *counts]


def three_grades_text(spec: Collection) -> str:
    """The lowest own grades that count as 1 and as 2 of three."""
    if spec.kind == "docstrings":
        return "1: near a named object, 2: named"
    if spec.grades_from is None:
        return "–"
    partly, fully = spec.grades_from
    return f"1: {partly}, 2: {fully}" if partly < fully else f"2: {fully}"


def _state(spec: Collection, files: list[RemoteFile]) -> str:
    absent = [file for file in files if not is_here(file)]
    if absent:
        return (
            f"{len(absent)} of {len(files)} files to fetch, {_size(sum(f.bytes for f in absent))}"
        )
    if files:
        return "here"
    if spec.kind == "ir_datasets":
        return "ir_datasets fetches what it needs"
    if spec.kind == "docstrings":
        return "made on this machine, and counted then"
    held = sizes(spec)._asdict().items()
    counts = ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in held if n is not None)
    return f"read on this machine: {counts}"


def _models(resolved: Resolved) -> Iterator[str]:
    """Models that systems and dense first stages load, with the revisions that are pinned."""
    for spec in with_parts(resolved.systems, resolved.suite.systems).values():
        yield from _models_in({"kind": spec.kind, "options": spec.options})
    for _, stage in resolved.pairs:
        yield from _models_in(resolved.first_stages[stage].model_dump())
        for spec in with_parts(resolved.systems, resolved.stage_parts(stage)).values():
            yield from _models_in({"kind": spec.kind, "options": spec.options})


def _models_in(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("kind") == "http":
        yield f"{options['model']} behind {options['url']}"
        return
    if "options" in options:  # a system's entry: what is not set has a default
        set_here = resolve(options["kind"]).Options.model_validate(options["options"])
        yield from _models_in(set_here.model_dump())
        return
    for key in ("model", "reranker", "vocabulary"):
        model = options.get(key)
        if isinstance(model, str) and model.startswith(RANDOM):
            yield f"{model}, random weights of that shape, made here"
        elif isinstance(model, str) and model in PACKAGED and options.get("revision") is None:
            yield f"{model}, carried by the package {PACKAGED[model]}"
        elif isinstance(model, str) and not model.startswith(PREFIX):
            pinned = options.get("reranker_revision" if key == "reranker" else "revision")
            yield f"{model} at {pinned or 'its newest commit (not pinned)'}"
    for value in options.values():
        if isinstance(value, Mapping):
            yield from _models_in(value)


def _size(count: int) -> str:
    return f"{count:,} bytes ({count / 1e9:.2f} GB)"
