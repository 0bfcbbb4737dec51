"""ICR's forward passes: what the tokens after the passages attend to (section 3 of the paper)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from baselines.icr.options import ICROptions
from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from resrank.model.finite import check_finite
from resrank.phases import phase

SEPARATOR = "\n\n"


class Reading(NamedTuple):
    """A prompt's token ids, the span of each passage in them, and the start of the rest."""

    ids: list[int]
    spans: list[tuple[int, int]]
    rest: int


class Reader:
    """A causal model whose attention weights are read."""

    def __init__(self, llm: TransformersModel, options: ICROptions) -> None:
        self.llm = llm
        self.options = options

    def scores(self, query: str, passages: Sequence[str]) -> tuple[list[float], int]:
        """Return one score per passage, and the number of tokens read (passages once)."""
        listed = list(reversed(passages)) if self.options.reverse else list(passages)
        full = self.reading(query, listed)
        neutral = self.reading(self.options.neutral_query, listed)
        if full.ids[: full.rest] != neutral.ids[: full.rest]:
            raise ValueError(
                f"{self.llm.options.model}: the tokens of the passages change with the query "
                "after them; ICR needs a chat template that keeps messages in order"
            )
        if len(full.ids) > self.llm.positions:
            raise ValueError(
                f"{len(passages)} passages make a prompt of {len(full.ids)} tokens, the model has "
                f"{self.llm.positions} positions; lower `words` or set a `window`"
            )
        with phase("prefill"):
            given, before = self._attention(full, neutral)
        check_finite(given - before, self.llm.options.model, "attention weights")
        with phase("score"):
            scores = [_passage_score(given[a:b] - before[a:b]) for a, b in full.spans]
        tokens = len(full.ids) + len(neutral.ids) - neutral.rest
        return (scores[::-1] if self.options.reverse else scores), tokens

    def is_too_long(self, query: str, passages: Sequence[str]) -> bool:
        """Whether a list's prompt has more tokens than the model has positions."""
        return len(self.reading(query, passages).ids) > self.llm.positions

    def reading(self, query: str, passages: Sequence[str]) -> Reading:
        """Return the prompt in the model's chat template, with its passages' token spans."""
        o = self.options
        numbered = [f"[{place}] {text}" for place, text in enumerate(passages, start=1)]
        closing = f"{o.closing}{SEPARATOR}Query: {query.strip()}"
        content = SEPARATOR.join([o.opening, *numbered, closing])
        text = self.llm.chat_text((Message("user", content),))
        ids, offsets = self.llm.with_offsets(text)
        begin, spans = text.index(content) + len(o.opening), []
        for passage in numbered:
            begin += len(SEPARATOR)
            spans.append(_tokens_within(offsets, begin, begin + len(passage)))
            begin += len(passage)
        rest = _tokens_within(offsets, begin + len(SEPARATOR), len(text))[0]
        return Reading(ids, spans, rest)

    @torch.inference_mode()
    def _attention(self, full: Reading, neutral: Reading) -> tuple[Tensor, Tensor]:
        """Return (rest,) the attention on each token before the rest, for both queries."""
        model, device = self.llm.model, self.llm.device
        shared = torch.tensor([full.ids[: full.rest]], device=device)
        cache = DynamicCache()
        model.base_model(input_ids=shared, past_key_values=cache, use_cache=True)
        implementation = model.config._attn_implementation
        model.set_attn_implementation("eager")  # the one that returns its weights
        try:
            given, before = (
                self._of_rest(reading, copy.deepcopy(cache)) for reading in (full, neutral)
            )
        finally:
            model.set_attn_implementation(implementation)
        return given, before

    def _of_rest(self, reading: Reading, cache: DynamicCache) -> Tensor:
        """Return the mean attention of the rest's tokens, summed over heads and layers."""
        rest = torch.tensor([reading.ids[reading.rest :]], device=self.llm.device)
        layers = self.llm.model.base_model(
            input_ids=rest, past_key_values=cache, use_cache=True, output_attentions=True
        ).attentions
        of_layers = [
            weights[0, :, :, : reading.rest].float().mean(dim=1).sum(0) for weights in layers
        ]
        return torch.stack([layer.cpu() for layer in of_layers]).sum(0)


def _tokens_within(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Return the span (start, end) of the tokens that begin within a stretch of the text."""
    within = [i for i, (begin, stop) in enumerate(offsets) if start <= begin < end and stop > begin]
    return within[0], within[-1] + 1


def _passage_score(calibrated: Tensor) -> float:
    """Return the sum over a passage's tokens, except those 2 deviations below their mean."""
    if len(calibrated) < 2:
        return float(calibrated.sum())
    kept = calibrated > calibrated.mean() - 2 * calibrated.std()
    return float(calibrated[kept].sum())
