"""Ways of counting tokens, all derived from the one ledger that rerankers keep (`Usage`).

counters: a query's, or their means or sums, by the names of `Usage`.
"""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, float]


def tokens(counters: Counters, cached: bool = False) -> float:
    """Everything that any model reads or writes; `cached`: without the passages' encoding."""
    encoded = 0.0 if cached else counters["passage_encoder_tokens"]
    return encoded + processed_by_lm(counters) + counters["generated_tokens"]


def processed_by_lm(counters: Counters) -> float:
    """Processed tokens as PE-Rank counts them (Liu et al., WWW 2025): all that the reranking model
    reads, text and embeddings, over all windows; not what an encoder reads to embed passages."""
    return counters["prompt_tokens"] + counters["embedding_slots"]


def processed_in_slots(counters: Counters) -> float | None:
    """Processed tokens as ResRank's paper counts them (docs/papers.md: 100 for 100 candidates).

    The compressed passages alone, neither the query's tokens nor the encoder's. None for a system
    that is fed no embedding: its passages are text.
    """
    return counters["embedding_slots"] or None
