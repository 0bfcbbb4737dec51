"""`python -m resrank <verb>`: one verb a stage; heavy imports only inside the verbs."""

from __future__ import annotations

import json
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Parser(StrEnum):
    """How a language model's answers are read; `baselines/llm/parsing.py` says it of each."""

    any_digits = "any_digits"
    bracketed = "bracketed"
    strict = "strict"


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Rerank, score and time: the stages of the resrank harness, one verb each.

    Most people run the whole DAG with `snakemake --cores 2 all`. By hand, start with

    `python -m resrank evaluate --qrels qrels.txt --run my.run --metric nDCG@10`
    """,
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and leave.",
                           callback=lambda asked: _show_version(asked))
    ] = False,
) -> None:  # fmt: skip
    """What stands in front of a verb."""


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"resrank {version('resrank')}")
        raise typer.Exit


CollectionDir = Annotated[
    Path, typer.Option("--collection", help="Folder that `collect` wrote.", show_default=False)
]
CandidatesFile = Annotated[
    Path, typer.Option("--candidates", help="Parquet that `candidates` wrote.", show_default=False)
]
Name = Annotated[str, typer.Option(help="The system's name.", show_default=False)]
Spec = Annotated[
    str, typer.Option(help="The entry of the configuration, as JSON.", show_default=False)
]
Out = Annotated[Path, typer.Option(help="What to write.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Seed of training; 0 for an untrained system.")]
Model = Annotated[Path | None, typer.Option(help="Folder that `train` wrote.")]
Parts = Annotated[
    list[Path] | None,
    typer.Option("--part", help="Manifest of a trained model that the system stands on."),
]
Store = Annotated[
    Path, typer.Option(help="Folder of passage embeddings that systems share.", show_default=False)
]

ShardName = Annotated[
    str, typer.Option("--shard", help="The share of a job that is split: 0of7, ..., 6of7.")
]
ShardStores = Annotated[
    list[Path] | None,
    typer.Option("--shard-store", help="Embeddings that a shard has made; repeated, in order."),
]


@app.command()
def evaluate(
    qrels: Annotated[Path, typer.Option(help="TREC qrels or BEIR tsv.", show_default=False)],
    run: Annotated[Path, typer.Option(help="TREC run.", show_default=False)],
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric, e.g. nDCG@10; may be repeated.")
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Depth that full lists should have.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score a run against judgments, over every judged query.

    Example: `python -m resrank evaluate --qrels qrels.txt --run bm25.run --metric nDCG@10
    --metric "RR(rel=2)@10"`. A judged query that the run lacks counts 0.
    """
    from resrank.evaluation.evaluate import evaluate as score

    result = score(qrels, run, metric or ["nDCG@10", "MRR@10", "Recall@100"], depth)
    typer.echo(json.dumps(result.to_dict()) if as_json else result.to_text())


@app.command()
def collect(
    spec: Spec,
    out: Out,
    learner: Annotated[
        list[str] | None,
        typer.Option(help="A system that is to be trained on it; may be repeated."),
    ] = None,
) -> None:
    """Bring a collection into the common form: queries, passages, qrels, manifest."""
    from resrank.collections.collect import collect as write
    from resrank.config import parse_collection

    write(parse_collection(_json(spec, "--spec")), out, learner or [])


@app.command()
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
    from resrank.candidates.freeze import freeze
    from resrank.config import parse_first_stage
    from resrank.store import Collection

    stages = {name: Path(path) for name, path in _json(fused, "--fused").items()}
    wanted = parse_first_stage(_json(spec, "--spec"))
    freeze(Collection(collection), wanted, out, store, stages, shard_store or [])


@app.command()
def export_candidates(candidates: CandidatesFile, out: Out) -> None:
    """Write frozen candidates as a folder that other suites take over byte for byte.

    Example: `python -m resrank export-candidates --candidates
    results/mine/candidates/papers/bm25.parquet --out papers_bm25`. Prints the first stage that
    takes it over, to stand under a suite's `define`.
    """
    from resrank.candidates.exported import export

    entry = ", ".join(f"{key}: {value}" for key, value in export(candidates, out).items())
    typer.echo(f"{{{entry}}}")


@app.command()
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
    from resrank.candidates.dense import embed_shard
    from resrank.model.options import EncoderOptions
    from resrank.records import Split
    from resrank.running import encode as embed
    from resrank.shards import Shard
    from resrank.store import Collection

    wanted = EncoderOptions.model_validate(_json(encoder, "--encoder"))
    part = Shard.parse(shard)
    if not candidates:
        embed_shard(Collection(collection).passages, wanted, store, part, out)
        return
    splits = [Split(name) for name in split or ["test"]]
    embed(
        Collection(collection), candidates, splits, wanted, store, out, part, shard_store or []
    )  # fmt: skip


@app.command()
def train(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    store: Store, checkpoints: Annotated[
        Path, typer.Option(help="Folder for the state that a killed run resumes from.")
    ], seed: Seed = 1, part: Parts = None,
) -> None:  # fmt: skip
    """Train one system with one seed on a collection's train split; resumes if it was killed."""
    from resrank.running import train as run_training
    from resrank.store import Collection

    run_training(
        Collection(collection), candidates, name, _system(spec), seed, store, checkpoints,
        part or [], out,
    )  # fmt: skip


@app.command()
def rerank(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    store: Store, seed: Seed = 0, model: Model = None, part: Parts = None,
    shard: ShardName = "0of1",
) -> None:  # fmt: skip
    """Rerank every test query's candidates: a TREC run and what each query consumed."""
    from resrank.running import rerank as run_reranker
    from resrank.shards import Shard
    from resrank.store import Collection

    # What an endpoint is answering is waited for and kept, as at Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run_reranker(
        Collection(collection), candidates, name, _system(spec), seed, model, store, part or [],
        out, Shard.parse(shard),
    )  # fmt: skip


@app.command(name="merge-runs")
def merge(
    shard: Annotated[
        list[Path], typer.Option(help="Run of a shard; repeated, in order.", show_default=False)
    ],
    out: Out,
) -> None:
    """Put the runs of a job's shards together: the bytes that a single job writes."""
    from resrank.merging import merge_runs

    merge_runs(shard, out)


@app.command()
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
    from resrank.config import Measurement
    from resrank.running import measure as run_meter
    from resrank.store import Collection

    wanted = Measurement.model_validate(_json(how, "--how"))
    run_meter(
        Collection(collection), candidates, name, _system(spec), seed, model, wanted, store,
        part or [], out, run,
    )  # fmt: skip


@app.command()
def sensitivity(
    collection: CollectionDir, candidates: CandidatesFile, name: Name, spec: Spec, out: Out,
    model: Annotated[
        list[Path] | None, typer.Option(help="Folder that `train` wrote, of each seed.")
    ] = None,
    part: Parts = None,
    queries: Annotated[int, typer.Option(min=1, help="Judged test queries, by hash of id.")] = 20,
) -> None:  # fmt: skip
    """Rerank again with other batches, number formats, orders and seeds; say what that changes."""
    from resrank.sensitivity import sensitivity as rerank_again
    from resrank.store import Collection

    rerank_again(
        Collection(collection), candidates, name, _system(spec), model or [], part or [], queries,
        out,
    )  # fmt: skip


@app.command()
def score(
    collection: CollectionDir,
    candidates: CandidatesFile,
    runs: Annotated[str, typer.Option(help="[[system, seed, run file], ...] as JSON.")],
    trained_on: Annotated[str, typer.Option(help="{system: [collection folder, ...]} as JSON.")],
    metrics: Annotated[str, typer.Option(help="[metric, ...] as JSON.")],
    out: Out,
    audits: Annotated[Path, typer.Option(help="JSON of audits to write.", show_default=False)],
    relevant_grade: Annotated[int, typer.Option(help="Lowest grade that is relevant.")] = 1,
) -> None:
    """Score runs per query over one candidate set, with leak and other audits."""
    from resrank.evaluation.score import score_runs
    from resrank.store import Collection

    score_runs(
        Collection(collection),
        candidates,
        {(system, int(seed)): Path(path) for system, seed, path in _json(runs, "--runs", list)},
        _json(metrics, "--metrics", list),
        relevant_grade,
        {
            name: [Collection(Path(folder)) for folder in folders]
            for name, folders in _json(trained_on, "--trained-on").items()
        },
        out,
        audits,
    )


@app.command()
def significance(
    scores: Annotated[Path, typer.Option(help="Parquet that `score` wrote.", show_default=False)],
    out: Out,
    metric: Annotated[str, typer.Option(help="The one metric that is tested.")] = "nDCG@10",
) -> None:
    """Test every pair of systems over one candidate set: p values, intervals, effect sizes."""
    from resrank.evaluation.compare import compare as write

    write(scores, metric, out)


@app.command()
def report(
    suite: Annotated[str, typer.Option(help="The suite, as JSON.", show_default=False)],
    root: Annotated[Path, typer.Option(help="The folder `results/<suite>`.", show_default=False)],
) -> None:
    """Write the tables and figures of a suite's results."""
    from resrank.reporting.report import report as write
    from resrank.suite import load_suite

    write(load_suite(_json(suite, "--suite")), root)


@app.command()
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


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A folder `results/<suite>`.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Another one.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Also write x.csv (every row) or x.md (what changed).")
    ] = None,
) -> None:
    """Say what changed between two suites: scores, costs, data, versions, configuration.

    Example: `python -m resrank compare results/before results/after --out changes.md`.
    """
    from resrank.reporting.changes import changes, changes_text, write_changes

    frame = changes(a, b)
    typer.echo(changes_text(frame))
    if out is not None:
        write_changes(frame, out)


@app.command()
def claims(
    root: Annotated[Path, typer.Option(help="results/<suite>.", show_default=False)],
    all_of_them: Annotated[bool, typer.Option("--all", help="Print those not run too.")] = False,
) -> None:
    """Hold a suite's results against the published figures of config/claims/.

    Example: `python -m resrank claims --root results/small`.
    """
    from resrank.reporting.claims import claims_text, judge_all

    typer.echo(claims_text(judge_all(root), all_of_them))


@app.command()
def plan(
    suite: Annotated[Path, typer.Option(help="A suite's YAML file.", show_default=False)],
    device: Annotated[str, typer.Option(help="H100, A100, L4 or RTX4090.")] = "H100",
    utilisation: Annotated[float, typer.Option(help="Share of its peak that is used.")] = 0.3,
    passage_tokens: Annotated[int, typer.Option(min=1, help="Tokens a passage.")] = 100,
    query_tokens: Annotated[int, typer.Option(min=1, help="Tokens a query.")] = 10,
) -> None:
    """Print what a suite would fetch, load, train and run, in GPU hours and bytes.

    Nothing is fetched. Hours are estimated from the FLOPs of its systems.

    Example: `python -m resrank plan --suite config/paper.yaml`.
    """
    from resrank.efficiency.assumed import Assumed
    from resrank.reporting.catalogue import plan as text
    from resrank.suite import load_suite

    assumed = Assumed(device, utilisation, passage_tokens, query_tokens)
    typer.echo(text(load_suite(suite), assumed))


@app.command()
def growth(
    suite: Annotated[Path, typer.Option(help="A suite's YAML file.", show_default=False)],
    out: Out,
    system: Annotated[
        list[str] | None, typer.Option(help="One of its systems; may be repeated; default: all.")
    ] = None,
    collection: Annotated[
        Path | None, typer.Option(help="Folder that `collect` wrote: measure too, on its text.")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, help="In place of the suite's `scale`.")
    ] = None,
    most_candidates: Annotated[int, typer.Option(min=10, help="Measure up to these.")] = 100,
    longest: Annotated[int, typer.Option(min=32, help="Measure up to this length.")] = 128,
    repeats: Annotated[int, typer.Option(min=1, help="Measured queries a point.")] = 3,
    device: Annotated[str, typer.Option(help="H100, A100, L4 or RTX4090.")] = "H100",
    utilisation: Annotated[float, typer.Option(help="Share of its peak that is used.")] = 0.3,
) -> None:
    """Write how a query's cost grows with candidates and passage length, modelled and measured.

    Example: `python -m resrank growth --suite config/efficiency.yaml --out results/efficiency`
    writes `tables/growth.csv` and `figures/growth.svg` there from the models' shapes alone.
    """
    from resrank.efficiency.assumed import Assumed
    from resrank.growing import grow
    from resrank.suite import load_suite, read_yaml

    given = read_yaml(suite)
    resolved = load_suite(given if scale is None else given | {"scale": scale})
    ends = (most_candidates, longest, repeats)
    for path in grow(resolved, system, Assumed(device, utilisation), collection, ends, out):
        typer.echo(path)


@app.command()
def collections() -> None:
    """Print the library's collections as a Markdown table: origin, licence, files, counts."""
    from resrank.reporting.catalogue import catalogue
    from resrank.suite import library

    typer.echo(catalogue(library().collections))


@app.command()
def replay(
    candidates: Annotated[
        Path, typer.Option(help="RankLLM candidates with text, JSON or JSONL.", show_default=False)
    ],
    responses: Annotated[
        Path,
        typer.Option(help="JSONL of `prompt`, `response`, in call order.", show_default=False),
    ],
    out: Out,
    window: Annotated[int, typer.Option(min=2, help="Passages a window.")] = 20,
    step: Annotated[int, typer.Option(min=1, help="Passages a window moves up.")] = 10,
    parser: Annotated[Parser, typer.Option(help="How answers are read.")] = Parser.any_digits,
    depth: Annotated[int, typer.Option(min=1, help="Candidates a query.")] = 100,
) -> None:
    """Rerank by a language model's recorded answers: a TREC run, with no model.

    Beside the run `<out>`, `my.run` say, it writes what each query used, the counts of clean,
    repaired and rejected answers among it: `<out>.usage.parquet`, `my.usage.parquet`.

    Example: `python -m resrank replay --candidates bm25_top100.json --responses answers.jsonl
    --window 20 --step 10 --out my.run`, then `evaluate`.
    """
    from baselines.llm.replay import replay as run_replay
    from resrank.windows import Window

    windows = Window(size=window, step=step)
    used = run_replay(candidates, responses, windows, parser.value, depth, out)
    typer.echo(
        f"{out}: {used.model_calls} answers, {used.clean_answers} clean, "
        f"{used.repaired_answers} repaired, {used.rejected_answers} rejected"
    )


@app.command()
def readme(
    table: Annotated[Path, typer.Option(help="The table to show.")] = Path(
        "results/demo/tables/comparison.md"
    ),
    file: Annotated[Path, typer.Option(help="The README to update.")] = Path("README.md"),
) -> None:
    """Put the demo's table into the README, between its markers."""
    from resrank.reporting.readme import update_readme

    update_readme(file, table)


def _system(spec: str) -> Any:
    from resrank.config import System

    return System.model_validate(_json(spec, "--spec"))


def _json(text: str, option: str, kind: type = dict) -> Any:
    """An option's JSON. ValueError that names the option, the place and what was given."""
    wanted = "an object, {...}" if kind is dict else "a list, [...]"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{option}: {text!r} is not JSON ({error.msg}, character {error.pos + 1}); give "
            f"{wanted}, in single quotes so that the shell leaves it alone"
        ) from error
    if not isinstance(value, kind):
        raise ValueError(f"{option}: {text!r} is {type(value).__name__}; give {wanted}")
    return value


def main() -> None:
    """Run a verb; an error that names its cause is shown without a traceback."""
    from pydantic import ValidationError

    if not sys.stderr.isatty():  # a log needs no bar that is drawn ten times a second
        os.environ.setdefault("TQDM_MININTERVAL", "15")
    try:
        app()
    except ValidationError as error:
        from resrank.suite import explain

        sys.exit(f"error: {explain(error, '')}")
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
