"""A model's judgement of pairs: the probability of each grade, after a trace or at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Answer, Prompt
from baselines.rag_match.options import JudgeOptions
from baselines.rag_match.prompts import PairPrompt, fitted_pair_prompt
from baselines.rag_match.sequences import grade_tokens
from baselines.rag_match.trace import OPENING, Malformed, Trace, parse

GRADE_TOKENS = 16
"""Upper bound on the tokens of `OPENING`, a grade and the characters that join them."""


class Reasoned(NamedTuple):
    """What a model wrote about a pair, parsed, and the answer with its costs."""

    trace: Trace | Malformed
    answer: Answer

    @property
    def opening(self) -> str:
        """Return the text that precedes the grade: the reasoning, unless it is malformed."""
        return self.trace.reasoning() if isinstance(self.trace, Trace) else OPENING


class Judge:
    """Judges pairs with a language model."""

    def __init__(self, model: TransformersModel, options: JudgeOptions) -> None:
        self.model = model
        self.options = options
        self.grades = grade_tokens(model)

    def prompt_of(self, query: str, passage: str) -> PairPrompt:
        """Return a pair's prompt, which leaves room for a trace.

        The prompt is the same with and without reasoning.
        """
        room = GRADE_TOKENS + self.options.max_new_tokens
        return fitted_pair_prompt(self.model, self.options, query, passage, room)

    def write(self, prompts: Sequence[Prompt]) -> list[Reasoned]:
        """Let the model write a trace per prompt; return the answers in the prompts' order."""
        answers = dict(self.model.answers(prompts, self.options.max_new_tokens))
        return [Reasoned(parse(answers[i].final), answers[i]) for i in range(len(prompts))]

    def grade(self, prompts: Sequence[Prompt], openings: Sequence[str]) -> tuple[Tensor, list[int]]:
        """Return the grades' probabilities after each opening, and the tokens read per pair.

        The probabilities have the shape (pairs, grades); the lowest grade comes first.
        """
        ids = [
            self.model.tokenize([prompt], opening=opening)[0]
            for prompt, opening in zip(prompts, openings, strict=True)
        ]
        logits = self.model.first_logits(ids, self.grades)
        return logits.softmax(dim=-1), [len(row) for row in ids]
