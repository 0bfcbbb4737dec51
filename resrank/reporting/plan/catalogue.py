"""The library's collections as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping

from resrank.collections.base import CollectionKind

HEADERS = [
    "collection",
    "source",
    "licence",
    "files: size, checksum",
    "text of a passage",
    "relevant from grade",
    "three grades from",
    "passages",
    "test queries",
    "judgments",
]


def catalogue(collections: Mapping[str, CollectionKind]) -> str:
    """Return a Markdown table of collections: origin, licence, files and expected counts."""
    rows = [_row(name, spec) for name, spec in collections.items()]
    lines = [HEADERS, [":--"] * 7 + ["--:"] * 3, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(name: str, spec: CollectionKind) -> list[str]:
    files = [f"[{f.name}]({f.url}): {f.bytes:,} bytes, `{f.checksum}`" for f in spec.remote_files()]
    copies = [f"your own copy at `{path}`" for path in spec.local_paths().values()]
    source = f"{spec.source} ({spec.version})" if spec.version else spec.source
    counts = [f"{n:,}" if n is not None else "–" for n in spec.counts.model_dump().values()]
    grades = [str(spec.relevant_grade), spec.grades_text()]
    listed = "<br>".join(files + copies) or "none"
    return [name, source, spec.licence, listed, spec.passage_text, *grades, *counts]
