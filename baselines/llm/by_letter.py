"""What systems share that read letters' logits at the first position of an answer."""

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
    """Base of a system that generates nothing: one forward pass a set of passages."""

    model: TransformersModel
    template: Template
    letters: list[int]

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return self.model.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """What a run's manifest says beside the configuration."""
        return {"prompt_hash": self.template.hash, "parameters": dict(self.model.identity)}

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> list[Pass]:
        """One pass a set of passages."""
        return scored(options.llm.named, usage)

    def letter_logits(
        self,
        sets: Sequence[Sequence[Listed]],
        prompts: Sequence[Prompt],
        opening: str,
        usages: Sequence[Usage],
    ) -> list[list[float]]:
        """The letters' logits behind each prompt and the answer's opening, counted as used."""
        ids = self.model.tokenize(prompts, opening=opening)
        logits: list[list[float]] = self.model.first_logits(ids, self.letters).tolist()
        for row, members in zip(ids, sets, strict=True):
            usages[members[0][0]].prompt_tokens += len(row)
            usages[members[0][0]].model_calls += 1
        return logits
