import json
import os
import sys
import time
from functools import cache
from pathlib import Path

from resrank.io.atomic import check_writable
from resrank.io.hashing import files_hash
from resrank.jobs.parent_process import VARIABLE
from resrank.suite.plan import Plan, as_json, has_gpu, options_text, source_data
from resrank.suite.preflight import check_devices, check_models, date_back
from resrank.registry import source_files
from resrank.io.manifest import read_checked_json
from resrank.io.yaml import ConfigError
from resrank.suite.load import load_suite

try:
    SUITE = load_suite(dict(config))
    check_models(SUITE)
except ConfigError as error:  # of the suite: its file is named, not this one
    sys.exit(f"{', '.join(map(str, workflow.configfiles)) or 'suite'}: {error}")

for name in SUITE.suite.collections + SUITE.only_learned_from:
    SUITE.collections[name].show_terms()


@cache
def say_skipped(name, reason):
    """Say once that a suite goes on without a collection."""
    logger.warning(f"skipped: collection {name}, {reason}")


for name, reason in SUITE.skipped.items():
    say_skipped(name, reason)


# A job ends with this process; on a cluster's node Snakemake reads this again, as another process.
os.environ[VARIABLE] = str(os.getpid())
# On a processor tensors of a hundred megabytes come and go: glibc shall keep their memory for the
# next, whose pages it would ask for anew, one by one. Values of your own stay.
for setting in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
    os.environ.setdefault(setting, str(2**30))


# Before the first job, and not where nothing is to be done or only planned. On a cluster the
# devices are those of its nodes, where each job asks for its own.
onstart:
    try:
        check_writable(Path(OUT))
        if workflow.local_exec:
            check_devices(SUITE)
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")


wildcard_constraints:
    dataset="[^/]+",
    stage="[^/]+",
    system="[^/]+",
    encoder="[^/]+",
    seed=r"\d+",
    shard=r"\d+",


OUT = f"results/{SUITE.suite.name}"
PLAN = Plan(SUITE, OUT)
if workflow.is_main_process:
    if ahead := date_back(Path(OUT)):
        logger.warning(
            f"{len(ahead)} files are of the future, {ahead[0]} the first; was the clock set back? "
            "They count as old."
        )
# Optional collections that a network may not give: whether there are jobs over one is known when
# it was asked for.
IN_DOUBT = SUITE.in_doubt
STORE = f"{OUT}/embeddings/store"
RUN = f"{OUT}/runs/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}"
SHARDS = SUITE.suite.shards
# A GPU serves one job at a time (a profile says how many there are); processors share themselves.
GPU = int(has_gpu())
# Modules that every job's result goes through; the command line, the configuration's types and the
# planning are left out, since they only pass on what `params` already states.
SHARED = [
    "check_ranking",
    "io/atomic",
    "io/candidate_lists",
    "io/candidates",
    "io/collection",
    "io/environment",
    "io/grades",
    "io/hashing",
    "io/manifest",
    "io/parquet",
    "io/passage_table",
    "io/run",
    "io/trec",
    "jobs/encode",
    "jobs/inputs",
    "jobs/measure",
    "jobs/rerank",
    "jobs/train",
    "model/out_of_memory",
    "phases",
    "ranking",
    "records",
    "reranker",
    "reranker_entry",
    "reranker_options",
    "shards",
    "windows",
    "work",
]


def absent(wildcards):
    """The collections that no network gave, and why; waits until all in doubt were asked for."""
    marks = {d: checkpoints.fetch.get(dataset=d).output[0] for d in IN_DOUBT}
    found = {d: read_checked_json(Path(mark))["absent"] for d, mark in marks.items()}
    lacking = {d: reason for d, reason in found.items() if reason}
    for d, reason in lacking.items():
        say_skipped(d, reason)
    return lacking


def over_pairs(files):
    """What `files` names of each collection and first stage, for a rule's input; of collections in
    doubt once they were asked for, so that jobs over the others don't wait."""
    certain = [
        name for d, s in SUITE.pairs if d not in IN_DOUBT for name in files(d, s)
    ]

    def asked_for(wildcards):
        there = set(IN_DOUBT) - set(absent(wildcards))
        return [name for d, s in SUITE.pairs if d in there for name in files(d, s)]

    return [*certain, asked_for] if IN_DOUBT else certain


@cache
def library(*rooms):
    """The hash of the sources of some rooms, or of single files: a job runs again where it changed.

    One word among `params` in place of some forty inputs, each of which Snakemake would expand and
    look up for every job.
    """
    files = {f for room in rooms for f in Path("resrank", room).rglob("[a-z]*.py")}
    files |= {Path("resrank", room) for room in rooms if room.endswith(".py")}
    files |= {Path("resrank", f"{name}.py") for name in SHARED}
    return hash_of(f"{' '.join(rooms)} in resrank", files)


@cache
def made_of(system):
    """The hash of the files that one system is made of, beside the shared library."""
    return hash_of(system, map(Path, source_files(SUITE.systems[system])))


def hash_of(whose, files):
    """The hash with whose it is, as Snakemake says it where it is the reason for a job."""
    return f"sources of {whose}: {files_hash(files)[:16]}"


def sources(wildcards):
    return made_of(wildcards.system)


def model_of(wildcards):
    """The trained model behind a run; of the first seed where none is named."""
    return PLAN.model(wildcards.system, getattr(wildcards, "seed", None))


def recorded_run(wildcards):
    """The run beside which an endpoint's times were recorded; none where a model is timed here."""
    spec = SUITE.systems[wildcards.system]
    folder = f"{OUT}/runs/{wildcards.dataset}/{wildcards.stage}/{wildcards.system}"
    run = f"{folder}/seed{PLAN.first_seed(wildcards.system)}.trec"
    return [run] if spec.typed_options.asks_endpoint else []


def model_option(wildcards, input):
    """The folder of that model, for the command line."""
    folders = [str(path).removesuffix(".manifest.json") for path in input.model]
    return options_text("model", folders)


def collection_folder(wildcards, input):
    """The folder of the collection whose manifest a job waits for."""
    return str(Path(input.collection).parent)
