"""The judge as a reranker: expected grades, with and without reasoning, in batches of any size."""

import numpy as np
import pytest
import torch

from baselines.llm.interface import Answer
from baselines.rag_match.options import JudgeOptions
from baselines.rag_match.reranker import RagMatch
from baselines.rag_match.trace import OPENING
from resrank.check_ranking import verify
from resrank.work import QueryShape
from tests.conftest import PASSAGES
from tests.rag_match.test_trace import TEXT, TRACE
from tests.shapes import save_causal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")


def system(folder, reasoning=False, **more):
    llm = {"kind": "transformers", "model": folder, "dtype": "float32", **more}
    return RagMatch.load(
        JudgeOptions.model_validate({"llm": llm, "reasoning": reasoning, "max_new_tokens": 8})
    )


@pytest.mark.parametrize("reasoning", [False, True])
def test_batch_sizes_change_no_score(folder, reasoning, request_of):
    judge = system(folder, reasoning)
    requests = [
        request_of("sort an array", list(PASSAGES)),
        request_of("nothing", []),
        request_of("shortest path", ["p4", "p1"]),
    ]
    together = judge.rerank_many(requests)
    verify("rag_match", judge, requests, together)
    pair_by_pair = system(folder, reasoning, batch_tokens=1).rerank_many(requests)
    for one, other in zip(together, pair_by_pair, strict=True):
        assert one.passage_ids == other.passage_ids
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert one.usage == other.usage


def test_a_score_is_the_expected_grade_over_three_tokens(folder, request_of):
    judge = system(folder)
    query, listed = request_of("sort an array", ["p1", "p2"])
    ranking = judge.rerank(query, listed)
    pair = judge.judge.prompt_of(query.text, PASSAGES[ranking.passage_ids[0]])
    (ids,) = judge.model.tokenize([pair.prompt], opening=OPENING)
    tokens = [
        judge.model.tokenizer(str(g), add_special_tokens=False)["input_ids"] for g in range(3)
    ]
    with torch.inference_mode():
        logits = judge.model.model(input_ids=torch.tensor([ids])).logits[0, -1]
    wanted = logits[[t[-1] for t in tokens]].softmax(dim=-1)
    assert ranking.grade_probabilities[0] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert ranking.scores[0] == pytest.approx(float(wanted @ torch.arange(3.0)), abs=1e-5)
    assert ranking.scores[0] >= ranking.scores[1]
    assert ranking.usage.prompt_tokens >= len(ids)
    assert (ranking.usage.model_calls, ranking.usage.generated_tokens) == (2, 0)


def test_the_grade_is_read_after_a_trace_unless_it_is_malformed(folder, request_of):
    judge = system(folder, reasoning=True)
    query, listed = request_of("sort an array", ["p1", "p2", "p3"])
    texts = {"p1": TEXT, "p2": "It is relevant.", "p3": TEXT[:-1] + "7"}
    written = [texts[c.passage.id] for c in listed]

    def answers(prompts, longest):
        yield from ((i, Answer(text, 20, 8)) for i, text in enumerate(written))

    judge.model.answers = answers
    read = []
    first_logits = judge.model.first_logits
    judge.model.first_logits = lambda ids, tokens: (read.extend(ids), first_logits(ids, tokens))[1]
    ranking = judge.rerank(query, listed)
    openings = [TRACE.reasoning(), OPENING, OPENING]
    for ids, (_, text), opening in zip(read, enumerate(listed), openings, strict=True):
        prompt = judge.judge.prompt_of(query.text, text.passage.text).prompt
        assert ids == judge.model.tokenize([prompt], opening=opening)[0]
    usage = ranking.usage
    assert (usage.clean_answers, usage.rejected_answers) == (1, 2)
    assert (usage.model_calls, usage.generated_tokens) == (6, 24)
    assert usage.prompt_tokens == 60 + sum(map(len, read))


def test_expected_usage_is_near_the_actual_usage(folder, request_of):
    query, listed = request_of("sort an array", ["p1", "p2", "p3"])
    for reasoning in (False, True):
        judge = system(folder, reasoning)
        used = judge.rerank(query, listed).usage
        tokens = np.mean(
            [len(judge.model.tokenizer(PASSAGES[p])["input_ids"]) for p in ("p1", "p2")]
        )
        words = len(judge.model.tokenizer(query.text)["input_ids"])
        estimate = RagMatch.estimate_usage(judge.options, QueryShape(3, round(tokens), words))
        assert estimate.generated_tokens == pytest.approx(used.generated_tokens, rel=0.3)
        assert estimate.model_calls == used.model_calls
        (work,) = RagMatch.passes(judge.options, used, 3)
        assert work.work.sequences == used.model_calls
        assert work.work.steps == max(0, used.generated_tokens - 3 * reasoning)


def test_a_tokenizer_without_a_token_for_a_grade_is_refused(folder):
    judge = system(folder)
    judge.model.tokenizer.add_tokens([f"{OPENING}1"])
    with pytest.raises(ValueError, match="does not encode '1' after 'grade:' as one"):
        RagMatch(judge.options, judge.model)
