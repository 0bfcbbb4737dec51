"""Rerankers that rank by the letters' logits at the first position of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baselines.llm.interface import Prompt
from baselines.llm.prompts.template import Template
from resrank.efficiency.common_work import scored
from resrank.ranking import Listed
from resrank.records import Usage
from resrank.reranker import Reranker
from resrank.work import Pass

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel


class ByLetter(Reranker):
    """Base of rerankers that generate no token: one forward pass per set of passages."""

    model: TransformersModel
    template: Template
    letters: list[int]

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        return self.model.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the prompt's hash and the model's identity, for the run's manifest."""
        return {"prompt_hash": self.template.hash, "parameters": dict(self.model.identity)}

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass]:
        """Return the forward passes: one per set of passages."""
        return scored(options.llm.named, usage)

    def letter_logits(
        self,
        sets: Sequence[Sequence[Listed]],
        prompts: Sequence[Prompt],
        opening: str,
        usages: Sequence[Usage],
    ) -> list[list[float]]:
        """Return the letters' logits after each prompt and `opening`: (sets, letters).

        Adds each prompt's tokens to the usage of its query.
        """
        ids = self.model.tokenize(prompts, opening=opening)
        logits: list[list[float]] = self.model.first_logits(ids, self.letters).tolist()
        for row, members in zip(ids, sets, strict=True):
            usages[members[0][0]].prompt_tokens += len(row)
            usages[members[0][0]].model_calls += 1
        return logits
