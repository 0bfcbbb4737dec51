"""Read a completion in OpenAI's form, as OpenAI, vLLM, Mistral, llama.cpp and Ollama send it."""

from __future__ import annotations

import json
import warnings
from typing import Any

from baselines.llm.interface import CUT, Answer, encodable

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What `read_completion` raises for a reply in another form."""
TEXT_PARTS = ("text", "output_text")  # other parts of a content hold reasoning or references
CUT_REASONS = ("length", "max_tokens", "model_length")
LONGEST_REASON = 40  # characters


def read_completion(text: str, seconds: float) -> Answer:
    """Return a reply's answer, which is empty if the completion holds no text.

    Reasoning beside the content (`reasoning_content`, `reasoning`) is no part of the answer. Raises
    one of `UNREADABLE` if the reply is no completion.
    """
    reply = json.loads(text)
    choice = reply["choices"][0]
    message = choice.get("message")
    content = choice["text"] if message is None else message.get("content")
    usage = reply.get("usage") or {}
    counts = [usage.get(f"{name}_tokens") for name in ("prompt", "completion")]
    if None in counts:
        warnings.warn("the endpoint leaves out tokens; they are counted as 0", stacklevel=1)
    prompt_tokens, generated_tokens = (int(count or 0) for count in counts)
    answer = encodable(_text(content))
    return Answer(answer, prompt_tokens, generated_tokens, seconds, _finish(choice))


def _text(content: Any) -> str:
    """Return the text of a message's content: text, a list of parts, or nothing."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError(f"content is {type(content).__name__}")
    return "".join(map(_part_text, content))


def _part_text(part: Any) -> str:
    """Return the text of a part of a content, which is empty for reasoning."""
    if isinstance(part, str):
        return part
    if part.get("type", "text") not in TEXT_PARTS:
        return ""
    if not isinstance(part["text"], str):
        raise ValueError(f"a part's text is {type(part['text']).__name__}")
    return str(part["text"])


def _finish(choice: Any) -> str:
    """Return why an answer ended; "refusal" if the model gives none, "" if nothing is stated."""
    if (choice.get("message") or {}).get("refusal"):
        return "refusal"
    reason = choice.get("finish_reason")
    if reason in CUT_REASONS:
        return CUT
    return encodable(reason[:LONGEST_REASON]) if isinstance(reason, str) else ""
