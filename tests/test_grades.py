"""Grades beside a run: what is written is read, in shards too, and what is none is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.first_stage import FirstStageOptions, FirstStageOrder
from resrank.check_ranking import InvariantError, verify
from resrank.io.grades import grades_of, read_grades, write_grades
from resrank.io.hashing import sha256_file
from resrank.jobs.merge_shards import merge_runs
from resrank.jobs.rerank import RerankJob, rerank
from resrank.ranking import ranked
from resrank.records import Query, Ranking, Usage
from resrank.shards import Shard
from resrank.suite.schema import System
from tests.llm.test_local import requests
from tests.test_shards import frozen  # noqa: F401 - a fixture


class Judge(FirstStageOrder):
    """Grades a passage by its length, and keeps the first stage's order where grades tie."""

    grades = 3

    def rerank_many(self, requested):
        return [self._judged(query, listed) for query, listed in requested]

    def _judged(self, query, listed):
        middle = [len(c.passage.text) % 7 / 8 for c in listed]
        rows = [(1 - m, m / 4, m * 3 / 4) for m in middle]
        return ranked(query, listed, [m * 7 / 4 for m in middle], Usage(), rows)


class FiveGrades(Judge):
    """Judges in more grades than there are judgments of."""

    grades = 5


def test_grades_follow_their_passages_to_the_ranking():
    (query, listed) = requests([3])[0]
    rows = [(1, 0, 0), (0, 0, 1), (0, 1, 0)]
    ranking = ranked(query, listed, [0.0, 2.0, 1.0], Usage(), rows)
    assert ranking.passage_ids == tuple(listed[i].passage.id for i in (1, 2, 0))
    assert ranking.grade_probabilities == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    assert ranked(query, [], [], Usage(), []).grade_probabilities == ()
    with pytest.raises(ValueError, match=r"3 candidates but grade probabilities of shape \(2, 3\)"):
        ranked(query, listed, [0, 0, 0], Usage(), rows[:2])


Rows = st.lists(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
        lambda row: tuple((np.array(row) / sum(row)).tolist())
    ),
    max_size=4,
)


@given(st.lists(Rows, min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory, lists):
    path = tmp_path_factory.mktemp("grades") / "seed0.grades.parquet"
    rankings = [
        Ranking(f"q{n}", tuple(f"p {i}" for i in range(len(rows))), (0.0,) * len(rows), Usage(),
                tuple(rows))
        for n, rows in enumerate(lists)
    ]  # fmt: skip
    assert write_grades(path, rankings[::-1])
    assert read_grades(path) == {
        r.query_id: dict(zip(r.passage_ids, r.grade_probabilities, strict=True))
        for r in rankings
        if r.passage_ids
    }
    assert not write_grades(path, [replace(r, grade_probabilities=None) for r in rankings])
    assert not path.exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0.5, 0.5), "2 grades for passage 'd1', 3 expected"),
        ((0.5, 0.5, 0.1), "at least 0, sum 1"),
        ((1.5, -0.5, 0.0), "at least 0, sum 1"),
        ((float("nan"), 0.5, 0.5), "at least 0, sum 1"),
    ],
)
def test_what_is_no_probability_is_refused(row, message):
    requested = [(Query("q", "sort"), list(requests([1])[0][1]))]
    (good,) = Judge(FirstStageOptions()).rerank_many(requested)
    verify("judge", Judge(FirstStageOptions()), requested, [good])
    message = message.replace("d1", good.passage_ids[0])
    with pytest.raises(InvariantError, match=f"'judge' on query 'q'.*{message}"):
        verify(
            "judge",
            Judge(FirstStageOptions()),
            requested,
            [replace(good, grade_probabilities=(row,))],
        )


def test_grades_are_given_by_those_that_declare_them_and_by_no_other():
    requested = requests([4])
    (graded,) = Judge(FirstStageOptions()).rerank_many(requested)
    plain = replace(graded, grade_probabilities=None)
    with pytest.raises(InvariantError, match="no grade probabilities; 3 per passage expected"):
        verify("judge", Judge(FirstStageOptions()), requested, [plain])
    with pytest.raises(InvariantError, match="does not declare its number of `grades`"):
        verify("first", FirstStageOrder(FirstStageOptions()), requested, [graded])
    short = replace(graded, grade_probabilities=graded.grade_probabilities[:2])
    with pytest.raises(InvariantError, match="of 2 passages, 4 expected"):
        verify("judge", Judge(FirstStageOptions()), requested, [short])


def test_a_job_writes_grades_and_shards_the_same_bytes(frozen, tmp_path):  # noqa: F811
    collection, lists = frozen
    spec = System(kind="tests.test_grades:Judge")
    whole = tmp_path / "whole.trec"
    rerank(
        RerankJob(
            name="judge",
            system=spec,
            collection=collection,
            candidates=lists,
            store=tmp_path,
            out=whole,
        )
    )
    grades = read_grades(grades_of(whole))
    for query_id, passages in grades.items():
        scores = [row[1] + 2 * row[2] for row in passages.values()]
        assert scores == sorted(scores, reverse=True), query_id
    parts = [tmp_path / f"{n}of7.trec" for n in range(7)]
    for n, part in enumerate(parts):
        rerank(
            RerankJob(
                name="judge",
                system=spec,
                collection=collection,
                candidates=lists,
                store=tmp_path,
                out=part,
                shard=Shard(n, 7),
            )
        )
    out = tmp_path / "merged.trec"
    merge_runs(parts, out)
    assert grades_of(out).read_bytes() == grades_of(whole).read_bytes()
    hashes = {json.loads(p.with_suffix(".manifest.json").read_text())["outputs"][grades_of(p).name]
              for p in (whole, out)}  # fmt: skip
    assert hashes == {sha256_file(grades_of(out))}
    plain = System(kind="first_stage")
    rerank(
        RerankJob(
            name="plain",
            system=plain,
            collection=collection,
            candidates=lists,
            store=tmp_path,
            out=whole,
        )
    )
    assert not grades_of(whole).exists()
    assert "whole.grades.parquet" not in whole.with_suffix(".manifest.json").read_text()
