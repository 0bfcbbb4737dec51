"""Counts that a method fixes: held by every system here, and broken by ones that cheat."""

from dataclasses import replace

import pytest

from baselines.first_stage import FirstStageOptions, FirstStageOrder
from baselines.setwise import heap_comparisons, heap_top
from resrank.check_ranking import InvariantError, verify
from resrank.records import Usage
from resrank.registry import KINDS, resolve
from resrank.reranker import DeclaredCounts, Reranker
from resrank.windows import Window, window_sizes
from tests.efficiency.test_phases import folder, options_of  # noqa: F401 - a fixture
from tests.job_helpers import PAIR, run_job, with_candidates
from tests.llm.test_local import requests

SIZES = [0, 1, 2, 6, 25]
WINDOWED = {"window": {"size": 8, "step": 4, "passes": 2}}


@pytest.mark.parametrize(
    ("kind", "more"),
    [(kind, {}) for kind in ("first_stage", "bi_encoder", "cross_encoder", "e2rank")]
    + [(kind, more) for kind in ("resrank", "pe_rank", "first", "icr", "rankgpt")
       for more in ({}, WINDOWED)]
    + [("rank_fusion", {})]
    + [("resrank", {**WINDOWED, "query_slot": True}), ("setwise", {"children": 2, "top": 3})],
)  # fmt: skip
def test_every_system_holds_what_it_declares(kind, more, folder):  # noqa: F811
    cls = resolve(kind)
    system = cls.load(cls.Options.model_validate(options_of(kind, folder) | more))
    batch = requests(SIZES)
    rankings = system.rerank_many(batch)
    verify(kind, system, batch, rankings)
    used = system.declared_counts(25)
    assert used.model_calls is not None
    with pytest.raises(InvariantError, match="model_calls is 99"):
        verify(kind, system, batch[4:], [with_usage(rankings[4], model_calls=99)])


def test_every_registered_kind_declares():
    fixed = {
        kind for kind in KINDS if resolve(kind).declared_counts is not Reranker.declared_counts
    }
    assert fixed == KINDS.keys()


def with_usage(ranking, **counters):
    return replace(ranking, usage=replace(ranking.usage, **counters))


class Honest(FirstStageOrder):
    """Says that it is single-pass ResRank, and counts as that."""

    def declared_counts(self, candidates):
        return DeclaredCounts(1, 0, candidates, candidates)

    def rerank_many(self, batch):
        usage = Usage(model_calls=1, embedding_slots=4, encoded_passages=4)
        return [replace(ranking, usage=usage) for ranking in super().rerank_many(batch)]


class Generates(Honest):
    """Writes a permutation where logits would do: the fast path that vanished unnoticed."""

    def rerank_many(self, batch):
        return [with_usage(ranking, generated_tokens=20) for ranking in super().rerank_many(batch)]


class Encodes(Honest):
    """Encodes each passage once a window."""

    def rerank_many(self, batch):
        return [with_usage(ranking, encoded_passages=7) for ranking in super().rerank_many(batch)]


class Drops(Honest):
    """Answers with the first passage twice."""

    def rerank_many(self, batch):
        return [
            replace(r, passage_ids=(r.passage_ids[0], *r.passage_ids[:-1]))
            for r in super().rerank_many(batch)
        ]


@pytest.mark.parametrize(
    ("cheat", "message"),
    [
        (Generates, "generated_tokens is 20, 0 expected"),
        (Encodes, "encoded_passages is 7, 4 expected"),
        (Drops, r"no permutation of the candidates: 4 passages, without \['0-3'\], foreign \[\]"),
    ],
)
def test_cheats_are_named_with_system_query_count_and_expectation(cheat, message):
    batch = requests([4])
    verify(
        "honest", Honest(FirstStageOptions()), batch, Honest(FirstStageOptions()).rerank_many(batch)
    )
    with pytest.raises(InvariantError, match=rf"system 'mine' on query 'q0' with 4 .*{message}"):
        verify(
            "mine", cheat(FirstStageOptions()), batch, cheat(FirstStageOptions()).rerank_many(batch)
        )


def test_an_impossible_ledger_and_a_missing_ranking():
    batch = requests([4])
    (ranking,) = FirstStageOrder(FirstStageOptions()).rerank_many(batch)
    for counters, message in (
        ({"prompt_tokens": -1}, "prompt_tokens is -1, less than 0"),
        ({"cached_encoder_tokens": 3}, "cached_encoder_tokens is 3, at most 0"),
        ({"truncated_passages": 5}, "truncated_passages is 5, at most 4"),
    ):
        with pytest.raises(InvariantError, match=message):
            verify("mine", None, batch, [with_usage(ranking, **counters)])
    with pytest.raises(InvariantError, match="0 rankings for 1 queries"):
        verify("mine", None, batch, [])
    with pytest.raises(InvariantError, match="the ranking is of query 'other'"):
        verify("mine", None, batch, [replace(ranking, query_id="other")])


def test_a_violated_invariant_fails_the_jobs_and_writes_nothing(tmp_path):
    project = with_candidates(tmp_path, {"cheat": {"kind": "tests.test_check_ranking:Generates"}})
    before = sorted(project.rglob("*.*"))
    for job in ("rerank", "measure"):
        done = run_job(project, job, *PAIR, "--system", "cheat")
        assert done.returncode != 0
        assert "error: system 'cheat' on query 'q" in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(project.rglob("*.*")) == before


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 40])
@pytest.mark.parametrize(("children", "top"), [(1, 2), (3, 10), (2, 100)])
def test_a_heap_sort_takes_as_many_comparisons_as_it_may(length, children, top):
    allowed = heap_comparisons(length, children, top)
    for best in (0, -1):  # the sorted list and the one that moves most
        sort, taken, answer = heap_top(length, children, top), 0, None
        try:
            while True:
                members = sort.send(answer)
                answer = range(len(members))[best]
                taken += 1
        except StopIteration:
            assert taken in allowed


def test_windows_are_counted():
    assert window_sizes(100, Window()) == [20] * 9
    assert window_sizes(100, Window(passes=2)) == [20] * 18
    assert window_sizes(25, Window(size=20, step=10)) == [20, 20]
    assert window_sizes(1, Window()) == []
    assert (window_sizes(25, None), window_sizes(0, None)) == ([25], [])
