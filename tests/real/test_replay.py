"""Recorded answers of listwise models on DL19: prompts, parsing rules and resulting runs."""

import json
import re
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from baselines.llm.answers import parse
from baselines.llm.interface import Message
from baselines.llm.prompts.template import template
from baselines.rankgpt import RankGPT
from baselines.replay import replay
from resrank.collections.rankllm import read_lists
from resrank.evaluation.evaluate import evaluate
from resrank.io.run import write_run
from resrank.io.trec import read_run
from resrank.records import Candidate, Passage, Query
from resrank.windows import Window, slide
from tests.llm.server import endpoint

pytestmark = pytest.mark.real
RUNS = {"rankvicuna_bm25": 0.6682, "lostbracket": 0.6675, "vicuna13b_malformed": 0.4517}


def order(run):
    return {q: [p for p, _ in ranked] for q, ranked in read_run(run).items()}


def score(real_data, run):
    scores = evaluate(real_data / "dl19" / "qrels.txt", run, ["nDCG@10"], 100)
    return round(scores.to_dict()["metrics"]["nDCG@10"], 4)


@pytest.mark.parametrize("name", RUNS)
def test_replay_reproduces_the_stored_run(real_data, tmp_path, name):
    dl19 = real_data / "dl19"
    out = tmp_path / "out.trec"
    output = subprocess.run(
        [sys.executable, "-m", "resrank", "replay", "--candidates", str(dl19 / "bm25_top100.json"),
         "--responses", str(dl19 / f"{name}.responses.jsonl"), "--window", "20", "--step", "10",
         "--parser", "any_digits", "--out", str(out)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "387 answers" in output
    ranked, wanted = order(out), order(dl19 / f"{name}.run")
    assert len(ranked) == 43
    assert ranked == wanted
    assert score(real_data, out) == RUNS[name]


@pytest.mark.parametrize(
    ("name", "rule", "wanted"),
    [("lostbracket", "bracketed", 0.5785), ("vicuna13b_malformed", "bracketed", 0.5058),
     ("lostbracket", "strict", 0.5058), ("vicuna13b_malformed", "strict", 0.5058)],
)  # fmt: skip
def test_other_parsing_rules_give_other_scores(real_data, tmp_path, name, rule, wanted):
    dl19 = real_data / "dl19"
    out = tmp_path / "out.trec"
    used = replay(
        dl19 / "bm25_top100.json", dl19 / f"{name}.responses.jsonl", Window(), rule, 100, out
    )
    assert used.clean_answers + used.repaired_answers + used.rejected_answers == 387
    if rule == "strict":
        assert used.rejected_answers == 387
    assert score(real_data, out) == wanted


@pytest.mark.parametrize(
    ("name", "rule", "counts"),
    [("rankvicuna_bm25", "any_digits", (387, 0, 0)), ("rankvicuna_bm25", "bracketed", (387, 0, 0)),
     ("lostbracket", "any_digits", (0, 387, 0)), ("lostbracket", "bracketed", (0, 387, 0)),
     ("vicuna13b_malformed", "any_digits", (0, 386, 1)),
     ("vicuna13b_malformed", "bracketed", (0, 3, 384))],
)  # fmt: skip
def test_each_answer_is_clean_repaired_or_rejected(real_data, tmp_path, name, rule, counts):
    dl19 = real_data / "dl19"
    answers, out = dl19 / f"{name}.responses.jsonl", tmp_path / "out.trec"
    used = replay(dl19 / "bm25_top100.json", answers, Window(), rule, 100, out)
    assert (used.clean_answers, used.repaired_answers, used.rejected_answers) == counts
    # Count the answers that name any passage in the rule's form, from their texts alone.
    texts = [json.loads(line)["response"] for line in answers.read_text("utf-8").splitlines()]
    form = r"\[(?:1?[1-9]|10|20)\]" if rule == "bracketed" else r"(?<!\d)(?:1?[1-9]|10|20)(?!\d)"
    assert sum(bool(re.search(form, text)) for text in texts) == counts[0] + counts[1]
    per_query = pq.read_table(out.with_suffix(".usage.parquet")).to_pydict()
    names = ("clean_answers", "repaired_answers", "rejected_answers")
    assert tuple(sum(per_query[name]) for name in names) == counts


def test_an_endpoint_with_recorded_answers_reproduces_the_run(real_data, tmp_path):
    """RankGPT builds the prompts and sends eight at a time over HTTP; this gives the stored run."""
    dl19 = real_data / "dl19"
    lines = (dl19 / "rankvicuna_bm25.responses.jsonl").read_text("utf-8").splitlines()
    recorded = {row["prompt"]: row["response"] for row in map(json.loads, lines)}
    requests = [
        (Query(item.query_id, item.text), [Candidate(Passage(h.passage_id, h.text), -float(n))
                                     for n, h in enumerate(item.hits)])
        for item in read_lists(dl19 / "bm25_top100.json")
    ]  # fmt: skip
    with endpoint(recorded.__getitem__) as server:
        server.delay = 0.02
        llm = {"kind": "http", "url": server.url, "model": "rank_vicuna", "in_flight": 8}
        options = RankGPT.Options.model_validate({"llm": llm, "prompt": "rankvicuna"})
        rankings = RankGPT.load(options).rerank_many(requests)
        assert server.most_active == 8
        assert sum(server.answered.values()) == 387
    write_run(tmp_path / "out.trec", rankings, "rank_vicuna")
    assert order(tmp_path / "out.trec") == order(dl19 / "rankvicuna_bm25.run")
    assert score(real_data, tmp_path / "out.trec") == RUNS["rankvicuna_bm25"]
    used = [ranking.usage for ranking in rankings]
    assert sum(u.clean_answers + u.repaired_answers + u.rejected_answers for u in used) == 387


def test_rankvicuna_prompts_equal_the_recorded_ones_byte_for_byte(real_data):
    dl19 = real_data / "dl19"
    lines = (dl19 / "rankvicuna_bm25.responses.jsonl").read_text("utf-8").splitlines()
    rows = iter(map(json.loads, lines))
    prompt_template, seconds = template("rankvicuna"), 0.0
    equal = 0
    for item in read_lists(dl19 / "bm25_top100.json"):

        def ordered(windows, text=item.text):
            nonlocal equal, seconds
            row = next(rows)
            start = time.perf_counter()
            prompt = prompt_template.build(text, [hit.text for hit in windows[0]])
            seconds += time.perf_counter() - start
            equal += prompt == (Message("text", row["prompt"]),)
            return [parse(row["response"], len(windows[0]), "any_digits").places]

        slide([item.hits], Window(), ordered)
    print(f"{equal} of {len(lines)} prompts, built in {seconds:.2f} s")
    assert equal == 387
