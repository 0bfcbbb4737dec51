"""The encode job: embed a collection's candidates once for all systems that share an encoder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from resrank.io.candidates import candidate_lists
from resrank.io.collection import Collection
from resrank.io.manifest import write_manifest
from resrank.model.model_files import model_file_facts
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import Halvings
from resrank.records import Passage, Split
from resrank.shards import WHOLE, Shard


@dataclass(frozen=True, kw_only=True)
class EncodeJob:
    """An encoder's embeddings of every candidate passage of some splits' queries.

    candidates: frozen lists (parquet) of every first stage.
    store: folder that the embeddings are added to; out: the manifest that says so.
    shard_stores: folders that the shards of this job have filled, in their order.
    """

    collection: Collection
    candidates: Sequence[Path]
    splits: Sequence[Split]
    encoder: EncoderOptions
    store: Path
    out: Path
    shard: Shard = WHOLE
    shard_stores: Sequence[Path] = ()

    def passages(self) -> Iterator[Passage]:
        """Yield every candidate of the splits' queries; a passage may come more than once."""
        for path in self.candidates:
            lists = candidate_lists(self.collection, path, *self.splits)
            for query in self.collection.queries(*self.splits):
                yield from (c.passage for c in lists.get(query.id, []))


def encode(job: EncodeJob) -> None:
    """Embed every candidate passage into the store, and write what it took to `out`.

    One job does this for all systems: the last bits of an embedding depend on the batch it is
    computed in, and must not depend on which system's job came first. A shard embeds its share of
    the batches. The whole job takes over the shards' embeddings and computes those that are
    missing. `out` holds counts of texts and tokens, seconds of this run, and bytes.
    """
    from resrank.model.device import number_format
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    texts = {passage.text for passage in job.passages()}
    encoder = Encoder.from_options(job.encoder)
    store = EmbeddingStore(job.store, encoder)
    halved = Halvings()
    start = time.perf_counter()
    for folder in job.shard_stores:
        store.take_over(EmbeddingStore(folder, encoder))
    store.fill(sorted(texts), job.shard)
    seconds = time.perf_counter() - start
    stored = sorted(text for text in texts if store.has([text]))
    tokens, truncated = store.tokens(stored)
    write_manifest(
        job.out,
        inputs={"collection": job.collection.hash} | {p.stem: p for p in job.candidates},
        config=job.encoder.model_dump(mode="json"),
        splits=list(job.splits),
        folder=store.folder.name,
        dtype=number_format(encoder),
        texts=len(stored),
        truncated_texts=truncated,
        tokens=tokens,
        bytes=len(stored) * store.codec.row_bytes,
        halved_batches=halved.batches,
        seconds=round(seconds, 3),
        **model_file_facts(job.encoder.model),
    )
