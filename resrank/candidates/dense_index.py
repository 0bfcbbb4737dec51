"""The embeddings of a whole collection, made block by block, by one job or by shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resrank.io.manifest import write_checked_json
from resrank.io.passage_table import BLOCK, PassageTable
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import Halvings
from resrank.records import Passage
from resrank.shards import Shard

if TYPE_CHECKING:
    from resrank.model.embedding_store import EmbeddingStore


def embed_all(
    passages: Iterable[Passage], index: EmbeddingStore
) -> tuple[Sequence[str], NDArray[np.intp]]:
    """Embed every passage that `index` lacks; return all ids and their rows in it, (passages,).

    passages: iterated over once, in blocks.
    """
    rows, ids = [], list[str]()
    for block in _blocks(passages):
        texts = [p.text for p in block]
        index.fill(texts)
        rows.append(index.rows(texts))
        ids += [p.id for p in block]
    return ids, np.concatenate(rows)


def embed_shard(
    passages: PassageTable, options: EncoderOptions, store: Path, shard: Shard, out: Path
) -> None:
    """Embed a shard of the blocks that `embed_all` embeds; write what was embedded to `out`."""
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    index = EmbeddingStore(store, Encoder.from_options(options))
    mine = set(shard.take(range(-(-len(passages) // BLOCK))))
    embedded, halved = 0, Halvings()
    for number, block in enumerate(_blocks(passages)):
        if number in mine:
            index.fill([p.text for p in block])
            embedded += len(block)
    facts = {"folder": index.folder.name, "passages": embedded, "shard": shard}
    write_checked_json(out, facts | {"halved_batches": halved.batches})


def _blocks(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    stream = iter(passages)
    while block := list(islice(stream, BLOCK)):
        yield block
