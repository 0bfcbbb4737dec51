"""Token ids of prompts followed by answers, and of the grades."""

from __future__ import annotations

from typing import NamedTuple

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Prompt
from baselines.rag_match.trace import OPENING
from resrank.records import GRADES


class AnsweredPrompt(NamedTuple):
    """Token ids of a prompt and its answer; the answer begins at index `start`."""

    ids: list[int]
    start: int


def answered(model: TransformersModel, prompt: Prompt, answer: str) -> AnsweredPrompt:
    """Tokenise a prompt and its answer, with the token that ends the answer.

    An answer that exceeds the model's positions loses its end. Raises ValueError if the prompt
    leaves no position for an answer.
    """
    (before,) = model.tokenize([prompt])
    (whole,) = model.tokenize([prompt], opening=answer)
    if len(before) >= model.positions:
        raise ValueError(
            f"a prompt of {len(before)} tokens leaves no room for an answer in the model's "
            f"{model.positions}: {prompt[-1].content[:80]!r}"
        )
    differing = (i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b)
    ids = [*whole, int(model.tokenizer.eos_token_id)]
    return AnsweredPrompt(ids[: model.positions], next(differing, len(before)))


def grade_tokens(model: TransformersModel) -> list[int]:
    """Return the token of each grade after `OPENING`.

    Raises ValueError if a grade is no single token there.
    """
    return [model.token_after(OPENING, str(grade)) for grade in range(GRADES)]
