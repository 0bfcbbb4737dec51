"""The rerank job: rank every test query's candidates and write a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resrank.check_ranking import verify
from resrank.io.collection import Collection
from resrank.io.grades import grades_of, write_grades
from resrank.io.manifest import write_manifest
from resrank.io.run import encoder_run, usage_of, write_run, write_usage
from resrank.jobs.inputs import inputs_of, load, test_requests
from resrank.model.out_of_memory import Halvings
from resrank.shards import WHOLE, Shard
from resrank.suite.schema import System

BLOCK = 16  # queries that a system is given at once, however many shards there are


def rerank(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    model: Path | None, store: Path, parts: Sequence[Path], out: Path, shard: Shard = WHOLE,
) -> None:  # fmt: skip
    """Rerank every test query's candidates; write a TREC run, its usage, and grades if it has any.

    A system is given `BLOCK` queries at a time, or all at once if it reads them together; a shard
    is the run of some of these blocks. An endpoint is asked for all of them together.
    """
    reranker = load(spec, model)
    requests = test_requests(collection, candidates)
    halved = Halvings()
    if reranker.caches_passages:
        reranker.prepare((c.passage for _, listed in requests for c in listed), store)
    reranker.keep_transcript(out)
    every = requests
    size = max(1, len(every)) if reranker.reads_queries_together else BLOCK
    blocks = shard.take([every[i : i + size] for i in range(0, len(every), size)])
    requests = [request for block in blocks for request in block]
    if requests and spec.typed_options.asks_endpoint:
        blocks = [requests]  # each prompt is answered by itself, and `in_flight` is the limit
    rankings = [ranking for block in blocks for ranking in reranker.rerank_many(block)]
    verify(name, reranker, requests, rankings)
    written = [out, usage_of(out)]
    write_run(out, rankings, name)
    write_usage(usage_of(out), rankings)
    by_encoder = reranker.by_encoder(every)
    if by_encoder is None:
        encoder_run(out).unlink(missing_ok=True)
    else:
        written.append(encoder_run(out))
        ids = {query.id for query, _ in requests}
        retrieved = [ranking for ranking in by_encoder if ranking.query_id in ids]
        verify(f"{name}.encoder", None, requests, retrieved)
        write_run(written[-1], retrieved, f"{name}.encoder")
    if write_grades(grades_of(out), rankings):
        written.append(grades_of(out))
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs_of(collection, candidates, parts, model, spec.typed_options.files),
        config=spec.model_dump(mode="json"),
        system=name,
        seed=seed,
        dtype=reranker.dtype,
        about=reranker.about,
        halved_batches=halved.batches,
        outputs=written,
    )
