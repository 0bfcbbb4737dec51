"""Cosine of query and passage embeddings (Reimers and Gurevych, EMNLP 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from resrank.model.options import EncoderOptions
from resrank.records import Candidate, Passage, Query, Ranking, Usage
from resrank.reranker import Request, ranked

if TYPE_CHECKING:
    from resrank.model.encoder import Encoder


class BiEncoder:
    """Any sentence-transformers or Hugging Face encoder; passages can be embedded beforehand."""

    Options = EncoderOptions

    def __init__(self, encoder: Encoder) -> None:
        from resrank.model.passage_embeddings import PassageEmbeddings

        self.encoder = encoder
        self.embeddings = PassageEmbeddings(encoder)

    @classmethod
    def load(cls, options: EncoderOptions, model_dir: Path | None = None) -> Self:
        """Load the encoder that the options name."""
        from resrank.model.encoder import Encoder

        return cls(Encoder.from_options(options))

    @staticmethod
    def encoder_options(options: EncoderOptions) -> EncoderOptions:
        """The encoder whose passage embeddings can be stored: this one."""
        return options

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return str(self.encoder.dtype).removeprefix("torch.")

    def prepare(self, passages: Iterable[Passage], folder: Path) -> Usage:
        """Embed passages ahead of time into the store in `folder`."""
        return self.embeddings.prepare(passages, folder)

    def forget(self) -> None:
        """Embed passages anew for every ranking."""
        self.embeddings.forget()

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates by cosine."""
        return self.rerank_many([(query, candidates)])[0]

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Embed all queries in batches, then rank each one's candidates."""
        ids = self.encoder.tokenize([q.text for q, _ in requests], query=True).ids
        vectors = self.encoder.embed_ids(ids).numpy()
        rankings = []
        for (query, candidates), tokens, vector in zip(requests, ids, vectors, strict=True):
            passages, usage = self.embeddings([c.passage for c in candidates])
            usage.prompt_tokens += len(tokens)
            usage.model_calls += 1
            rankings.append(ranked(query, candidates, passages @ vector, usage))
        return rankings
