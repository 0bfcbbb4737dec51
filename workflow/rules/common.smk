import json
import os
import shlex
import sys
import time
from functools import cache
from pathlib import Path

from resrank.io.atomic import check_writable
from resrank.io.source_hash import hash_of_sources
from resrank.jobs.parent_process import VARIABLE
from resrank.suite.plan import Plan, as_json, has_gpu, source_data
from resrank.suite.merged_suite import (
    merged_hash,
    planned_hash,
    read_absent,
    write_merged,
)
from resrank.suite import merged_suite
from resrank.suite.preflight import check_devices, check_models, date_back
from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import ConfigError, check_keys
from resrank.suite.load import load_suite
from resrank.suite.entry_classes import (
    collection_class,
    first_stage_class,
    system_classes,
    training_classes,
)

# Snakemake's readers of YAML and JSON take the last of repeated keys.
try:
    for path in workflow.configfiles:
        check_keys(Path(path))
except ConfigError as error:
    sys.exit(f"error: {error}")

try:
    SUITE = load_suite(dict(config))
    check_models(SUITE)
except ConfigError as error:  # name the suite file in the message, not this rule file
    sys.exit(f"{', '.join(map(str, workflow.configfiles)) or 'suite'}: {error}")

for name in SUITE.suite.collections + SUITE.only_learned_from:
    SUITE.collections[name].show_terms()


@cache
def say_skipped(name, reason):
    """Log once that a suite skips a collection."""
    logger.warning(f"skipped: collection {name}, {reason}")


for name, reason in SUITE.skipped.items():
    say_skipped(name, reason)


# A job ends with this process. On a cluster's node, another Snakemake process reads this file.
os.environ[VARIABLE] = str(os.getpid())
# On a processor, tensors of a hundred megabytes are allocated and freed all the time. These settings
# let glibc reuse their memory, instead of requesting it page by page. Your own values are kept.
for setting in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
    os.environ.setdefault(setting, str(2**30))


# Before the first job; not in a dry run, or if there is nothing to do. On a cluster the devices are
# those of its nodes, where each job checks its own. Jobs read the suite from the file written here:
# what Snakemake merged from --configfile and --config is not in any one file.
onstart:
    try:
        check_writable(Path(OUT))
        if workflow.local_exec:
            check_devices(SUITE)
        write_merged(PLAN)
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")


wildcard_constraints:
    collection="[^/]+",
    first_stage="[^/]+",
    system="[^/]+",
    encoder="[^/]+",
    seed=r"\d+",
    shard=r"\d+",


PLAN = Plan(SUITE)
OUT = PLAN.out
# A job accepts the suite that this process has planned, and no other. On a cluster's node, where the
# optional collections may be there by now, the value of the main process counts.
if workflow.is_main_process or merged_suite.VARIABLE not in os.environ:
    os.environ[merged_suite.VARIABLE] = planned_hash(PLAN)
if workflow.is_main_process:
    if ahead := date_back(Path(OUT)):
        logger.warning(
            f"{len(ahead)} files are dated in the future (first: {ahead[0]}). "
            "Was the clock set back? They are treated as old."
        )
# Not fetched yet; the fetch may fail. Whether there are jobs over such a collection is known only
# after the attempt.
MAYBE_UNAVAILABLE = SUITE.maybe_unavailable
SHARDS = SUITE.suite.shards
# A GPU serves one job at a time (a profile says how many there are); processors are shared.
GPU = int(has_gpu())
# Wildcards of paths, and the options by which a job gets their values.
PAIR = ("{collection}", "{first_stage}")
MODEL = ("{system}", "{seed}")
RUN = (*PAIR, "{system}", "seed{seed}")
OF_COLLECTION = "--collection {wildcards.collection}"
OF_PAIR = f"{OF_COLLECTION} --first-stage {{wildcards.first_stage}}"
OF_SYSTEM = "--system {wildcards.system}"
OF_SEED = "--seed {wildcards.seed}"


def job(name, *options, launcher="python"):
    """The command of a job; what it reads and writes follows from the suite and the names."""
    words = [launcher, "-m resrank job", name, "--suite", PLAN.suite_file, *options]
    return f"{' '.join(words)} 2> {{log:q}}"


# Snakemake takes braces in a path for wildcards. A user's file with braces in its path is no input: a
# job's params hold its size and date.
def watched(files):
    """The user's files that can be inputs."""
    return [file for file in files if "{" not in file]


def stamps(files):
    """Path, size and date of the user's other files; one that is missing is an error of its job."""
    named = [Path(file) for file in files if "{" in file]
    return [
        f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for file in named
        if file.exists()
    ]


def shipped_files(*patterns):
    """Files of config/, as paths from where Snakemake was started."""
    files = [file for pattern in patterns for file in sorted(CONFIG_DIR.glob(pattern))]
    return [os.path.relpath(file) for file in files]


def pair(wildcards):
    return wildcards.collection, wildcards.first_stage


def run_files(shard=""):
    """The files of a run, or of one shard of it."""
    return with_usage(PLAN.run(*PAIR, *MODEL, shard))


def teaching_files(shard=""):
    """The files of a teacher's run, or of one shard of it."""
    return with_usage(PLAN.teaching(*PAIR, *MODEL, shard))


def with_usage(path):
    run = path.removesuffix(".trec")
    endings = {"run": "trec", "usage": "usage.parquet", "manifest": "manifest.json"}
    return {name: f"{run}.{ending}" for name, ending in endings.items()}


def absent(wildcards):
    """The collections that could not be fetched, and why; waits for every attempt."""
    for name in MAYBE_UNAVAILABLE:
        checkpoints.fetch.get(collection=name)
    reasons = read_absent(SUITE)
    for name, reason in reasons.items():
        say_skipped(name, reason)
    return reasons


def over_pairs(files):
    """Each collection's and first stage's `files`, for a rule's input.

    Those of collections that may be unavailable are listed after the attempt to fetch them, so that
    jobs over the other collections need not wait.
    """
    certain = [
        name
        for c, s in SUITE.pairs
        if c not in MAYBE_UNAVAILABLE
        for name in files(c, s)
    ]

    def fetched(wildcards):
        there = set(MAYBE_UNAVAILABLE) - set(absent(wildcards))
        return [name for c, s in SUITE.pairs if c in there for name in files(c, s)]

    return [*certain, fetched] if MAYBE_UNAVAILABLE else certain


# A job runs again if the hash of its sources changed, which is one word among its `params`. Listing
# sources as inputs would make Snakemake check about forty files per job.
@cache
def sources(entry, name=None):
    """The hash of a module or class and all that it imports, with a name for the message."""
    return f"sources of {name or entry}: {hash_of_sources(entry)[:16]}"


def sources_of_collection(wildcards):
    name = wildcards.collection
    return sources(collection_class(SUITE.collections[name].kind), name)


def sources_of_stage(wildcards):
    name = wildcards.first_stage
    return sources(first_stage_class(SUITE.first_stages[name].kind), name)


@cache
def hash_of_system(system, trains):
    classes = (training_classes if trains else system_classes)(SUITE.systems[system])
    return f"sources of {system}: {hash_of_sources(*classes, trains=trains)[:16]}"


def sources_of_ranking(wildcards):
    return hash_of_system(wildcards.system, trains=False)


def sources_of_training(wildcards):
    return hash_of_system(wildcards.system, trains=True)
