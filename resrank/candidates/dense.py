"""The kind `dense`: exact nearest passages by an encoder (ResRank, fact 8 of docs/papers.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from resrank.candidates.base import FirstStageKind, StageInputs
from resrank.model.model_files import local_model_files
from resrank.model.options import INSTRUCTION, EncoderOptions, UnitEncoder
from resrank.model.trained_models import substitute, used_models
from resrank.records import Passage, Query

if TYPE_CHECKING:
    from resrank.io.candidates import RankedList


class DenseStage(FirstStageKind):
    """Exact search over the embeddings of every passage."""

    needs_all_cores: ClassVar[bool] = True

    kind: Literal["dense"]
    encoder: UnitEncoder = Field(
        EncoderOptions(), description="The encoder; its `model` may be 'trained:<system>'."
    )

    def passage_encoder(self) -> EncoderOptions:
        """Return the encoder."""
        return self.encoder

    def local_paths(self) -> dict[str, Path]:
        """Return the encoder's GGUF file, if it is one on this machine."""
        return dict(zip(["model"], local_model_files(self.encoder.model), strict=False))

    def trained_models(self) -> list[str]:
        """Return the trained system that holds the encoder, if one does."""
        return used_models(self.encoder.model)

    def with_models(self, folder_of: Callable[[str], str]) -> Self:
        """Return it with the folder of a trained encoder in place of the system's name."""
        model = substitute(self.encoder.model, folder_of)
        return self.model_copy(update={"encoder": self.encoder.model_copy(update={"model": model})})

    def with_instruction(self, text: str) -> Self:
        """Return it with `{instruction}` before a query replaced by a collection's."""
        instruction = self.encoder.query_instruction.replace(INSTRUCTION, text)
        encoder = self.encoder.model_copy(update={"query_instruction": instruction})
        return self.model_copy(update={"encoder": encoder})

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the nearest passages of every query that has a text."""
        if inputs.store is None:
            raise ValueError("a dense first stage needs the folder of embeddings: give `store`")
        passages = inputs.collection.passages
        return self.rank(inputs.queries, passages, inputs.store, inputs.shard_stores)

    def rank(
        self,
        queries: Sequence[Query],
        passages: Iterable[Passage],
        store: Path,
        shard_stores: Sequence[Path] = (),
    ) -> dict[str, RankedList]:
        """Return each query's `depth` nearest passages by cosine, equal scores by passage id.

        passages: ordered by id, read in blocks, once. shard_stores: the embeddings that shards
        have made of them, in their order.
        """
        from resrank.candidates.dense_index import embed_all
        from resrank.candidates.nearest import nearest
        from resrank.model.embedding_store import EmbeddingStore
        from resrank.model.encoder import Encoder

        encoder = Encoder.from_options(self.encoder)
        index = EmbeddingStore(store, encoder)
        for folder in shard_stores:
            index.take_over(EmbeddingStore(folder, encoder))
        ids, rows = embed_all(passages, index)
        vectors = encoder.embed([q.text for q in queries], query=True).numpy()
        scores, places = nearest(vectors, index, rows, self.depth + 1)  # one may be excluded
        lists: dict[str, RankedList] = {
            query.id: [(ids[i], float(v)) for i, v in zip(best, values, strict=True)]
            for query, values, best in zip(queries, scores, places, strict=True)
        }
        return self.cut(lists, queries)
