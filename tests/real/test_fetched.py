"""The download code fetches real collections from a local server that mirrors the network."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from resrank.candidates.freeze import freeze
from resrank.evaluation.metrics import averages, per_query
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.records import Split
from resrank.suite.library import library
from tests.collections.files_server import serve
from tests.entries import parse_collection, parse_first_stage

pytestmark = pytest.mark.real


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Return a function that serves a file at a URL and returns the file's configuration entry."""
    content = {}
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "cache"))
    with serve(content) as server:
        monkeypatch.setenv("RESRANK_MIRROR", server.url)

        def add(url, data):
            content[url.removeprefix("https:/")] = data
            checksum = f"md5:{hashlib.md5(data).hexdigest()}"
            return {"url": url, "bytes": len(data), "checksum": checksum}

        yield add


def zipped(folder: Path, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for path in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/train.tsv"]:
            out.write(folder / path, f"{name}/{path}")
    return buffer.getvalue()


def ndcg(collection, path):
    qrels = collection.qrels(Split.TEST)
    lists = read_candidates(path)
    run = {q: {p: -float(rank) for rank, (p, _) in enumerate(lists.get(q, []))} for q in qrels}
    return averages(per_query(["nDCG@10"], qrels, run))["nDCG@10"]


def test_scifact_as_a_beir_zip(real_data, tmp_path, mirror):
    entry = library().collections["scifact"]
    archive = mirror(entry.archive.url, zipped(real_data / "scifact", "scifact"))
    spec = entry.model_dump() | {"archive": archive}  # this zip's checksum differs from the entry's
    parse_collection(spec).collect(tmp_path / "fetched")
    local = {"kind": "beir", "path": str(real_data / "scifact"), "dev": None}
    parse_collection(local).collect(tmp_path / "local")
    collection = Collection(tmp_path / "fetched")
    assert collection.hash == Collection(tmp_path / "local").hash
    freeze(collection, parse_first_stage({"kind": "bm25"}), tmp_path / "bm25.parquet")
    assert 0.670 <= ndcg(collection, tmp_path / "bm25.parquet") <= 0.690


def test_dl19_candidates_and_qrels_as_the_library_declares_them(real_data, tmp_path, mirror):
    entry = library().collections["trec_dl_2019_published"]
    qrels = mirror(entry.qrels.url, (real_data / "dl19" / "qrels.txt").read_bytes())
    assert qrels == entry.qrels.model_dump()  # size and checksum as declared
    lists = (real_data / "dl19" / "bm25_top100.json").read_bytes()
    spec = entry.model_dump() | {"path": mirror("https://example.org/bm25_top100.json", lists)}
    parse_collection(spec).collect(tmp_path / "out")
    collection = Collection(tmp_path / "out")
    freeze(collection, parse_first_stage({"kind": "imported"}), tmp_path / "imported.parquet")
    assert round(ndcg(collection, tmp_path / "imported.parquet"), 4) == 0.5058
