"""The base class of rerankers that read passage embeddings from one encoder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from resrank.records import Passage, Usage
from resrank.reranker import Reranker

if TYPE_CHECKING:
    from resrank.model.passage_embeddings import PassageEmbeddings


class EmbedsPassages(Reranker):
    """Base of a reranker whose passage embeddings come from one encoder, stored or computed."""

    embeddings: PassageEmbeddings
    caches_passages = True

    @property
    def dtype(self) -> str:
        """Return the number format of the encoder's weights."""
        from resrank.model.device import number_format

        return number_format(self.embeddings.encoder)

    @property
    def bytes_per_passage(self) -> int:
        """Return the size of one stored embedding, in bytes."""
        return self.embeddings.row_bytes

    def prepare(
        self,
        passages: Iterable[Passage],
        folder: Path,
        needed: Iterable[Passage] | None = None,
    ) -> Usage:
        """Embed passages ahead of time into the store in `folder`."""
        return self.embeddings.prepare(passages, folder, needed)

    def forget(self) -> None:
        """Drop stored embeddings, so that every ranking embeds its passages."""
        self.embeddings.forget()
