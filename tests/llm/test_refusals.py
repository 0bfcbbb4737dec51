"""Requests that an endpoint refuses: system turns, prompts longer than its context, fields."""

import json
import warnings

import pytest

from baselines.llm.backends.key_and_pace import EndpointError
from baselines.llm.backends.refusals import Refusal, advice_on, refusal_of
from baselines.llm.interface import TOO_LONG, Message, without_system
from baselines.llm.options import HttpOptions
from baselines.rankgpt import RankGPT
from resrank.records import Candidate, Passage, Query
from resrank.rejected_answers import RejectedAnswers
from tests.llm.http_reranker import WINDOW, requests, reranker, reverse
from tests.llm.server import endpoint

SYSTEM, LONG = Refusal.SYSTEM_TURN, Refusal.TOO_LONG
MESSAGES = [
    (400, "System role not supported", SYSTEM),  # Gemma's template, behind vLLM
    (500, "Jinja Exception: System role not supported", SYSTEM),  # behind llama.cpp
    (400, "Conversation roles must alternate user/assistant/user/assistant/...", SYSTEM),  # Mistral
    (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model.", SYSTEM),
    (500, "Only user and assistant roles are supported!", SYSTEM),  # Mistral's older template
    (400, "Developer instruction is not enabled for models/gemma-3-1b-it", SYSTEM),  # Google
    (400, "This model's maximum context length is 8192 tokens. However, your messages resulted in "
     "9000 tokens. Please reduce the length of the messages.", LONG),  # OpenAI, DeepSeek
    (400, "This model's maximum context length is 2048 tokens. However, you requested 2100", LONG),
    (400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096", LONG),
    (400, "The input (5000 tokens) is longer than the model's context length (4096 tokens).", LONG),
    (400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum "
     "context length", LONG),  # Mistral
    (400, "the request exceeds the available context size. try increasing it", LONG),  # llama.cpp
    (400, '{"type": "exceed_context_size_error"}', LONG),
    (500, "the request exceeds the available context size", LONG),  # older llama.cpp
    (422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", LONG),  # TGI
    (400, "prompt is too long: 208310 tokens > 200000 maximum", LONG),  # Anthropic
    (400, "The input token count (40000) exceeds the maximum number of tokens allowed (32768).", LONG),
    (400, '{"code": "context_length_exceeded"}', LONG),
    (400, "Input is too long for requested model.", LONG),  # Amazon
    (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. "
     "Try using a shorter prompt", LONG),  # Cohere
    (400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
     LONG),  # Alibaba
    (413, "Request too large for model `m` on tokens per minute (TPM): Limit 6000", None),  # Groq
    (429, "Request too large for gpt-4 on tokens per min (TPM): Limit 10000", None),
    (429, "This model's maximum context length", None),
    (400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
     "'max_completion_tokens' instead.", None),
    (400, "no", None),
    (401, "Incorrect API key provided", None),
    (404, "The model `m` does not exist", None),
    (500, "Internal system failure", None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "text", "wanted"), MESSAGES)
def test_messages_of_many_servers(status, text, wanted):
    assert refusal_of(status, json.dumps({"error": {"message": text}})) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
      "'max_completion_tokens' instead.", "; set `length_field: max_completion_tokens` under `llm`"),
     ("Unsupported value: 'temperature' does not support 0", "; set `leave_out: [temperature]` under `llm`"),
     ("Unknown parameter: 'top_p'", "; set `leave_out: [top_p]` under `llm`"),
     ('{"type": "extra_forbidden", "loc": ["body", "seed"]}', "; set `leave_out: [seed]` under `llm`"),
     ("temperature must be at most 2", ""), ("no", "")],
)  # fmt: skip
def test_a_refused_field_brings_advice(text, wanted):
    assert advice_on(400, text) == wanted
    assert advice_on(429, text) == ""


def test_the_advice_stands_in_the_error():
    message = "refuse 400 Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with (
        endpoint(reverse, lambda *_: message) as server,
        pytest.raises(EndpointError, match="set `length_field: max_completion_tokens` under `llm`"),
    ):
        reranker(server.url).rerank_many(requests(1))


def test_a_system_turn_moves_to_the_user_turn_once_it_is_refused():
    """One request is refused, if one is sent at a time; a server error is not tried again."""
    for status in (400, 500):

        def refuse(_, __, status=status):
            roles = [message["role"] for message in server.bodies[-1]["messages"]]
            return f"refuse {status} System role not supported" if "system" in roles else None

        with endpoint(lambda _: "[2] > [1] > [4] > [3]", refuse) as server:
            system = reranker(server.url, in_flight=1)
            options = system.options.model_copy(update={"prompt": "rankzephyr"})
            with pytest.warns(UserWarning, match="refuses a system turn: its text opens the first"):
                RankGPT.load(options).rerank_many(requests(2, depth=4))
            first, *others = server.bodies
        assert [m["role"] for m in first["messages"]] == ["system", "user"]
        assert len(others) == 2
        for body in others:
            (turn,) = body["messages"]
            assert turn["role"] == "user"
            assert turn["content"].startswith("You are RankLLM")


def test_a_prompt_without_a_system_turn_is_refused_for_good():
    with (
        endpoint(reverse, lambda *_: "refuse 400 System role not supported") as server,
        pytest.raises(EndpointError, match="status 400: .*System role not supported"),
    ):
        reranker(server.url).rerank_many(requests(1))


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [((("system", "s"), ("user", "u"), ("assistant", "a")), (("user", "s\nu"), ("assistant", "a"))),
     ((("system", "s"),), (("user", "s"),)),
     ((("system", "s"), ("assistant", "a")), (("user", "s"), ("assistant", "a")))],
)  # fmt: skip
def test_moving_a_system_turn(prompt, wanted):
    assert without_system(tuple(Message(*turn) for turn in prompt)) == wanted


def long_requests(lengths):
    return [
        (Query(f"q{i}", f"number {i}"),
         [Candidate(Passage(f"p{i}-{n}", f"{i} {n} " + "word " * words), float(-n)) for n in range(4)])
        for i, words in enumerate(lengths)
    ]  # fmt: skip


def context_of(characters):
    message = "refuse 400 This model's maximum context length is 1000 tokens."
    return lambda prompt, _: message if len(prompt) > characters else None


def test_passages_are_shortened_until_the_prompt_fits(tmp_path):
    with endpoint(reverse, context_of(900)) as server:
        system = reranker(server.url)
        system.keep_transcript(tmp_path / "seed0.trec")
        long, short = system.rerank_many(long_requests([90, 5]))
        assert long.passage_ids == tuple(f"p0-{n}" for n in (3, 2, 1, 0))
        assert (long.usage.truncated_passages, short.usage.truncated_passages) == (4, 0)
        assert long.usage.model_calls == long.usage.clean_answers == 1
        assert 600 < max(map(len, server.answered)) <= 900
        tries = sum(server.tries_so_far().values())
        assert system.about["shortened_prompts"] == tries - 2 > 0
        again = reranker(server.url)
        again.keep_transcript(tmp_path / "seed0.trec")
        assert again.rerank_many(long_requests([90, 5])) == [long, short]
        assert sum(server.tries_so_far().values()) == tries  # what was refused is recorded
    rows = [json.loads(line) for line in system.transcript.path.read_text().splitlines()]
    assert {row["finish"] for row in rows} == {"stop", TOO_LONG}
    options = {"llm": {"kind": "replay", "transcript": str(tmp_path)}, "prompt": "short",
               "window": WINDOW}  # fmt: skip
    replayed = RankGPT.load(RankGPT.Options.model_validate(options))
    assert replayed.rerank_many(long_requests([90, 5])) == [long, short]


def test_a_context_too_short_for_one_word_of_each_ends_the_run():
    with (
        endpoint(reverse, context_of(10)) as server,
        pytest.raises(ValueError, match="a window of 4 passages as longer than its context") as e,
    ):
        reranker(server.url).rerank_many(long_requests([90]))
    assert "maximum context length is 1000 tokens" in str(e.value)
    assert "delete the transcript" in str(e.value)


def test_the_endpoint_s_reason_stands_beside_an_empty_answer():
    for finish, reason in (
        ("content_filter", "it is empty; the endpoint ended it by 'content_filter'"),
        ("stop", "it is empty"),
    ):
        with endpoint(lambda _: "") as server:
            server.finish = finish
            system = reranker(server.url)
            rejected = RejectedAnswers("x", None, 1)
            system.collect_rejected(rejected)
            system.rerank_many(requests(1, 4))
        assert [example.reason for example in rejected.examples] == [reason]


def test_the_length_field_and_fields_that_are_left_out():
    names = ["temperature", "top_p", "seed"]
    with endpoint(reverse) as server:
        for more in (
            {"length_field": "max_completion_tokens"},
            {"leave_out": names},
            {"leave_out": ["seed"], "temperature": 0.5},
        ):
            reranker(server.url, **more).rerank_many(requests(1, 4))
        renamed, bare, unseeded = server.bodies
    assert renamed["max_completion_tokens"] == 24
    assert "max_tokens" not in renamed
    assert set(bare) == {"model", "messages", "max_tokens"}
    assert unseeded["temperature"] == 0.5
    assert "seed" not in unseeded
    assert "seed" not in reranker("http://x", leave_out=["seed"], temperature=0.5).parameters
    assert set(reranker("http://x", leave_out=names).parameters) == {
        "url",
        "model",
        "max_new_tokens",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [({"more": {"max_completion_tokens": 9}}, "max_completion_tokens by `length_field`"),
     ({"leave_out": ["temperature"], "temperature": 0.5}, "temperature 0.5 is to be left out"),
     ({"leave_out": ["model"]}, "'temperature', 'top_p' or 'seed'")],
)  # fmt: skip
def test_contradictory_fields_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HttpOptions.model_validate({"kind": "http", "url": "http://h", "model": "m", **options})


def test_answers_that_are_cut_off_are_warned_of_and_recorded(tmp_path):
    with endpoint(lambda _: "<think>so [3] is best, then") as server:
        server.finish = "length"
        system = reranker(server.url)
        system.keep_transcript(tmp_path / "seed0.trec")
        rejected = RejectedAnswers("x", None, 1)
        system.collect_rejected(rejected)
        with pytest.warns(UserWarning, match="answers are cut off after 24 tokens"):
            (ranking,) = system.rerank_many(requests(1, 4))
    assert ranking.usage.rejected_answers == 1
    assert rejected.examples[0].reason == "it is empty and is cut off after 24 tokens"
    assert json.loads(system.transcript.path.read_text())["finish"] == "length"
    assert system.about["cut_off_answers"] == 1


def test_whole_answers_are_not_warned_of():
    with endpoint(reverse) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        system = reranker(server.url)
        system.rerank_many(requests(1, 4))
    assert "cut_off_answers" not in system.about
