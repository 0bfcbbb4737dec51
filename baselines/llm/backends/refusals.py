"""What an endpoint refuses in a request, by its status and its words.

No protocol has codes for these. The patterns are of messages of OpenAI, vLLM, SGLang, TGI, Mistral,
llama.cpp, Anthropic, Google, Amazon, Cohere and Alibaba, and of the chat templates of Gemma and
Mistral.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Refusal(StrEnum):
    """What is refused: a system turn, or a prompt that is longer than the context."""

    SYSTEM_TURN = "system turn"
    TOO_LONG = "too long"


STATUSES = (400, 413, 422, 500)  # llama.cpp reports an error of a chat template as 500
PATTERNS = {
    Refusal.SYSTEM_TURN: r"system[\s_'\"]*(role|message|prompt|turn|instruction)"
    r"|\brole\b.{0,40}\bsystem\b|developer instruction|roles must alternate"
    r"|only user and assistant",
    Refusal.TOO_LONG: r"context[\s_-]*(length|size|window)|maximum (model|input) length"
    r"|prompt is too long|too large for model with|model'?s? (max|maximum).{0,20}length"
    r"|reduce the length of the (messages|prompt|input)|must have less than \d+ tokens"
    r"|input is too long|too many tokens: total|range of input length"
    r"|input token count|inputs` tokens \+ `max_new_tokens`",
}
COMPILED = {what: re.compile(words, re.IGNORECASE) for what, words in PATTERNS.items()}
FIELD = re.compile(
    r"unsupported|support|unrecogni[sz]ed|unknown|forbidden|permitted", re.IGNORECASE
)


def refusal_of(status: int, text: str) -> Refusal | None:
    """Return what a reply refuses, or None if it says something else."""
    if status not in STATUSES:
        return None
    return next((what for what, words in COMPILED.items() if words.search(text)), None)


def advice_on(status: int, text: str) -> str:
    """Return the options that leave out or rename a field that a reply refuses; mostly ""."""
    if status not in STATUSES or not FIELD.search(text):
        return ""
    if "max_completion_tokens" in text:
        return "; set `length_field: max_completion_tokens` under `llm`"
    fields = [name for name in ("temperature", "top_p", "seed") if re.search(rf"\b{name}\b", text)]
    return f"; set `leave_out: [{', '.join(fields)}]` under `llm`" if fields else ""
