"""Read a completion in OpenAI's form."""

from __future__ import annotations

import json
import warnings

from baselines.llm.interface import Answer, encodable

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What `read_completion` raises for a reply in another form."""


def read_completion(text: str, seconds: float) -> Answer:
    """Return a reply's answer, which is empty if the completion holds no text.

    Raises one of `UNREADABLE` if the reply is no completion.
    """
    reply = json.loads(text)
    choice = reply["choices"][0]
    content = choice["message"]["content"] if "message" in choice else choice["text"]
    if not isinstance(content, str | None):
        raise ValueError(f"content is {type(content).__name__}")
    usage = reply.get("usage") or {}
    counts = [usage.get(f"{name}_tokens") for name in ("prompt", "completion")]
    if None in counts:
        warnings.warn("the endpoint leaves out tokens; they are counted as 0", stacklevel=1)
    prompt_tokens, generated_tokens = (int(count or 0) for count in counts)
    return Answer(encodable(content or ""), prompt_tokens, generated_tokens, seconds)
