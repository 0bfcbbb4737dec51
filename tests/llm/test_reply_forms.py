"""The replies that OpenAI, vLLM, Mistral, llama.cpp and Ollama document, read as answers."""

import json

import pytest

from baselines.llm.backends.completion import UNREADABLE, read_completion
from baselines.llm.interface import CUT

A = "[3] > [1] > [4] > [2]"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "[2]?"}], "closed": True}


def chat(content, finish="stop", **message):
    message = {"role": "assistant", "content": content, **message}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": USAGE}


FORMS = {
    "OpenAI": (chat(A, refusal=None, annotations=[], tool_calls=None), A, "stop"),
    "OpenAI, a list of parts": (chat([{"type": "text", "text": A}]), A, "stop"),
    "OpenAI, a refusal": (chat(None, refusal="I cannot rank 1."), "", "refusal"),
    "OpenAI, reasoning that was cut": (chat("", "length"), "", CUT),
    "OpenAI, filtered": (chat(None, "content_filter"), "", "content_filter"),
    "OpenAI, a tool's call": (chat(None, "tool_calls", tool_calls=[{"id": "1"}]), "", "tool_calls"),
    "OpenAI, completions": (
        {"choices": [{"text": A, "index": 0, "logprobs": None, "finish_reason": "length"}],
         "usage": USAGE}, A, CUT),
    "vLLM": (chat(A, stop_reason=None, reasoning_content="[2]?", reasoning=None), A, "stop"),
    "vLLM, reasoning alone": (chat(None, "length", reasoning_content="so [3]"), "", CUT),
    "vLLM, newer": (chat(None, "length", reasoning="so [3]"), "", CUT),
    "Mistral": (chat(A, prefix=False), A, "stop"),
    "Mistral, reasoning": (chat([THINKING, {"type": "text", "text": A}]), A, "stop"),
    "Mistral, references": (
        chat([{"type": "text", "text": "[3] > "}, {"type": "reference", "reference_ids": [1]},
              {"type": "text", "text": "[1]"}]), "[3] > [1]", "stop"),
    "Mistral, reasoning alone": (chat([THINKING], "length"), "", CUT),
    "Mistral, cut by the model": (chat(A, "model_length"), A, CUT),
    "llama.cpp": (chat(A) | {"timings": {"predicted_n": 5}}, A, "stop"),
    "llama.cpp, reasoning": (chat(A, reasoning_content="[2]?"), A, "stop"),
    "llama.cpp, reasoning in the content": (chat(f"<think>[2]?</think>{A}"), A, "stop"),
    "Ollama": (chat(A) | {"system_fingerprint": "fp_ollama"}, A, "stop"),
    "Ollama, reasoning": (chat(A, reasoning="[2]?"), A, "stop"),
    "Ollama, reasoning alone": (chat("", "length", reasoning="[2]?"), "", CUT),
    "parts of plain text": (chat(["[3] > ", "[1]"]), "[3] > [1]", "stop"),
    "no content": ({"choices": [{"message": {"role": "assistant"}}], "usage": USAGE}, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_documented_form(form):
    reply, final, finish = FORMS[form]
    answer = read_completion(json.dumps(reply), 0.5)
    assert (answer.final, answer.finish) == (final, finish)
    assert (answer.prompt_tokens, answer.generated_tokens) == (10, 5)


@pytest.mark.parametrize(
    "reply",
    [{}, {"choices": []}, {"choices": [{}]}, chat({"text": A}), chat(3), chat([{"type": "text"}]),
     chat([{"text": 3}]), chat([3]), {"choices": [{"message": "x"}], "usage": USAGE},
     {"message": {"content": A}, "done": True}],
)  # fmt: skip
def test_what_is_no_completion_is_refused(reply):
    with pytest.raises(UNREADABLE):
        read_completion(json.dumps(reply), 0.5)


def test_the_reason_of_an_end_is_bounded():
    assert len(read_completion(json.dumps(chat(A, "x" * 9999)), 0.5).finish) == 40
    assert read_completion(json.dumps(chat(A, {"a": 1})), 0.5).finish == ""
