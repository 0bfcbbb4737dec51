"""The jobs of the DAG, one verb a stage; heavy imports only inside the verbs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from resrank.cli.options import (
    RUNS_SHOWN,
    CandidatesFile,
    CollectionDir,
    Model,
    Name,
    Out,
    Parts,
    Seed,
    ShardName,
    ShardStores,
    Spec,
    Store,
    json_of,
    runs_of,
    system,
)
from resrank.jobs.gpu_lock import take_gpu

LEARNED_SHOWN = "{system: [collection folder, ...]}"
METRICS_SHOWN = "[metric, ...]"


def collect(
    spec: Spec,
    out: Out,
    learner: Annotated[
        list[str] | None,
        typer.Option(help="A system that is to be trained on it; may be repeated."),
    ] = None,
) -> None:
    """Bring a collection into the common form: queries, passages, qrels, manifest."""
    from resrank.collections.base import parse_collection

    parse_collection(json_of(spec, "--spec")).collect(out, learner or [])


def fetch(spec: Spec, out: Out) -> None:
    """Fetch an optional collection's files, or write that no network gave them.

    What is written decides which jobs there are: none over a collection that is absent.
    """
    from resrank.collections.base import parse_collection
    from resrank.io.manifest import write_checked_json

    write_checked_json(out, {"absent": parse_collection(json_of(spec, "--spec")).fetch()})


def candidates(
    collection: CollectionDir,
    spec: Spec,
    out: Out,
    store: Annotated[Path | None, typer.Option(help="Embeddings, for a dense stage.")] = None,
    fused: Annotated[
        str, typer.Option(help="{stage: candidates file} of a fusion, as JSON.")
    ] = "{}",
    shard_store: ShardStores = None,
) -> None:
    """Freeze a first stage's candidate lists, with their recall and oracle."""
    from resrank.candidates.base import parse_first_stage
    from resrank.candidates.freeze import freeze
    from resrank.io.collection import Collection

    stages = json_of(fused, "--fused", dict[str, Path], "{stage: candidates file}")
    wanted = parse_first_stage(json_of(spec, "--spec"))
    freeze(Collection(collection), wanted, out, store, stages, shard_store or [])


def encode(
    collection: CollectionDir,
    encoder: Annotated[str, typer.Option(help="The encoder's options, as JSON.")],
    store: Store,
    out: Out,
    candidates: Annotated[
        list[Path] | None,
        typer.Option(
            help="Parquet that `candidates` wrote; may be repeated. Without it: every passage, for "
            "a dense first stage."
        ),
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="train, dev or test; may be repeated; default: test.")
    ] = None,
    shard: ShardName = "0of1",
    shard_store: ShardStores = None,
) -> None:
    """Embed every candidate passage once, for all systems that share the encoder."""
    take_gpu()
    from resrank.candidates.dense_index import embed_shard
    from resrank.io.collection import Collection
    from resrank.jobs.encode import encode as embed
    from resrank.model.options import EncoderOptions
    from resrank.records import Split
    from resrank.shards import Shard

    wanted = EncoderOptions.model_validate(json_of(encoder, "--encoder"))
    part = Shard.parse(shard)
    if not candidates:
        embed_shard(Collection(collection).passages, wanted, store, part, out)
        return
    splits = [Split(name) for name in split or ["test"]]
    embed(
        Collection(collection), candidates, splits, wanted, store, out, part, shard_store or []
    )  # fmt: skip


def train(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    store: Store, checkpoints: Annotated[
        Path, typer.Option(help="Folder for the state that a killed run resumes from.")
    ], seed: Seed = 1, part: Parts = None,
) -> None:  # fmt: skip
    """Train one system with one seed on a collection's train split; resumes if it was killed."""
    take_gpu()
    from resrank.io.collection import Collection
    from resrank.jobs.train import train as run_training

    run_training(
        Collection(collection), candidates, name, system(spec), seed, store, checkpoints,
        part or [], out,
    )  # fmt: skip


def rerank(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    store: Store, seed: Seed = 0, model: Model = None, part: Parts = None,
    shard: ShardName = "0of1",
) -> None:  # fmt: skip
    """Rerank every test query's candidates: a TREC run and what each query consumed."""
    take_gpu()
    from resrank.io.collection import Collection
    from resrank.jobs.rerank import rerank as run_reranker
    from resrank.shards import Shard

    # What an endpoint is answering is waited for and kept, as at Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run_reranker(
        Collection(collection), candidates, name, system(spec), seed, model, store, part or [],
        out, Shard.parse(shard),
    )  # fmt: skip


def merge_runs(
    shard: Annotated[
        list[Path], typer.Option(help="Run of a shard; repeated, in order.", show_default=False)
    ],
    out: Out,
) -> None:
    """Put the runs of a job's shards together: the bytes that a single job writes."""
    from resrank.jobs.merge_shards import merge_runs as merge

    merge(shard, out)


def measure(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    how: Annotated[str, typer.Option(help="The suite's `measure`, as JSON.")] = "{}",
    store: Annotated[Path | None, typer.Option(help="Folder of passage embeddings.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="The system's run; an endpoint's times stand beside it.")
    ] = None,
    seed: Seed = 0, model: Model = None, part: Parts = None,
) -> None:  # fmt: skip
    """Measure what a system's queries cost, with passage embeddings cached and not cached.

    An endpoint is not asked again: its times are those that were recorded with the run's answers.
    """
    take_gpu()
    from resrank.io.collection import Collection
    from resrank.jobs.measure import measure as run_meter
    from resrank.suite.schema import Measurement

    wanted = Measurement.model_validate(json_of(how, "--how"))
    run_meter(
        Collection(collection), candidates, name, system(spec), seed, model, wanted, store,
        part or [], out, run,
    )  # fmt: skip


def sensitivity(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    model: Annotated[
        list[Path] | None, typer.Option(help="Folder that `train` wrote, of each seed.")
    ] = None,
    part: Parts = None,
    queries: Annotated[int, typer.Option(min=1, help="Judged test queries, by hash of id.")] = 20,
) -> None:  # fmt: skip
    """Rerank again with other batches, number formats, orders and seeds; say what that changes."""
    take_gpu()
    from resrank.io.collection import Collection
    from resrank.jobs.sensitivity import sensitivity as rerank_again

    rerank_again(
        Collection(collection), candidates, name, system(spec), model or [], part or [], queries,
        out,
    )  # fmt: skip


def score(
    collection: CollectionDir,
    candidates: CandidatesFile,
    runs: Annotated[str, typer.Option(help=f"{RUNS_SHOWN} as JSON.")],
    trained_on: Annotated[str, typer.Option(help=f"{LEARNED_SHOWN} as JSON.")],
    metrics: Annotated[str, typer.Option(help=f"{METRICS_SHOWN} as JSON.")],
    out: Out,
    audits: Annotated[Path, typer.Option(help="JSON of audits to write.", show_default=False)],
    relevant_grade: Annotated[int, typer.Option(help="Lowest grade that is relevant.")] = 1,
) -> None:
    """Score runs per query over one candidate set, with leak and other audits."""
    from resrank.evaluation.candidate_set import CandidateSet
    from resrank.evaluation.score import score_runs
    from resrank.io.collection import Collection

    learned = json_of(trained_on, "--trained-on", dict[str, list[Path]], LEARNED_SHOWN)
    score_runs(
        CandidateSet(Collection(collection), candidates, relevant_grade),
        runs_of(runs),
        json_of(metrics, "--metrics", list[str], METRICS_SHOWN),
        {name: [Collection(folder) for folder in folders] for name, folders in learned.items()},
        out,
        audits,
    )


def significance(
    scores: Annotated[Path, typer.Option(help="Parquet that `score` wrote.", show_default=False)],
    out: Out,
    metric: Annotated[str, typer.Option(help="The one metric that is tested.")] = "nDCG@10",
) -> None:
    """Test every pair of systems over one candidate set: p values, intervals, effect sizes."""
    from resrank.evaluation.all_pairs import compare as write

    write(scores, metric, out)


def calibration(
    collection: CollectionDir,
    candidates: CandidatesFile,
    runs: Annotated[str, typer.Option(help=f"{RUNS_SHOWN} as JSON.")],
    out: Out,
) -> None:
    """Hold the grades that systems give against those of judged passages: bias, order, confidence.

    Needs runs with grades beside them, and a collection whose entry has `grades_from`.
    """
    from resrank.evaluation.calibration import calibrate_runs
    from resrank.io.collection import Collection

    calibrate_runs(Collection(collection), candidates, runs_of(runs), out)


def report(
    suite: Annotated[str, typer.Option(help="The suite, as JSON.", show_default=False)],
    root: Annotated[Path, typer.Option(help="The folder `results/<suite>`.", show_default=False)],
    absent: Annotated[
        str, typer.Option(help="{collection: why no network gave it} as JSON.")
    ] = "{}",
) -> None:
    """Write the tables and figures of a suite's results."""
    from resrank.reporting.report import report as write
    from resrank.suite.load import load_suite

    write(
        load_suite(
            json_of(suite, "--suite"),
            json_of(absent, "--absent", dict[str, str], "{collection: why}"),
        ),
        root,
    )


def page(
    root: Annotated[Path, typer.Argument(help="The folder `results/<suite>`.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="What to write; unset: report/index.html in that folder.")
    ] = None,
) -> None:
    """Write the page of a suite: one HTML file with chart, tables, queries and provenance.

    Example: `python -m resrank page results/demo`, once the suite has its report.
    """
    from resrank.reporting.page.build import write_page

    typer.echo(write_page(root, out))
