"""A system's passage embeddings: from the store if it is prepared, else encoded at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resrank.model.embedding_store import EmbeddingStore
from resrank.model.encoder import Encoder
from resrank.model.vector_codec import VectorCodec
from resrank.phases import phase
from resrank.ranking import Request, ranked
from resrank.records import Passage, Ranking, Usage


class PassageEmbeddings:
    """Embeddings of one encoder, and the tokens that they cost."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.store: EmbeddingStore | None = None

    def prepare(
        self,
        passages: Iterable[Passage],
        folder: Path,
        needed: Iterable[Passage] | None = None,
    ) -> Usage:
        """Fill the store in `folder`; return the cost of encoding the passages, once each.

        needed: the passages that are to be read; unset: all.
        """
        batched = sorted({p.text for p in passages})
        texts = batched if needed is None else sorted({p.text for p in needed})
        self.store = self.store or EmbeddingStore(folder, self.encoder)
        self.store.fill(batched, needed=None if needed is None else texts)
        tokens, truncated = self.store.tokens(texts)
        return Usage(passage_encoder_tokens=tokens, truncated_passages=truncated)

    @property
    def row_bytes(self) -> int:
        """Return the bytes of one stored embedding."""
        return VectorCodec(self.encoder.options.store_dtype, self.encoder.width).row_bytes

    def forget(self) -> None:
        """Stop using the store: every call encodes its passages."""
        self.store = None

    def __call__(self, passages: Sequence[Passage]) -> tuple[NDArray[np.float32], Usage]:
        """Return (n, width) float32 embeddings in the passages' order, and their cost."""
        texts = [p.text for p in passages]
        if self.store is not None and self.store.has(texts):
            tokens, truncated = self.store.tokens(texts)
            usage = Usage(tokens, tokens, truncated_passages=truncated, encoded_passages=len(texts))
            return self.store.vectors(texts), usage
        encoded = self.encoder.tokenize(texts)
        usage = Usage(
            passage_encoder_tokens=sum(map(len, encoded.ids)),
            truncated_passages=sum(encoded.truncated),
            encoded_passages=len(texts),
        )
        return self.encoder.embed_ids(encoded.ids).numpy(), usage


def by_cosine(embeddings: PassageEmbeddings, requests: Sequence[Request]) -> list[Ranking]:
    """Rank each query's candidates by the cosine of embeddings; queries are embedded in batches."""
    encoder = embeddings.encoder
    ids = encoder.tokenize([q.text for q, _ in requests], query=True).ids
    return by_vectors(embeddings, requests, ids, encoder.embed_ids(ids).numpy())


def by_vectors(
    embeddings: PassageEmbeddings,
    requests: Sequence[Request],
    ids: Sequence[Sequence[int]],
    vectors: Iterable[NDArray[np.float32]],
) -> list[Ranking]:
    """Rank candidates by their cosine with a vector per query, (width,), made in one call.

    ids: the tokens from which each query's vector was made.
    """
    unit = embeddings.encoder.options.normalize
    rankings = []
    for (query, candidates), tokens, vector in zip(requests, ids, vectors, strict=True):
        passages, usage = embeddings([c.passage for c in candidates])
        usage.prompt_tokens += len(tokens)
        usage.query_encoder_tokens += len(tokens)
        usage.model_calls += 1
        with phase("score"):
            scores = passages @ vector if unit else _cosines(passages, vector)
            rankings.append(ranked(query, candidates, scores, usage))
    return rankings


def _cosines(passages: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines (n,) of embeddings (n, width) of any length with a vector (width,)."""
    lengths = np.linalg.norm(passages, axis=1) * np.linalg.norm(vector)
    cosines: NDArray[np.float32] = passages @ vector / np.maximum(lengths, 1e-12)
    return cosines
