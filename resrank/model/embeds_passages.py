"""The base class of rerankers that read passage embeddings of one encoder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from resrank.records import Passage, Usage
from resrank.reranker import RanksMany

if TYPE_CHECKING:
    from resrank.model.passage_embeddings import PassageEmbeddings


class EmbedsPassages(RanksMany):
    """Base of a reranker that takes passage embeddings from one encoder: stored or made anew."""

    embeddings: PassageEmbeddings

    @property
    def dtype(self) -> str:
        """Number format of the encoder's weights."""
        from resrank.model.device import number_format

        return number_format(self.embeddings.encoder)

    @property
    def bytes_per_passage(self) -> int:
        """Size of a stored embedding: the index's share of a passage."""
        return self.embeddings.row_bytes

    def prepare(self, passages: Iterable[Passage], folder: Path) -> Usage:
        """Embed passages ahead of time into the store in `folder`."""
        return self.embeddings.prepare(passages, folder)

    def forget(self) -> None:
        """Embed passages anew for every ranking."""
        self.embeddings.forget()
