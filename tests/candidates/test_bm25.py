import json
import math

import pandas as pd
import pytest

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.freeze import freeze
from resrank.candidates.run import RunStage
from resrank.candidates.text_analysis import analyse
from resrank.collections.beir import BeirCollection
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.records import Passage, Query
from resrank.reporting.tables.first_stages import without_candidates
from tests.conftest import write_beir


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The cats' whiskers and the cat's tail", ["cat", "whisker", "cat", "tail"]),
        ("Running dogs ran, relational DBs", ["run", "dog", "ran", "relat", "db"]),
        ("an is at", []),
        ("us as we do", ["us", "we", "do"]),
        ("3.5 mg of IL-2", ["3.5", "mg", "il", "2"]),
        ("naïve café", ["naïv", "café"]),
    ],
)
def test_analysis(text, terms):
    assert analyse(text) == terms


SPEC = Bm25Stage(kind="bm25", k1=0.9, b=0.4, depth=2)


def test_scores_by_hand():
    passages = [Passage("a", "sort sort array"), Passage("b", "sort"), Passage("c", "graph")]
    result = dict(SPEC.rank([Query("q", "sort")], passages)["q"])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    mean = 5 / 3
    for name, tf, length in (("a", 2, 3), ("b", 1, 1)):
        saturated = tf / (tf + 0.9 * (1 - 0.4 + 0.4 * length / mean))
        assert result[name] == pytest.approx(idf * saturated, rel=1e-5)


def test_ties_by_id_short_lists_and_excluded():
    passages = [Passage(i, "same words") for i in "abcd"] + [Passage("x", "other")]
    lists = SPEC.rank(
        [Query("q1", "same"), Query("q2", "same", excluded="a"), Query("q3", "absent"),
         Query("q4", "other")],
        passages,
    )  # fmt: skip
    assert [[p for p, _ in lists[q]] for q in ("q1", "q2", "q3", "q4")] == [
        ["a", "b"], ["b", "c"], [], ["x"],
    ]  # fmt: skip


@pytest.fixture
def collection(beir, tmp_path):
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "c")
    return Collection(tmp_path / "c")


def test_frozen_lists_say_what_they_allow(collection, tmp_path):
    out = tmp_path / "bm25.parquet"
    freeze(collection, Bm25Stage(kind="bm25"), out)
    about = json.loads(out.with_suffix(".manifest.json").read_text())
    test = about["splits"]["test"]
    assert test["judged_queries"] == 2
    assert test["recall@100"] == pytest.approx((1 + 1 / 2) / 2)  # pX is not in the collection
    ideal = 1 + 1 / math.log2(3)
    assert test["oracle_nDCG@10"] == pytest.approx((1 + 1 / ideal) / 2)
    freeze(collection, Bm25Stage(kind="bm25"), tmp_path / "again.parquet")
    again = json.loads((tmp_path / "again.manifest.json").read_text())
    assert again["hash"] == about["hash"]


def test_a_run_over_a_collection(collection, tmp_path):
    run = tmp_path / "my.run"
    run.write_text("q1 Q0 p2 1 1.0 t\nq1 Q0 p1 2 1.0 t\nq1 Q0 p3 3 5 t\n")
    freeze(collection, RunStage(kind="run", path=run, depth=2), tmp_path / "run.parquet")
    assert [p for p, _ in read_candidates(tmp_path / "run.parquet")["q1"]] == ["p3", "p2"]
    run.write_text("q1 Q0 zz 1 1.0 t\n")
    with pytest.raises(ValueError, match="1 passages are not in the collection"):
        freeze(collection, RunStage(kind="run", path=run), tmp_path / "bad.parquet")
    assert not (tmp_path / "bad.parquet").exists()


def test_many_queries_without_a_candidate_are_warned_of(tmp_path, capsys):
    """One of 20 is not many, one of 19 is."""
    for count in (19, 20):
        queries = {f"q{n}": "array" if n else "zebra" for n in range(count)}
        qrels = {"test": [(query, "p1", 1) for query in queries]}
        folder = write_beir(tmp_path / f"beir{count}", queries=queries, qrels=qrels)
        BeirCollection(kind="beir", path=folder).collect(tmp_path / f"c{count}")
        freeze(Collection(tmp_path / f"c{count}"), Bm25Stage(kind="bm25"), tmp_path / "x.parquet")
        warning = "warning: c19, test: 1 of 19 judged queries have no candidate"
        assert (warning in capsys.readouterr().err) == (count == 19)


def test_the_table_of_first_stages_says_that_many_queries_have_no_candidate():
    row = {"collection": "c", "first stage": "bm25", "queries without candidates": 1}
    rows = [row | {"judged queries": count} for count in (19, 20)]
    assert without_candidates(pd.DataFrame(rows)) == (
        " Of c, 1 of 19 queries have no candidate from bm25."
    )
