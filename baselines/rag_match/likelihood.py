"""Log-probabilities of answers under a language model in training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from baselines.llm.backends.transformers import TransformersModel
from baselines.rag_match.sequences import AnsweredPrompt
from resrank.model.batches import token_budget_batches
from resrank.model.device import autocast
from resrank.model.padding import pad_ids


class Likelihood:
    """Computes log-probabilities of answers, with gradients where they are enabled.

    It keeps the decoder and the head that the model has now. Adapters that are put into these
    modules later take part in what it computes.
    """

    def __init__(self, model: TransformersModel, mixed: bool | None) -> None:
        """Keep the model's parts; `mixed` says whether to compute in bfloat16, as in `autocast`."""
        self.model = model
        self.mixed = mixed
        self.decoder = model.model.base_model
        self.head = head_of(model.model)

    def __call__(self, items: Sequence[AnsweredPrompt]) -> list[Tensor]:
        """Return each answer's log-probabilities, (tokens,) float32, from one forward pass."""
        sizes = [len(item.ids) - item.start for item in items]
        rows = [row for row, size in enumerate(sizes) for _ in range(size)]
        columns = [column for item in items for column in range(item.start, len(item.ids))]
        targets = torch.tensor(
            [items[row].ids[column] for row, column in zip(rows, columns, strict=True)]
        )
        # The state before a token predicts it.
        logits = self._logits([item.ids for item in items], rows, [c - 1 for c in columns])
        losses = nn.functional.cross_entropy(logits, targets.to(logits.device), reduction="none")
        return list(torch.split(-losses, sizes))

    def grades(self, prompts: Sequence[list[int]], tokens: Sequence[int]) -> Tensor:
        """Return the grade tokens' logits after each prompt's ids, (prompts, grades) float32."""
        rows = list(range(len(prompts)))
        return self._logits(prompts, rows, [len(ids) - 1 for ids in prompts])[:, list(tokens)]

    @torch.no_grad()
    def sums(self, items: Sequence[AnsweredPrompt], batch_tokens: int) -> Tensor:
        """Return the log-probability of each whole answer, (answers,) float32, without gradients.

        batch_tokens: most padded tokens per forward pass.
        """
        sums = torch.zeros(len(items))
        for batch in token_budget_batches([len(item.ids) for item in items], batch_tokens):
            answers = self([items[i] for i in batch])
            sums[batch] = torch.stack([tokens.sum() for tokens in answers]).cpu()
        return sums

    def _logits(self, ids: Sequence[list[int]], rows: list[int], columns: list[int]) -> Tensor:
        """Return the logits at each (row, column), (positions, vocabulary) float32.

        The rows of `ids` are padded at their ends.
        """
        device = self.model.device
        inputs, mask = pad_ids(ids, self.model.pad, device)
        with autocast(self.mixed, device):
            hidden = self.decoder(input_ids=inputs, attention_mask=mask, use_cache=False)[0]
            logits: Tensor = self.head(hidden[rows, columns])
        return logits.float()


def head_of(model: nn.Module) -> nn.Module:
    """Return the module that turns hidden states into logits.

    BERT's head, its child `cls`, has a layer before the matrix that is its output embeddings.
    """
    children = dict(model.named_children())
    if "cls" in children:
        return children["cls"]
    head: nn.Module = model.get_output_embeddings()  # type: ignore[operator]
    return head
