"""The encode job: embed a collection's candidates once for all systems that share an encoder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from resrank.io.candidate_lists import candidate_lists
from resrank.io.collection import Collection
from resrank.io.manifest import write_manifest
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import Halvings
from resrank.records import Passage, Split
from resrank.shards import WHOLE, Shard


def encode(
    collection: Collection, candidates: Sequence[Path], splits: Sequence[Split],
    options: EncoderOptions, store: Path, out: Path, shard: Shard = WHOLE,
    shard_stores: Sequence[Path] = (),
) -> None:  # fmt: skip
    """Embed every passage that is a candidate of these splits' queries into the store in `store`.

    One job does this for all systems, so that a passage's embedding, whose last bits depend on the
    batch it is computed in, does not depend on which system's job came first. A shard embeds its
    share of the batches; the whole job takes over what `shard_stores` hold, and embeds what they
    lack. Writes to `out` what it took: texts, tokens, seconds of this run, bytes.
    """
    from resrank.model.device import number_format
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    listed = (listed_passages(collection, path, splits) for path in candidates)
    passages = {p.text for found in listed for p in found}
    encoder = Encoder.from_options(options)
    held = EmbeddingStore(store, encoder)
    halved = Halvings()
    start = time.perf_counter()
    for folder in shard_stores:
        held.take_over(EmbeddingStore(folder, encoder))
    held.fill(sorted(passages), shard)
    seconds = time.perf_counter() - start
    here = sorted(text for text in passages if held.has([text]))
    tokens, truncated = held.tokens(here)
    write_manifest(
        out,
        inputs={"collection": collection.hash} | {p.stem: p for p in candidates},
        config=options.model_dump(mode="json"),
        splits=list(splits),
        folder=held.folder.name,
        dtype=number_format(encoder),
        texts=len(here),
        truncated_texts=truncated,
        tokens=tokens,
        bytes=len(here) * held.codec.row_bytes,
        halved_batches=halved.batches,
        seconds=round(seconds, 3),
    )


def listed_passages(
    collection: Collection, candidates: Path, splits: Sequence[Split]
) -> Iterator[Passage]:
    """Every passage that is a candidate of one of the splits' queries."""
    lists = candidate_lists(collection, candidates, *splits)
    for query in collection.queries(*splits):
        yield from (c.passage for c in lists.get(query.id, []))
