"""Prompts with the answers that a model learns behind them, and the log-probabilities of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from baselines.llm.prompt import Prompt
from baselines.llm.transformers_model import TransformersModel
from baselines.rag_match.trace import GRADES, OPENING
from resrank.model.batches import token_budget_batches
from resrank.model.device import autocast


class Answered(NamedTuple):
    """Token ids of a prompt and its answer, which begins at `start`."""

    ids: list[int]
    start: int


def answered(model: TransformersModel, prompt: Prompt, answer: str) -> Answered:
    """An answer behind its prompt, with the token that ends it.

    An answer that the model has no room for loses its end; ValueError if it loses all.
    """
    (before,) = model.tokenize([prompt])
    (whole,) = model.tokenize([prompt], opening=answer)
    if len(before) >= model.positions:
        raise ValueError(
            f"a prompt of {len(before)} tokens leaves no room for an answer in the model's "
            f"{model.positions}: {prompt[-1].content[:80]!r}"
        )
    same = (i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b)
    ids = [*whole, int(model.tokenizer.eos_token_id)]
    return Answered(ids[: model.positions], next(same, len(before)))


def graded(model: TransformersModel, prompt: Prompt, reasoning: str, grade: int) -> Answered:
    """A grade alone behind a prompt and the reasoning that leads to it, or `OPENING`."""
    (whole,) = model.tokenize([prompt], opening=f"{reasoning}{grade}")
    return Answered(whole, len(whole) - 1)


def grade_tokens(model: TransformersModel) -> list[int]:
    """The token of each grade behind `OPENING`. ValueError if a tokenizer has none."""
    return [model.token_behind(OPENING, str(grade)) for grade in range(GRADES)]


class Likelihood:
    """Log-probabilities of answers under the model as it is, with gradients where they are on.

    It holds the decoder and the head as they are now: adapters that are put into them later count.
    """

    def __init__(self, model: TransformersModel, mixed: bool | None) -> None:
        self.model = model
        self.mixed = mixed
        self.decoder = model.model.base_model
        self.head: nn.Module = model.model.get_output_embeddings()

    def __call__(self, items: Sequence[Answered]) -> list[Tensor]:
        """One tensor an answer, (tokens,) float32; one forward pass over all, padded at the end."""
        device = self.model.device
        longest = max(len(item.ids) for item in items)
        inputs = torch.full((len(items), longest), self.model.pad, device=device)
        mask = torch.zeros_like(inputs)
        for row, item in enumerate(items):
            inputs[row, : len(item.ids)] = torch.tensor(item.ids, device=device)
            mask[row, : len(item.ids)] = 1
        sizes = [len(item.ids) - item.start for item in items]
        rows = torch.tensor([r for r, size in enumerate(sizes) for _ in range(size)], device=device)
        at = torch.tensor([p for i in items for p in range(i.start, len(i.ids))], device=device)
        with autocast(self.mixed, device):
            hidden = self.decoder(input_ids=inputs, attention_mask=mask, use_cache=False)[0]
            logits = self.head(hidden[rows, at - 1])  # the state before a token predicts it
        found = -nn.functional.cross_entropy(logits.float(), inputs[rows, at], reduction="none")
        return list(torch.split(found, sizes))

    @torch.no_grad()
    def sums(self, items: Sequence[Answered], batch_tokens: int) -> Tensor:
        """(answers,) float32: each one's whole log-probability, without gradients."""
        out = torch.zeros(len(items))
        for places in token_budget_batches([len(item.ids) for item in items], batch_tokens):
            found = self([items[place] for place in places])
            out[places] = torch.stack([tokens.sum() for tokens in found]).cpu()
        return out
