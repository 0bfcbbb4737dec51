"""A model's judgement of pairs: the probability of each grade, behind a trace or at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Answer
from baselines.llm.prompts.template import Prompt
from baselines.rag_match.options import JudgeOptions
from baselines.rag_match.prompts import fitted
from baselines.rag_match.sequences import grade_tokens
from baselines.rag_match.trace import OPENING, Malformed, Trace, parse

BEHIND = 16  # tokens that `OPENING`, a grade and what joins them may take


class Shown(NamedTuple):
    """A pair as the model reads it, and whether its passage was cut."""

    prompt: Prompt
    cut: bool


class Reasoned(NamedTuple):
    """What a model wrote about a pair, parsed, and what that took."""

    trace: Trace | Malformed
    answer: Answer

    @property
    def opening(self) -> str:
        """What the grade is read behind: the reasoning, or, where it is malformed, none."""
        return self.trace.reasoning() if isinstance(self.trace, Trace) else OPENING


class Judge:
    """Judges pairs with a language model."""

    def __init__(self, model: TransformersModel, options: JudgeOptions) -> None:
        self.model = model
        self.options = options
        self.grades = grade_tokens(model)

    def show(self, query: str, passage: str) -> Shown:
        """A pair's prompt, the same with and without reasoning: a trace has room behind it."""
        options = self.options
        answer = BEHIND + options.max_new_tokens
        shown = fitted(self.model, options.instruction, query, passage, options.words, answer)
        return Shown(*shown)

    def write(self, prompts: Sequence[Prompt]) -> list[Reasoned]:
        """What the model writes about each pair."""
        found = dict(self.model.answers(prompts, self.options.max_new_tokens))
        return [Reasoned(parse(found[i].text), found[i]) for i in range(len(prompts))]

    def grade(self, prompts: Sequence[Prompt], openings: Sequence[str]) -> tuple[Tensor, list[int]]:
        """(pairs, grades) probabilities behind each opening, and how many tokens each read."""
        ids = [
            self.model.tokenize([prompt], opening=opening)[0]
            for prompt, opening in zip(prompts, openings, strict=True)
        ]
        logits = self.model.first_logits(ids, self.grades)
        return logits.softmax(dim=-1), [len(row) for row in ids]
