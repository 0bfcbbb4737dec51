"""Listwise reranking by the logits of the first identifier alone (Gangi Reddy et al., EMNLP 2024).

A model trained to write a window's order has that order before it writes: the logits of all
identifiers at the first generated position rank the window, in one forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator

from baselines.llm.by_letter import ByLetter
from baselines.llm.interface import Prompt
from baselines.llm.listwise_options import ListwiseOptions, ListwiseTraining
from baselines.llm.listwise_prompts import WindowPrompts, expected_prompts
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import LETTERS, template
from resrank.ranking import Listed, Request, by_windows
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.windows import Window, window_sizes
from resrank.work import QueryShape

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel


class FirstOptions(ListwiseOptions):
    """Which model, and how it is prompted."""

    BY_LETTER = True

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    prompt: str = Field("first", description="A prompt by name, or a .yaml file's path.")

    @field_validator("window")
    @classmethod
    def _enough_letters(cls, value: Window) -> Window:
        if value.size > len(LETTERS):
            raise ValueError(f"size {value.size}: there are {len(LETTERS)} letters for passages")
        return value


class FirstTraining(ListwiseTraining):
    """Learns to write the order, and to rank by the first letter's logits (section 3.2)."""

    list_length: int = Field(20, ge=2, le=len(LETTERS), description="Passages in a window.")
    ranking_weight: float = Field(
        10.0, gt=0, description="Weight of RankNet on the first letter's logits."
    )

    @property
    def letter_weight(self) -> float:
        """Return the weight of RankNet on the first letter's logits."""
        return self.ranking_weight


class First(ByLetter):
    """Makes exactly one forward pass per window, and generates no token."""

    Options = FirstOptions
    Training = FirstTraining
    reads_lists = True

    def __init__(self, options: FirstOptions, model: TransformersModel) -> None:
        self.options = options
        self.model = model
        self.template = template(options.prompt)
        self.letters = [model.token_after("[", c) for c in LETTERS[: options.window.size]]

    @classmethod
    def load(cls, options: FirstOptions, model_dir: Path | None = None) -> Self:
        """Load the language model, or the one that `train` wrote."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm.trained(model_dir)))

    @classmethod
    def start(cls, options: FirstOptions, seed: int) -> Self:
        """Load the language model; a new one's weights follow the seed."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm, seed))

    @classmethod
    def train(
        cls,
        options: FirstOptions,
        training: FirstTraining,
        data: TrainingData,
        out: Path,
        job: TrainingJob,
    ) -> None:
        """Train with both losses at once and save the model under `out`."""
        from baselines.llm.listwise_training import train_listwise

        train_listwise(options.llm, options, training, data.train, out, job)

    @staticmethod
    def estimate_usage(options: FirstOptions, shape: QueryShape) -> Usage:
        """Return the usage of reading each window once."""
        sizes = window_sizes(shape.candidates, options.window)
        return expected_prompts(options, sizes, shape, options.llm.context)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return one forward pass per window, and no generated token."""
        windows = window_sizes(candidates, self.options.window)
        return DeclaredCounts(model_calls=len(windows), generated_tokens=0, embedding_slots=0)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; the windows of one round are read together."""
        usages = [Usage() for _ in requests]
        prompts = WindowPrompts(self.template, self.options.words, 1, self.model, requests, usages)
        return by_windows(
            requests, self.options.window, usages, lambda w: self._order(w, prompts(w), usages)
        )

    def _order(
        self,
        windows: Sequence[Sequence[Listed]],
        prompts: Sequence[Prompt],
        usages: Sequence[Usage],
    ) -> list[list[int]]:
        """Return each window's indices by the logits of their letters after an opening bracket."""
        logits = self.letter_logits(windows, prompts, "[", usages)
        return [
            sorted(range(len(w)), key=lambda place, r=row: -r[place])  # type: ignore[misc]
            for row, w in zip(logits, windows, strict=True)
        ]
