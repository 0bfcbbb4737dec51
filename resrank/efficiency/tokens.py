"""Ways of counting tokens, all derived from the counters that rerankers keep (`Usage`).

Counters are those of one query, or means or sums over queries, by the names of `Usage`.
"""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, float]


def tokens(counters: Counters, cached: bool = False) -> float:
    """Return the tokens that all models read and write.

    cached: exclude the encoding of passages.
    """
    encoded = 0.0 if cached else counters["passage_encoder_tokens"]
    return encoded + processed_by_lm(counters) + counters["generated_tokens"]


def processed_by_lm(counters: Counters) -> float:
    """Return processed tokens as PE-Rank counts them (Liu et al., WWW 2025).

    These are the text and embeddings that the reranking model reads, over all windows. Tokens that
    an encoder reads to embed passages are excluded.
    """
    return counters["prompt_tokens"] + counters["embedding_slots"]


def processed_in_slots(counters: Counters) -> float | None:
    """Return processed tokens as ResRank's paper counts them (docs/papers.md: one per passage).

    These are the compressed passages alone, without the query's and the encoder's tokens. None for
    a system that reads its passages as text.
    """
    return counters["embedding_slots"] or None
