"""`python -m resrank job <name>`: what the rules of the workflow call, one command per rule.

A job takes names; its entries and paths come from the suite. Heavy modules are imported only inside
the commands.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from resrank.cli.options import (
    CollectionName,
    ShardName,
    StageName,
    SuiteFile,
    SystemName,
    TrainingSeed,
)
from resrank.jobs.gpu_lock import take_gpu

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Run one job of a suite by hand, as the workflow does.

    `snakemake --cores 2 all` runs all of them in order. A job reads and writes under
    `results/<suite>/` and names the job that makes a missing input.

    Example: `python -m resrank job rerank --suite config/config.yaml --collection docstrings
    --first-stage bm25 --system resrank --seed 1`.
    """,
)


@app.command()
def fetch(suite: SuiteFile, collection: CollectionName) -> None:
    """Fetch an optional collection's files, or write down why that failed.

    The workflow plans no jobs on a collection that is absent.

    Example: `python -m resrank job fetch --suite config/retrieval.yaml --collection scifact`.
    """
    from resrank.io.manifest import write_checked_json
    from resrank.jobs.from_suite import SuiteJobs

    jobs = SuiteJobs(suite)
    out = jobs.writable(jobs.plan.fetch_completion(collection))
    write_checked_json(out, {"absent": jobs.entry(collection).fetch()})


@app.command()
def collect(suite: SuiteFile, collection: CollectionName) -> None:
    """Bring a collection into the common form: queries, passages, qrels, manifest.

    Example: `python -m resrank job collect --suite config/config.yaml --collection docstrings`.
    """
    from resrank.jobs.from_suite import SuiteJobs

    jobs = SuiteJobs(suite)
    out = jobs.writable(jobs.plan.collection(collection))
    jobs.entry(collection).collect(out, jobs.plan.learners(collection))


@app.command()
def candidates(suite: SuiteFile, collection: CollectionName, first_stage: StageName) -> None:
    """Freeze a first stage's candidate lists, with their recall and the best possible score.

    Example: `python -m resrank job candidates --suite config/config.yaml --collection docstrings
    --first-stage bm25`.
    """
    from resrank.jobs.from_suite import SuiteJobs

    SuiteJobs(suite).candidates(collection, first_stage).run()


@app.command()
def encode(
    suite: SuiteFile,
    collection: CollectionName,
    encoder: Annotated[str, typer.Option(help="Name of an encoder, as in its file.")] = "",
    first_stage: Annotated[
        str, typer.Option(help="In place of an encoder: a dense first stage, whose shard embeds "
                          "every passage.")
    ] = "",
    shard: ShardName = "0of1",
) -> None:  # fmt: skip
    """Embed a collection's candidates once, for all systems that share the encoder.

    Example: `python -m resrank job encode --suite config/config.yaml --collection docstrings
    --encoder all-MiniLM-L6-v2-1234abcd`. An unknown name lists the suite's encoders.
    """
    take_gpu()
    from resrank.jobs.encode import encode as embed
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.shards import Shard

    jobs, part = SuiteJobs(suite), Shard.parse(shard)
    if first_stage:
        jobs.embed(collection, first_stage, part).run()
    else:
        embed(jobs.encode(collection, encoder, part))


@app.command()
def train(suite: SuiteFile, system: SystemName, seed: TrainingSeed = None) -> None:
    """Train one system with one seed on a collection's train split; resumes if it was killed.

    Example: `python -m resrank job train --suite config/config.yaml --system resrank --seed 1`.
    """
    take_gpu()
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.train import train as run_training

    run_training(SuiteJobs(suite).train(system, seed))


@app.command()
def rerank(
    suite: SuiteFile,
    collection: CollectionName,
    first_stage: StageName,
    system: SystemName,
    seed: TrainingSeed = None,
    shard: ShardName = "0of1",
) -> None:
    """Rerank every test query's candidates: a TREC run and what each query consumed.

    Example: `python -m resrank job rerank --suite config/config.yaml --collection docstrings
    --first-stage bm25 --system resrank --seed 1`.
    """
    take_gpu()
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.rerank import rerank as run_reranker
    from resrank.shards import Shard

    # An endpoint's answers in flight are waited for and kept, as at Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    part = Shard.parse(shard)
    run_reranker(SuiteJobs(suite).rerank(collection, first_stage, system, seed, part))


@app.command()
def teach(
    suite: SuiteFile,
    collection: CollectionName,
    first_stage: StageName,
    system: SystemName,
    seed: TrainingSeed = None,
    shard: ShardName = "0of1",
) -> None:
    """Rank training queries with a system from whose rankings other systems learn.

    The run holds the system's scores. It covers the queries and candidates that the systems with
    `teacher: system:NAME` need.

    Example: `python -m resrank job teach --suite my_suite.yaml --collection papers
    --first-stage bm25 --system cross_encoder`, for a suite with `teacher: system:cross_encoder`.
    """
    take_gpu()
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.rerank import rerank as run_reranker
    from resrank.shards import Shard

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as in `rerank`
    part = Shard.parse(shard)
    run_reranker(SuiteJobs(suite).teach(collection, first_stage, system, seed, part))


@app.command()
def merge_runs(
    suite: SuiteFile,
    collection: CollectionName,
    first_stage: StageName,
    system: SystemName,
    seed: TrainingSeed = None,
    teaching: Annotated[
        bool, typer.Option("--teaching", help="Merge the shards of `job teach`.")
    ] = False,
) -> None:
    """Merge the runs of a job's shards: the bytes that a single job writes.

    Example: `python -m resrank job merge-runs --suite my_suite.yaml --collection papers
    --first-stage bm25 --system resrank --seed 1`, for a suite with `shards: 4`.
    """
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.merge_shards import merge_runs as merge

    merge(*SuiteJobs(suite).merge(collection, first_stage, system, seed, teaching))


@app.command()
def measure(
    suite: SuiteFile, collection: CollectionName, first_stage: StageName, system: SystemName
) -> None:
    """Measure what a system's queries cost, with passage embeddings cached and not cached.

    An endpoint gets no new request: its times were recorded with the run's answers.

    Example: `python -m resrank job measure --suite config/config.yaml --collection docstrings
    --first-stage bm25 --system cross_encoder`.
    """
    take_gpu()
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.measure import measure as run_meter

    run_meter(SuiteJobs(suite).measure(collection, first_stage, system))


@app.command()
def sensitivity(
    suite: SuiteFile, collection: CollectionName, first_stage: StageName, system: SystemName
) -> None:
    """Rerank with other batches, number formats, orders and seeds; write what that changes.

    Example: `python -m resrank job sensitivity --suite config/small.yaml --collection docstrings
    --first-stage bm25 --system resrank`.
    """
    take_gpu()
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.jobs.sensitivity import sensitivity as rerank_variants

    rerank_variants(SuiteJobs(suite).sensitivity(collection, first_stage, system))


@app.command()
def score(suite: SuiteFile, collection: CollectionName, first_stage: StageName) -> None:
    """Score the runs of one candidate set per query, with leak and other audits.

    Example: `python -m resrank job score --suite config/config.yaml --collection docstrings
    --first-stage bm25`.
    """
    from resrank.jobs.from_suite import SuiteJobs

    SuiteJobs(suite).score(collection, first_stage).run()


@app.command()
def significance(suite: SuiteFile, collection: CollectionName, first_stage: StageName) -> None:
    """Test the systems of one candidate set: p values, intervals, effect sizes.

    Each is tested against the baseline, or all pairs are (`comparisons: all_pairs`). Each trained
    system is tested against its untrained self too.

    Example: `python -m resrank job significance --suite config/config.yaml
    --collection docstrings --first-stage bm25`.
    """
    from resrank.evaluation.all_pairs import Families, compare
    from resrank.jobs.from_suite import SuiteJobs

    jobs = SuiteJobs(suite)
    scores = jobs.plan.scores(collection, first_stage)
    jobs.require([scores])
    out = jobs.writable(jobs.plan.statistics(collection, first_stage))
    families = Families(**jobs.plan.families(collection))
    compare(Path(scores), jobs.suite.suite.metrics[0], out, families)


@app.command()
def calibration(suite: SuiteFile, collection: CollectionName, first_stage: StageName) -> None:
    """Compare the grades that systems give with those of judged passages.

    Needs runs with grades, and a collection whose entry has `grades_from`.

    Example: `python -m resrank job calibration --suite config/rag_match.yaml
    --collection docstrings --first-stage bm25`.
    """
    from resrank.jobs.from_suite import SuiteJobs

    SuiteJobs(suite).calibration(collection, first_stage).run()


@app.command()
def report(suite: SuiteFile) -> None:
    """Write the tables and figures of a suite under `results/<suite>`.

    Example: `python -m resrank job report --suite config/config.yaml`.
    """
    from resrank.jobs.from_suite import SuiteJobs
    from resrank.reporting.report import report as write_report

    jobs = SuiteJobs(suite)
    jobs.require(name for pair in jobs.suite.pairs for name in jobs.plan.reported(*pair))
    write_report(jobs.suite, Path(jobs.plan.out))
