"""Differences between two suites' folders: did an edit break the reproduction?

There is one row per item in either folder: `kind` (score, cost, data, version, configuration),
`name`, its values `a` and `b`, and for numbers the `difference` (b - a).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resrank.evaluation.resampling import Values
from resrank.evaluation.seed_scores import SCORES, seed_values
from resrank.evaluation.significance import LEVEL, holm, randomisation_p
from resrank.io.atomic import atomic_file, write_text
from resrank.io.parquet import read_columns
from resrank.reporting.provenance import Manifests, environments, hashes, read_manifests
from resrank.reporting.results import read_json

COLUMNS = ["kind", "name", "a", "b", "difference", "p_holm", "queries"]
COSTS = ("p50_ms_", "p95_ms_", "tokens_per_passage_", "flops_per_query_")
DATA = ("collections", "candidates", "runs")
ComparedItem = dict[str, Any]


def changes(a: Path, b: Path) -> pd.DataFrame:
    """Return every item, changed or not. Raises FileNotFoundError for a folder without a report.

    Scores are tested over the queries in both folders, with seeds averaged first, by the
    randomisation test with Holm's correction over the systems and metrics of a candidate set.
    """
    one, other = (read_json(root / "report.manifest.json")["config"] for root in (a, b))
    manifests = read_manifests(a), read_manifests(b)
    rows = [
        *_scores(a, b),
        *_costs(a, b),
        *_facts("data", *map(_data, manifests)),
        *_facts("version", *map(_versions, manifests)),
        *_facts("configuration", dict(_flat(one)), dict(_flat(other))),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def changed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose two values differ."""
    same = (frame["a"] == frame["b"]) | (frame["a"].isna() & frame["b"].isna())
    return frame[~same]


def changes_text(frame: pd.DataFrame) -> str:
    """Return Markdown: the number of changes of each kind, and one line per change."""
    differing = changed(frame)
    parts = []
    for kind, rows in frame.groupby("kind", sort=False):
        of_kind = differing[differing["kind"] == kind]
        parts.append(f"## {kind}: {len(of_kind)} of {len(rows)} changed")
        parts += [f"- {_line(row)}" for row in of_kind.to_dict("records")]
    return "\n".join(parts)


def write_changes(frame: pd.DataFrame, path: Path) -> None:
    """Write `.csv` (every row) or `.md` (the changes), by the file name's suffix."""
    if path.suffix == ".csv":
        with atomic_file(path) as partial:
            frame.to_csv(partial, index=False, lineterminator="\n")
    elif path.suffix == ".md":
        write_text(path, changes_text(frame) + "\n")
    else:
        raise ValueError(f"--out {path}: name a .csv file (every row) or a .md file (the changes)")


def _line(row: Mapping[Any, Any]) -> str:
    text = f"{row['name']}: {_value(row['a'])} -> {_value(row['b'])}"
    if pd.notna(row["difference"]):
        text += f" ({row['difference']:+.4g})"
    if pd.notna(row["p_holm"]):
        verdict = "significant" if row["p_holm"] < LEVEL else "not significant"
        text += f", p {row['p_holm']:.4f} over {row['queries']:.0f} queries: {verdict}"
    return text


def _value(value: Any) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _scores(a: Path, b: Path) -> Iterator[ComparedItem]:
    files = [{p.relative_to(r) for p in r.glob("scores/*/*.parquet")} for r in (a, b)]
    for path in sorted(files[0] & files[1]):
        where = f"{path.parent.name} over {path.stem}"
        pairs = _paired(*(read_columns(root / path, SCORES).to_pandas() for root in (a, b)))
        if pairs:
            p = holm(np.array([randomisation_p((y - x)[None], len(pairs))[0] for _, x, y in pairs]))
            for (name, x, y), value in zip(pairs, p, strict=True):
                row = _number("score", f"{where}, {name}", float(x.mean()), float(y.mean()))
                yield row | {"p_holm": float(value), "queries": len(x)}
    for path in sorted(files[0] ^ files[1]):
        sides = [str(path) if path in paths else None for paths in files]
        yield {"kind": "score", "name": str(path), "a": sides[0], "b": sides[1]}


def _paired(one: pd.DataFrame, other: pd.DataFrame) -> list[tuple[str, Values, Values]]:
    """Return (system and metric, values, values) over the queries that both files score."""
    both = set(one["query_id"]) & set(other["query_id"])
    pairs = []
    for metric in sorted(set(one["metric"]) & set(other["metric"])):
        a, b = (_means(frame[frame["query_id"].isin(both)], metric) for frame in (one, other))
        pairs += [(f"{system} {metric}", a[system], b[system]) for system in a if system in b]
    return [pair for pair in pairs if len(pair[1])]


def _means(frame: pd.DataFrame, metric: str) -> dict[str, Values]:
    rows = frame[frame["metric"] == metric]
    values = seed_values(rows[[*SCORES]].itertuples(index=False, name=None), metric)
    return {system: by_seed.mean(axis=0) for system, by_seed in values.items()}


def _costs(a: Path, b: Path) -> Iterator[ComparedItem]:
    one, other = (_costs_of(pd.read_csv(root / "tables" / "comparison.csv")) for root in (a, b))
    for name in sorted(one.keys() | other.keys()):
        yield _number("cost", name, one.get(name), other.get(name))


def _costs_of(frame: pd.DataFrame) -> dict[str, float]:
    names = [name for name in frame if str(name).startswith(COSTS)]
    return {
        f"{row['collection']} over {row['first_stage']}, {row['system']} {name}": float(row[name])
        for row in frame.to_dict("records")
        for name in names
        if pd.notna(row[name])
    }


def _number(kind: str, name: str, a: float | None, b: float | None) -> ComparedItem:
    difference = None if a is None or b is None else b - a
    return {"kind": kind, "name": name, "a": a, "b": b, "difference": difference}


def _data(manifests: Manifests) -> dict[str, Any]:
    return {name: digest for name, digest in hashes(manifests) if name.startswith(DATA)}


def _versions(manifests: Manifests) -> dict[str, Any]:
    """Return versions, revision and machine; several values where files were made in several."""
    values: dict[str, dict[str, None]] = {}
    for environment in environments(manifests):
        about = {key: value for key, value in environment.items() if key != "files"}
        for name, value in _flat(about):
            values.setdefault(name.removeprefix("packages."), {})[str(value)] = None
    return {name: ", ".join(sorted(each)) for name, each in values.items()}


def _facts(kind: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterable[ComparedItem]:
    for name in sorted(one.keys() | other.keys()):
        yield {"kind": kind, "name": name, "a": one.get(name), "b": other.get(name)}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, leaf) of a nested value; a list is a leaf, as text."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, str(value)
