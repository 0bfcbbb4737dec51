"""Time and memory of BM25 over many passages: `python -m tests.benchmarks.bm25_scale`.

Passages of 56 words, MS MARCO's mean, are cut out of real docstrings at random places. A separate
process writes, indexes and searches each size. The last row extrapolates linearly from the two
sizes to MS MARCO's 8,841,823 passages.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from resrank.candidates.bm25_index import Index
from resrank.collections.see_also import Objects
from resrank.io.collection import Collection
from resrank.io.collection_content import CollectionContent
from resrank.io.collection_writer import write_collection
from resrank.io.environment import processor
from resrank.records import Passage, Query

MARCO = 8_841_823
WORDS, QUERIES = 56, 100
PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch", "networkx")


def words() -> list[str]:
    objects = Objects()
    for package in PACKAGES:
        objects.add(package, 300)
    return [word for _, doc in sorted(objects.docs.items()) for word in doc.text.split()]


def passages(text: list[str], size: int) -> Iterator[Passage]:
    rng = np.random.default_rng(1)
    for number, start in enumerate(rng.integers(0, len(text) - WORDS, size)):
        yield Passage(str(number), " ".join(text[start : start + WORDS]))


def peak_gb() -> float:
    """Return the peak memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def measure(size: int) -> dict[str, float]:
    text = words()
    rng = np.random.default_rng(2)
    starts = rng.integers(0, len(text) - 8, QUERIES)
    queries = [Query(f"q{n}", " ".join(text[s : s + 8])) for n, s in enumerate(starts)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "c"
        start = time.perf_counter()
        qrels = {q.id: {"0": 1} for q in queries}
        content = CollectionContent(queries, passages(text, size), qrels)
        write_collection(out, content, config={}, inputs={})
        costs = {"write_s": time.perf_counter() - start, "write_gb": peak_gb()}
        start = time.perf_counter()
        index = Index(Collection(out).passages)
        costs["index_s"] = time.perf_counter() - start
        start = time.perf_counter()
        lists = [index.best(query.text, 100) for query in queries]
        costs["search_ms"] = (time.perf_counter() - start) / QUERIES * 1e3
        assert all(len(ranked) == 100 for ranked in lists)
    return {"passages": size, **costs, "peak_gb": peak_gb()}


def table(rows: list[dict[str, float]]) -> str:
    small, large = rows
    scale = (MARCO - small["passages"]) / (large["passages"] - small["passages"])
    rows = [*rows, {k: v + (large[k] - v) * scale for k, v in small.items()}]
    lines = [
        f"Machine: {processor()}, one core for analysis and index. The last row is "
        "extrapolated.", "",
        "| passages | collection written, s | peak, GB | read and indexed, s | per query, ms | peak, GB |",
        "| --: | --: | --: | --: | --: | --: |",
    ]  # fmt: skip
    for row in rows:
        lines.append(
            f"| {row['passages']:,.0f} | {row['write_s']:,.0f} | {row['write_gb']:.1f} | "
            f"{row['index_s']:,.0f} | {row['search_ms']:,.0f} | {row['peak_gb']:.1f} |"
        )
    return "\n".join(lines)


def main(sizes: list[int]) -> None:
    rows = []
    for size in sizes:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.bm25_scale", "--one", str(size)],
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        rows.append(json.loads(done.stdout))
    print(table(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
