import json
import os
import sys
from pathlib import Path

import pytest

# Several test processes share the cores. Torch would start a thread per core in each, and threads
# that wait would spin: training a tiny model then takes seven times the processor time. Jobs that a
# test starts inherit the second setting. Torch reads both when it is imported.
if "--benchmark-enable" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from resrank.model.options import EncoderOptions, ResRankOptions, ScratchDecoder
from resrank.records import Candidate, Passage, Query

ROOT = Path(__file__).resolve().parent.parent

PASSAGES = {
    "p1": "How to sort an array of numbers in place.",
    "p2": "Invert a square matrix by Gaussian elimination.",
    "p3": "Draw a histogram of the values of a sample.",
    "p4": "Find the shortest path between two nodes of a graph.",
    "p5": "Return the sorted copy of an array.",
    "p6": "",
}
QUERIES = {
    "q1": "sort an array",
    "q2": "shortest path graph",
    "q3": "matrix inverse",
    "q4": "array",
}


LONG = [
    "test_workflow.py", "cluster/test_slurm.py", "test_shards.py", "real/test_dag.py",
    "llm/test_listwise_training.py", "training/test_larger.py", "faults/test_kills.py",
    "faults/test_flipped.py", "training/test_memory.py", "training/test_training.py",
    "fuzz/test_readers.py", "test_docs.py", "test_pe_rank.py", "faults/test_memory.py",
]  # fmt: skip
"""Files that take longest, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first, so that parallel processes end at about the same time."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    path = Path(os.environ.get("RESRANK_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "SHA256SUMS").is_file():
        pytest.skip(f"no real collections at {path}; set RESRANK_REAL_DATA to their folder")
    return path


QRELS = {
    "test": [("q1", "p1", 1), ("q1", "p5", 2), ("q2", "p4", 1), ("q2", "pX", 1)],
    "train": [("q3", "p2", 1), ("q4", "p5", 1)],
}


def write_beir(folder: Path, passages=PASSAGES, queries=QUERIES, qrels=QRELS) -> Path:
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": i, "title": "", "text": t} for i, t in passages.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    rows = [{"_id": i, "text": t} for i, t in queries.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for split, judged in qrels.items():
        lines = ["query-id\tcorpus-id\tscore", *(f"{q}\t{p}\t{g}" for q, p, g in judged)]
        path = folder / "qrels" / f"{split}.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    return write_beir(tmp_path / "beir")


@pytest.fixture(scope="session")
def encoder_options() -> EncoderOptions:
    return EncoderOptions(dtype="float32")


@pytest.fixture(scope="session")
def resrank_options(encoder_options: EncoderOptions) -> ResRankOptions:
    return ResRankOptions(encoder=encoder_options, reranker=ScratchDecoder(layers=1, heads=2))


@pytest.fixture
def request_of():
    def make(query: str, ids: list[str]):
        listed = [Candidate(Passage(i, PASSAGES[i]), float(-n)) for n, i in enumerate(ids)]
        return Query("q", query), listed

    return make
