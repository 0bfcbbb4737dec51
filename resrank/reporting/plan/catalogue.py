"""What the library's collections are, and what a suite would fetch and run. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resrank.collections.base import CollectionKind
from resrank.collections.fetch import is_here
from resrank.collections.remote_file import RemoteFile
from resrank.efficiency.assumed import Assumed
from resrank.model.architectures import RANDOM
from resrank.model.hub import PACKAGED
from resrank.model.trained_models import PREFIX
from resrank.reporting.plan.estimate import estimate
from resrank.reranker_entry import options_of
from resrank.suite.parts import with_parts
from resrank.suite.resolved import Resolved

HEADERS = ["collection", "source", "licence", "files: size, checksum", "text of a passage",
           "relevant from grade", "three grades from", "passages", "test queries",
           "judgments"]  # fmt: skip


def catalogue(collections: Mapping[str, CollectionKind]) -> str:
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
        files = spec.remote_files()
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


def _row(name: str, spec: CollectionKind) -> list[str]:
    files = [f"[{f.name}]({f.url}): {f.bytes:,} bytes, `{f.checksum}`" for f in spec.remote_files()]
    copies = [f"your own copy at `{path}`" for path in spec.local_paths().values()]
    source = f"{spec.source} ({spec.version})" if spec.version else spec.source
    counts = [f"{n:,}" if n is not None else "–" for n in spec.counts.model_dump().values()]
    grades = [str(spec.relevant_grade), spec.grades_text()]
    listed = "<br>".join(files + copies) or "none"
    return [name, source, spec.licence, listed, spec.passage_text, *grades, *counts]


def _state(spec: CollectionKind, files: list[RemoteFile]) -> str:
    absent = [file for file in files if not is_here(file)]
    if absent:
        return (
            f"{len(absent)} of {len(files)} files to fetch, {_size(sum(f.bytes for f in absent))}"
        )
    if files:
        return "here"
    sizes = spec.sizes()._asdict().items()
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in sizes if n is not None)
    return f"{spec.preparation}: {counts}" if counts else spec.preparation


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
        set_here = options_of(options["kind"], options["options"])
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
