"""The rerank job: rank every test query's candidates and write a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resrank.check_ranking import verify
from resrank.io.grades import grades_of, write_grades
from resrank.io.manifest import write_manifest
from resrank.io.run import encoder_run, usage_of, write_run, write_usage
from resrank.jobs.inputs import RankingJob, load
from resrank.model.out_of_memory import Halvings
from resrank.ranking import Request
from resrank.records import Ranking
from resrank.rejected_answers import RejectedAnswers
from resrank.reranker import Reranker
from resrank.shards import WHOLE, Shard

BLOCK = 16  # queries per call, independent of the number of shards


@dataclass(frozen=True, kw_only=True)
class RerankJob(RankingJob):
    """A system's run over every test query, or a shard of it.

    store: folder of the passage embeddings that systems share.
    seed, model: training seed and model folder; for an untrained system the seed of its random
        weights, and None.
    accepts_rejected: whether any number of answers may be rejected: an untrained companion need not
        write usable ones.
    """

    store: Path
    seed: int = 0
    model: Path | None = None
    shard: Shard = WHOLE
    accepts_rejected: bool = False

    def requests(self) -> list[Request]:
        """Return the queries to rank, each with its candidates."""
        return self.test_requests()

    def prepare(
        self, reranker: Reranker, requests: Sequence[Request], shard_requests: Sequence[Request]
    ) -> None:
        """Embed the passages that are not stored yet; the batches are those of the whole job.

        requests: of the whole job. shard_requests: of the shard.
        """
        reranker.prepare((c.passage for _, listed in requests for c in listed), self.store)

    def by_encoder(
        self, reranker: Reranker, requests: Sequence[Request]
    ) -> Sequence[Ranking] | None:
        """Return the rankings by the system's encoder alone, or None without one."""
        return reranker.by_encoder(requests)

    def write_run(self, rankings: Sequence[Ranking]) -> None:
        """Write the run."""
        write_run(self.out, rankings, self.name)


def rerank(job: RerankJob) -> None:
    """Rerank the job's queries; write a TREC run, its usage, and grades if any.

    Raises InvariantError if a ranking or its counts are not as the system declares them, and
    TooManyRejected if a language model's answers are unusable; nothing but the transcript of its
    answers is written then.
    """
    reranker = load(job.system, job.model, job.seed)
    requests = job.requests()
    halved = Halvings()  # counts batches halved after out-of-memory
    blocks = _blocks(job, reranker, requests)
    shard_requests = [request for block in blocks for request in block]
    if reranker.caches_passages:
        job.prepare(reranker, requests, shard_requests)
    reranker.keep_transcript(job.out)
    rejected = _rejected(job, reranker, requests)
    reranker.collect_rejected(rejected)
    rankings = [ranking for block in blocks for ranking in reranker.rerank_many(block)]
    verify(job.name, reranker, shard_requests, rankings)
    written = _write(job, rankings)
    by_encoder = job.by_encoder(reranker, requests)
    if by_encoder is None:
        encoder_run(job.out).unlink(missing_ok=True)
    else:
        written.append(_write_encoder_run(job, by_encoder, shard_requests))
    write_manifest(
        job.out.with_suffix(".manifest.json"),
        inputs=job.inputs(job.model, job.system.typed_options.files),
        config=job.system.model_dump(mode="json"),
        system=job.name,
        seed=job.seed,
        **job.model_files,
        dtype=reranker.dtype,
        about={**reranker.about, **rejected.record},
        halved_batches=halved.batches,
        **job.tokenizers(),
        outputs=written,
    )


def _blocks(
    job: RerankJob, reranker: Reranker, requests: Sequence[Request]
) -> Sequence[Sequence[Request]]:
    """Return the shard's blocks of queries; the reranker gets one block at a time.

    A block has `BLOCK` queries, or all of them if the system reads queries together. An endpoint
    gets the whole shard at once: each prompt is answered by itself, and `in_flight` is the limit.
    """
    size = max(1, len(requests)) if reranker.reads_queries_together else BLOCK
    blocks = job.shard.take([requests[i : i + size] for i in range(0, len(requests), size)])
    if blocks and job.system.typed_options.asks_endpoint:
        return [[request for block in blocks for request in block]]
    return blocks


def _rejected(job: RerankJob, reranker: Reranker, requests: Sequence[Request]) -> RejectedAnswers:
    """Return an empty collection of rejected answers, with the limit of the whole run.

    A shard's limit is that of the whole run: the number of shards changes no verdict.
    """
    declared = [reranker.declared_counts(len(listed)).answers for _, listed in requests]
    answers = sum(count or 0 for count in declared)
    limit = None if job.accepts_rejected else job.system.typed_options.rejection_limit
    return RejectedAnswers(f"system {job.name!r}", limit, answers)


def _write(job: RerankJob, rankings: Sequence[Ranking]) -> list[Path]:
    """Write the run, its usage and its grades; return the files written."""
    written = [job.out, usage_of(job.out)]
    job.write_run(rankings)
    write_usage(usage_of(job.out), rankings)
    if write_grades(grades_of(job.out), rankings):
        written.append(grades_of(job.out))
    return written


def _write_encoder_run(
    job: RerankJob, by_encoder: Sequence[Ranking], shard_requests: Sequence[Request]
) -> Path:
    """Write the ranking of the shard's queries by the system's encoder alone; return its file."""
    ids = {query.id for query, _ in shard_requests}
    rankings = [r for r in by_encoder if r.query_id in ids]
    verify(f"{job.name}.encoder", None, shard_requests, rankings)
    path = encoder_run(job.out)
    write_run(path, rankings, f"{job.name}.encoder")
    return path
