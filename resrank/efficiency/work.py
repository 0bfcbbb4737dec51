"""What a system says of its own work: which models read and write how much for a query.

A system's class may state it by two static methods, as `StatesWork` has them; one that doesn't has
no FLOPs in the tables and in a plan, never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from resrank.model.options import EncoderOptions, ScratchDecoder, TwoModels
from resrank.records import Usage

CHARACTERS = 4  # of English text in a token, for texts that are counted without a tokenizer


class Work(NamedTuple):
    """Sequences that one model reads and writes.

    sequences: how many; tokens: positions that they have together, embedded passages among them;
    steps: positions decoded behind them one at a time, over a cache of keys and values; logits:
    positions at which the whole vocabulary is scored. Sequences count as equally long: where they
    are not, attention, which grows by the square of their length, costs more than is said here.
    """

    sequences: float
    tokens: float
    steps: float = 0
    logits: float = 0


class Made(NamedTuple):
    """A decoder made here: its shape, the model whose vocabulary it has, tokens added to that."""

    shape: ScratchDecoder
    vocabulary: str
    added: int = 0


class Cut(NamedTuple):
    """The first layers of a model, all if None."""

    model: str
    layers: int | None = None


Model = str | Made | Cut
"""As a system's options name it: a hub id, a folder, 'trained:<system>', or a shape."""


class Pass(NamedTuple):
    """One model's work for one query; `ahead`: it can be done before the query is known."""

    model: Model
    work: Work
    ahead: bool = False


class Asked(NamedTuple):
    """A query as it is expected: how many candidates, and mean lengths in tokens."""

    candidates: int = 100
    passage_tokens: int = 100
    query_tokens: int = 10


class StatesWork(Protocol):
    """A system whose FLOPs can be told from its options."""

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> Sequence[Pass] | None:
        """The passes behind a ranking's usage; None where the models are not in this process.

        The encoder of passages, if there is one, stands first, the reranker last.
        """
        ...

    @staticmethod
    def expected(options: Any, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        ...


def embedded(encoder: str, usage: Usage, candidates: int) -> list[Pass]:
    """Passages that are embedded one by one, then the query, or the prompt in its place."""
    query = Work(min(1, usage.query_encoder_tokens), usage.query_encoder_tokens)
    passages = Work(candidates, usage.passage_encoder_tokens)
    return [Pass(encoder, passages, ahead=True), Pass(encoder, query)]


def scored(model: Model, usage: Usage) -> list[Pass]:
    """Prompts of which the vocabulary's logits behind the last token are read."""
    calls = usage.model_calls
    return [Pass(model, Work(calls, usage.prompt_tokens, logits=calls))]


def text_tokens(*texts: str) -> int:
    """About how many tokens fixed texts have."""
    return sum(-(-len(text) // CHARACTERS) for text in texts)


def decoder_of(options: TwoModels) -> Model:
    """The decoder that reads embeddings; one made here has its encoder's vocabulary."""
    if isinstance(options.reranker, str):
        return options.reranker
    return Made(options.reranker, options.encoder.model)


def expected_embeddings(encoder: EncoderOptions, asked: Asked, *, query: bool = True) -> Usage:
    """What embedding a query's passages takes and, if it is embedded, the query."""
    passage = asked.passage_tokens + text_tokens(encoder.passage_instruction)
    mine = (asked.query_tokens + text_tokens(encoder.query_instruction)) * query
    mine = min(mine, encoder.max_tokens)
    return Usage(
        passage_encoder_tokens=asked.candidates * min(passage, encoder.max_tokens),
        prompt_tokens=mine,
        query_encoder_tokens=mine,
    )


def expected_pairs(asked: Asked, fixed: int, limit: int) -> Usage:
    """Query and passage read together, pair by pair, in prompts of some fixed tokens."""
    pair = min(fixed + asked.query_tokens + asked.passage_tokens, limit)
    return Usage(prompt_tokens=asked.candidates * pair, model_calls=asked.candidates)
