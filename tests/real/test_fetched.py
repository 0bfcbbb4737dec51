"""The real collections through the download code: a local server as the mirror of the network."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from resrank.candidates.base import parse_first_stage
from resrank.candidates.freeze import freeze
from resrank.collections.base import parse_collection
from resrank.evaluation.metrics import averages, per_query
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.records import Split
from resrank.suite.library import library
from tests.collections.files_server import serve

pytestmark = pytest.mark.real


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Serve files as <host>/<path>; give each one's entry for a configuration."""
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
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as out:
        for path in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/train.tsv"]:
            out.write(folder / path, f"{name}/{path}")
    return held.getvalue()


def ndcg(made, path):
    qrels = made.qrels(Split.TEST)
    lists = read_candidates(path)
    run = {q: {p: -float(rank) for rank, (p, _) in enumerate(lists.get(q, []))} for q in qrels}
    return averages(per_query(["nDCG@10"], qrels, run))["nDCG@10"]


def test_scifact_as_a_beir_zip(real_data, tmp_path, mirror):
    entry = library().collections["scifact"]
    archive = mirror(entry.archive.url, zipped(real_data / "scifact", "scifact"))
    spec = entry.model_dump() | {"archive": archive}  # the zip made here has a checksum of its own
    parse_collection(spec).collect(tmp_path / "fetched")
    local = {"kind": "beir", "path": str(real_data / "scifact"), "dev": None}
    parse_collection(local).collect(tmp_path / "local")
    made = Collection(tmp_path / "fetched")
    assert made.hash == Collection(tmp_path / "local").hash
    freeze(made, parse_first_stage({"kind": "bm25"}), tmp_path / "bm25.parquet")
    assert 0.670 <= ndcg(made, tmp_path / "bm25.parquet") <= 0.690


def test_dl19s_candidates_and_its_qrels_as_the_library_names_them(real_data, tmp_path, mirror):
    entry = library().collections["trec_dl_2019_published"]
    qrels = mirror(entry.qrels.url, (real_data / "dl19" / "qrels.txt").read_bytes())
    assert qrels == entry.qrels.model_dump()  # size and checksum as declared
    lists = (real_data / "dl19" / "bm25_top100.json").read_bytes()
    spec = entry.model_dump() | {"path": mirror("https://example.org/bm25_top100.json", lists)}
    parse_collection(spec).collect(tmp_path / "out")
    made = Collection(tmp_path / "out")
    freeze(made, parse_first_stage({"kind": "imported"}), tmp_path / "imported.parquet")
    assert round(ndcg(made, tmp_path / "imported.parquet"), 4) == 0.5058
