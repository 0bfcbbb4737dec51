"""Prompts with the answers that a model learns behind them, and the log-probabilities of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.prompts.template import Prompt
from baselines.rag_match.trace import OPENING
from resrank.model.batches import token_budget_batches
from resrank.model.device import autocast
from resrank.records import GRADES


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


def grade_tokens(model: TransformersModel) -> list[int]:
    """The token of each grade behind `OPENING`. ValueError if a tokenizer has none."""
    return [model.token_behind(OPENING, str(grade)) for grade in range(GRADES)]


def head_of(model: Any) -> nn.Module:
    """What makes logits of states: a matrix, before which BERT's head has a layer more."""
    head: nn.Module = getattr(model, "cls", None) or model.get_output_embeddings()
    return head


class Likelihood:
    """Log-probabilities of answers under the model as it is, with gradients where they are on.

    It holds the decoder and the head as they are now: adapters that are put into them later count.
    """

    def __init__(self, model: TransformersModel, mixed: bool | None) -> None:
        self.model = model
        self.mixed = mixed
        self.decoder = model.model.base_model
        self.head: nn.Module = head_of(model.model)

    def __call__(self, items: Sequence[Answered]) -> list[Tensor]:
        """One tensor an answer, (tokens,) float32; one forward pass over all, padded at the end."""
        sizes = [len(item.ids) - item.start for item in items]
        rows = [row for row, size in enumerate(sizes) for _ in range(size)]
        places = [place for item in items for place in range(item.start, len(item.ids))]
        wanted = torch.tensor(
            [items[row].ids[place] for row, place in zip(rows, places, strict=True)]
        )
        # the state before a token predicts it
        logits = self._logits([item.ids for item in items], rows, [place - 1 for place in places])
        found = nn.functional.cross_entropy(logits, wanted.to(logits.device), reduction="none")
        return list(torch.split(-found, sizes))

    def grades(self, prompts: Sequence[list[int]], tokens: Sequence[int]) -> Tensor:
        """(prompts, grades) float32: logits of the grades' tokens behind each prompt's ids."""
        rows = list(range(len(prompts)))
        return self._logits(prompts, rows, [len(ids) - 1 for ids in prompts])[:, list(tokens)]

    def _logits(self, ids: Sequence[list[int]], rows: list[int], places: list[int]) -> Tensor:
        """(places, vocabulary) float32: what follows each (row, place)."""
        device = self.model.device
        longest = max(map(len, ids))
        inputs = torch.tensor([row + [self.model.pad] * (longest - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
        inputs, mask = inputs.to(device), mask.to(device)
        with autocast(self.mixed, device):
            hidden = self.decoder(input_ids=inputs, attention_mask=mask, use_cache=False)[0]
            logits: Tensor = self.head(hidden[rows, places])
        return logits.float()

    @torch.no_grad()
    def sums(self, items: Sequence[Answered], batch_tokens: int) -> Tensor:
        """(answers,) float32: each one's whole log-probability, without gradients."""
        out = torch.zeros(len(items))
        for places in token_budget_batches([len(item.ids) for item in items], batch_tokens):
            found = self([items[place] for place in places])
            out[places] = torch.stack([tokens.sum() for tokens in found]).cpu()
        return out
