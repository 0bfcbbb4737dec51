"""A generated results folder of a suite, from which the page can be built."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from resrank.evaluation.score import SCHEMA
from resrank.io.candidates import write_candidates
from resrank.io.collection_content import CollectionContent
from resrank.io.collection_writer import write_collection
from resrank.io.manifest import write_manifest
from resrank.io.run import write_run, write_usage
from resrank.records import Passage, Query, Ranking, Split, Usage
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.write import write_table

HOSTILE = "<script>document.title = 'taken'</script> & <img src=x onerror=\"document.title='taken'\"> \u2028 ends"
WORDS = [f"{a}{b}" for a in ("sort", "array", "graph", "matrix", "sample", "index", "tree", "node") for b in ("", "s", "ing", "ed", "able")]  # fmt: skip


def write_results(
    root: Path,
    systems: int = 3,
    collections: int = 2,
    queries: int = 4,
    depth: int = 8,
    label: str = "System",
) -> Path:
    """Write collections, candidates, runs, scores, tables and manifests of `systems` systems.

    label: the start of their names.
    """
    rng = np.random.default_rng(0)
    names = [f"s{n}" for n in range(systems)]
    sets = [f"c{n}" for n in range(collections)]
    rows = [row for name in sets for row in _collection(root, name, names, queries, depth, rng)]
    frame = pd.DataFrame(rows)
    frame["label"] = [row.replace("System", label) for row in frame["label"]]
    columns = {"collection": Column("collection"), "label": Column("system"),
               "nDCG@10": Column("nDCG@10", 4, 1), "p50_ms_online": Column("p50 ms online", 1, -1)}  # fmt: skip
    made = write_table(
        root / "tables", "comparison", frame, columns, ["collection"], "What it is | of."
    )
    claims = pd.DataFrame({"claim": ["a", "b"], "verdict": ["reproduced", "not run (no such run)"]})
    claim_columns = {"claim": Column("claim"), "verdict": Column("verdict")}
    made += write_table(root / "tables", "claims", claims, claim_columns, [], "Published figures.")
    config = {"name": "generated", "title": "Generated <results>", "demonstration": True,
              "collections": sets, "systems": names, "metrics": ["nDCG@10"]}  # fmt: skip
    scores = {f"scores/{c}": root / "scores" / c / "bm25.parquet" for c in sets}
    write_manifest(
        root / "report.manifest.json", inputs=scores, config=config,
        outputs=made,
    )  # fmt: skip
    return root


def _text(rng) -> str:
    return " ".join(rng.choice(WORDS, 60))


def _collection(root, name, systems, queries, depth, rng):
    test_queries = [
        Query(f"q{n}", f"{name} {_text(rng)[:40]}", Split.TEST, None) for n in range(queries)
    ]
    passages = [Passage(f"p{n}", _text(rng)) for n in range(3 * depth)]
    passages[0] = Passage("p0", HOSTILE)
    qrels = {q.id: {"p0": 2, "p1": 0} for q in test_queries}
    write_collection(
        root / "collections" / name,
        CollectionContent(test_queries, passages, qrels),
        config={},
        inputs={"made": name},
    )
    lists = {q.id: [(f"p{p}", float(-n)) for n, p in enumerate(_order(rng, 3 * depth, depth))] for q in test_queries}  # fmt: skip
    path = root / "candidates" / name / "bm25.parquet"
    digest = write_candidates(path, lists)
    collection = root / "collections" / name / "manifest.json"
    write_manifest(
        path.with_suffix(".manifest.json"),
        inputs={"collection": collection},
        config={"kind": "bm25"},
        hash=digest,
    )
    scores, rows = [], []
    for place, system in enumerate(systems):
        run = root / "runs" / name / "bm25" / system / "seed0.trec"
        ranked = [Ranking(q, _shuffled([p for p, _ in ranked], rng), (0.0,) * len(ranked), Usage()) for q, ranked in lists.items()]  # fmt: skip
        write_run(run, ranked, system)
        write_usage(run.with_suffix(".usage.parquet"), ranked)
        write_manifest(
            run.with_suffix(".manifest.json"), inputs={"candidates": path}, seed=0,
            config={"kind": "rankgpt", "options": {}, "training": None},
            outputs=[run],
        )  # fmt: skip
        values = rng.uniform(0.3, 0.9, len(test_queries))
        scores += [(system, 0, q.id, "nDCG@10", float(v)) for q, v in zip(test_queries, values, strict=True)]  # fmt: skip
        rows.append({
            "collection": name, "first_stage": "bm25", "system": system,
            "label": f"System <b>{place}</b>", "nDCG@10": values.mean(), "queries": len(test_queries), "seeds": 1,
            "companion": False,
            "p50_ms_online": 10.0 * (place + 1) + zlib.crc32(name.encode()) % 7,
            "p50_ms_cached": 1.0 * (place + 1) if place else None,
            "tokens_per_passage_online": 100.0 * place, "tokens_per_passage_cached": 2.0 * place,
        })  # fmt: skip
    columns = {n: [row[i] for row in scores] for i, n in enumerate(SCHEMA.names)}
    out = root / "scores" / name / "bm25.parquet"
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, SCHEMA), out)
    runs = {s: root / "runs" / name / "bm25" / s / "seed0.trec" for s in systems}
    write_manifest(out.with_suffix(".manifest.json"), inputs=runs, config={}, outputs=[out])  # fmt: skip
    return rows


def _order(rng, of, count):
    """Put `p0` first, so that every query has the passage that contains a script."""
    return [0, *(rng.permutation(of - 1)[: count - 1] + 1)]


def _shuffled(items, rng):
    return [items[n] for n in rng.permutation(len(items))]
