"""A run with too many rejected answers fails with examples, and its answers are kept."""

import json
import math

import pytest
import yaml

from baselines.llm.answers import rejection_reason
from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.io.manifest import read_checked_json
from resrank.jobs.from_suite import SuiteJobs
from resrank.jobs.merge_shards import merge_runs
from resrank.jobs.rerank import RerankJob, rerank
from resrank.rejected_answers import EXAMPLES, RejectedAnswers, TooManyRejected
from resrank.shards import WHOLE, Shard
from resrank.suite.schema import System
from tests.conftest import write_beir
from tests.entries import parse_collection, parse_first_stage
from tests.llm.server import endpoint

QUERIES = 20  # two blocks of the rerank job
REFUSAL = "I am sorry, but I cannot rank these passages."


@pytest.mark.parametrize(
    ("limit", "answers", "allowed"),
    [(0.1, 100, 10), (0.1, 119, 11), (0.29, 100, 29), (0.1, 1, 1), (0.1, 5, 1), (0, 5, 0),
     (1, 5, 5), (None, 5, math.inf)],
)  # fmt: skip
def test_one_answer_more_than_allowed_stops_the_run(limit, answers, allowed):
    rejected = RejectedAnswers("system 'x'", limit, answers)
    assert rejected.allowed == allowed
    for number in range(int(min(allowed, answers))):
        rejected.add(f"q{number}", "it is empty", "")
    assert rejected.count == min(allowed, answers)
    if allowed < answers:
        with pytest.raises(TooManyRejected, match=f"{allowed + 1} of {answers} answers are rej"):
            rejected.add("q", "it is empty", "")


def test_the_message_shows_a_few_shortened_examples():
    rejected = RejectedAnswers("system 'x'", 0.1, 40)
    with pytest.raises(TooManyRejected) as caught:
        for number in range(40):
            rejected.add(f"q{number}", "it names no passage from 1 to 20", "no\n" * 1000)
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "system 'x': 5 of 40 answers are rejected, and `max_rejected: 0.1` allows 4. Examples:"
    )
    assert [line.split(":")[0] for line in lines[1:-1]] == ["  query 'q0'", "  query 'q1'", "  query 'q2'"]  # fmt: skip
    assert all(line.endswith("... (3,000 characters)") and len(line) < 300 for line in lines[1:-1])
    assert "raise `max_rejected`" in lines[-1]


@pytest.mark.parametrize(
    ("answer", "rule", "reason"),
    [(" \n", "any_digits", "it is empty"),
     (REFUSAL, "any_digits", "it names no passage from 1 to 3"),
     ("2, 1", "bracketed", "it names no passage from [1] to [3]"),
     ("[2]", "strict", "it is not each of [1] to [3] once, joined by '>'")],
)  # fmt: skip
def test_the_reason_names_what_was_expected(answer, rule, reason):
    assert rejection_reason(answer, 3, rule) == reason


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """Collection and candidates: each query has one window, and its number is its last word."""
    folder = tmp_path_factory.mktemp("lists")
    queries = {f"q{n:02}": f"sort an array {n}" for n in range(QUERIES)}
    qrels = {"test": [(query, "p1", 1) for query in queries]}
    source = write_beir(folder / "beir", queries=queries, qrels=qrels)
    parse_collection({"kind": "beir", "path": str(source)}).collect(folder / "c")
    freeze(Collection(folder / "c"), parse_first_stage({"kind": "bm25"}), folder / "bm25.parquet")
    return Collection(folder / "c"), folder / "bm25.parquet"


def refusing(*numbers):
    """Return an endpoint's function that refuses the queries with these numbers."""

    def answer(prompt):
        number = int(prompt.splitlines()[0].split()[-1])
        return REFUSAL if number in numbers else "[2] > [1]"

    return answer


def run(lists, url, out, shard=WHOLE, fused=False, companion=False, **more):
    collection, candidates = lists
    llm = {"kind": "http", "url": url, "model": "m"}
    entry = {"kind": "rankgpt", "options": {"llm": llm, "prompt": "short", **more}}
    if fused:
        entry = {"kind": "rank_fusion", "options": {"systems": [entry, {"kind": "first_stage"}]}}
    system = System.model_validate(entry)
    rerank(
        RerankJob(name="x", system=system, collection=collection, candidates=candidates,
                  store=out.parent, out=out, shard=shard, accepts_rejected=companion)
    )  # fmt: skip
    return read_checked_json(out.with_suffix(".manifest.json"))["about"]


def test_a_run_with_too_many_rejected_answers_is_not_written_and_repeats_no_call(lists, tmp_path):
    out = tmp_path / "seed0.trec"
    with endpoint(refusing(3, 7, 19)) as server:
        with pytest.raises(TooManyRejected) as caught:
            run(lists, server.url, out)
        message = str(caught.value)
        assert "system 'x': 3 of 20 answers are rejected, and `max_rejected: 0.1` allows 2" in message  # fmt: skip
        assert f"query 'q03': it names no passage from 1 to 2: {REFUSAL!r}" in message
        assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]
        assert len(server.answered) == QUERIES
        about = run(lists, server.url, out, max_rejected=0.15)
        assert set(server.tries_so_far().values()) == {1}
    assert out.is_file()
    record = about["rejected_answers"]
    assert (record["count"], record["limit"]) == (3, 0.15)
    assert [item["query_id"] for item in record["examples"]] == ["q03", "q07", "q19"]
    assert len(record["examples"]) == EXAMPLES


def test_a_fusion_has_the_limit_of_the_system_in_it(lists, tmp_path):
    with endpoint(refusing(3, 7)) as server:
        about = run(lists, server.url, tmp_path / "seed0.trec", fused=True)
        assert (about["rejected_answers"]["count"], about["rejected_answers"]["limit"]) == (2, 0.1)
        run(lists, server.url, tmp_path / "seed0.trec", fused=True)
        assert set(server.tries_so_far().values()) == {1}
    too_many = pytest.raises(TooManyRejected, match="3 of 20 answers .* allows 2")
    with endpoint(refusing(3, 7, 19)) as server, too_many:
        run(lists, server.url, tmp_path / "other" / "seed0.trec", fused=True)


def test_an_untrained_companion_may_be_rejected_at_every_answer(lists, tmp_path):
    parts = [tmp_path / "seed0.shards" / f"{n}of2.trec" for n in range(2)]
    with endpoint(refusing(*range(QUERIES))) as server:
        for number, part in enumerate(parts):
            run(lists, server.url, part, Shard(number, 2), companion=True)
    merge_runs(parts, tmp_path / "seed0.trec")
    record = read_checked_json(tmp_path / "seed0.manifest.json")["about"]["rejected_answers"]
    assert (record["count"], record["limit"]) == (QUERIES, None)


def test_the_companions_of_a_suite_have_no_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SuiteJobs, "require", lambda *_: None)
    monkeypatch.setattr(SuiteJobs, "collection", lambda *_: None)
    llm = {"kind": "transformers", "model": {"layers": 1}}
    system = {"kind": "rankgpt", "options": {"llm": llm, "prompt": "short"}, "training": {}}
    suite = {"name": "x", "collections": ["docstrings"], "systems": ["gpt"], "seeds": [1]}
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(suite | {"define": {"systems": {"gpt": system}}}))
    jobs = [SuiteJobs(path).rerank("docstrings", "bm25", n, 1) for n in ("gpt", "gpt_untrained")]
    assert [job.accepts_rejected for job in jobs] == [False, True]


def test_a_clean_run_has_no_entry_on_rejected_answers(lists, tmp_path):
    with endpoint(refusing()) as server:
        assert "rejected_answers" not in run(lists, server.url, tmp_path / "seed0.trec")


def test_the_number_of_shards_does_not_change_the_verdict(lists, tmp_path):
    parts = [tmp_path / "seed0.shards" / f"{n}of2.trec" for n in range(2)]

    def run_shards(url, **more):
        for number, part in enumerate(parts):
            run(lists, url, part, Shard(number, 2), **more)

    with endpoint(refusing(3, 7, 19)) as server:
        run_shards(server.url)  # 2 of 16 and 1 of 4: each alone is within the run's limit of 2
        with pytest.raises(TooManyRejected, match="'x': 3 of 20 answers .* allows 2") as caught:
            merge_runs(parts, tmp_path / "seed0.trec")
        assert "query 'q19'" in str(caught.value)
        assert not (tmp_path / "seed0.trec").exists()
        run_shards(server.url, max_rejected=0.15)
        merge_runs(parts, tmp_path / "seed0.trec")
        assert set(server.tries_so_far().values()) == {1}
        merged = json.loads((tmp_path / "seed0.manifest.json").read_text())["about"]
        whole = run(lists, server.url, tmp_path / "whole" / "seed0.trec", max_rejected=0.15)
        assert merged["rejected_answers"] == whole["rejected_answers"]
    with endpoint(refusing(*range(16, 20))) as server, pytest.raises(TooManyRejected):
        run(lists, server.url, tmp_path / "other" / "seed0.trec", Shard(1, 2))
