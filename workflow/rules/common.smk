import hashlib
import json
from pathlib import Path

from snakemake.exceptions import WorkflowError

from resrank.config import ConfigError, load_suite
from resrank.registry import encoder_of, source_files

try:
    SUITE = load_suite(dict(config))
except ConfigError as error:
    raise WorkflowError(str(error))

OUT = f"results/{SUITE.suite.name}"
# Modules that every job's result goes through; the command line and the configuration's types are
# left out, since they only pass on what `params` already states.
SHARED = ["files", "records", "reranker", "running", "store", "trec"]
STORE = f"{OUT}/embeddings/store"
PAIRS = [(d, s) for d in SUITE.suite.collections for s in SUITE.stages_of(d)]


def as_json(entry):
    """A configuration entry as the command line takes it; equal entries are equal text."""
    return json.dumps(entry.model_dump(mode="json"), sort_keys=True)


def library(*rooms):
    """The sources of some rooms: a job whose sources changed runs again."""
    files = {f for room in rooms for f in Path("resrank", room).glob("[a-z]*.py")}
    files |= {Path("resrank", f"{name}.py") for name in SHARED}
    return sorted(map(str, files))


def sources(wildcards):
    """The files that one system is made of, beside the shared library."""
    return source_files(SUITE.systems[wildcards.system])


def encoder_of_system(name):
    """The encoder whose passage embeddings a system can take from the store; None without one."""
    spec = SUITE.systems[name]
    return encoder_of(spec.kind, spec.options)


def encoder_name(options):
    """A name for an encoder's folder: the model's own, and a hash of every option."""
    digest = hashlib.sha256(as_json(options).encode()).hexdigest()[:8]
    return f"{Path(options.model).name}-{digest}"


def encoded(dataset, system):
    """The job that embeds a collection's candidates for a system, if it has an encoder."""
    options = encoder_of_system(system)
    if options is None:
        return []
    return f"{OUT}/embeddings/{dataset}/{encoder_name(options)}.json"


def system_spec(wildcards):
    return as_json(SUITE.systems[wildcards.system])


def candidates_of_training(wildcards):
    """The lists that a system is trained on: the first stage of its training collection."""
    name = SUITE.trained_on(wildcards.system)
    return f"{OUT}/candidates/{name}/{SUITE.stages_of(name)[0]}.parquet"


def model_of(wildcards):
    """The trained model behind a run; none for a system that is not trained."""
    if SUITE.systems[wildcards.system].training is None:
        return []
    seed = getattr(wildcards, "seed", SUITE.seeds_of(wildcards.system)[0])
    return f"{OUT}/models/{wildcards.system}/seed{seed}.manifest.json"


def model_option(wildcards, input):
    return (
        f"--model {str(input.model).removesuffix('.manifest.json')}"
        if input.model
        else ""
    )


def runs_of(dataset, stage):
    return [
        (system, seed, f"{OUT}/runs/{dataset}/{stage}/{system}/seed{seed}.trec")
        for system in SUITE.suite.systems
        for seed in SUITE.seeds_of(system)
    ]


def trained_collections():
    return {
        system: f"{OUT}/collections/{SUITE.trained_on(system)}"
        for system in SUITE.suite.systems
        if SUITE.systems[system].training is not None
    }


def collection_files(spec):
    """The user's own files behind a collection or a run: a change in them runs the job again."""
    if spec.kind == "beir":
        named = [
            f"qrels/{name}.tsv" for name in (spec.test, spec.train, spec.dev) if name
        ]
        paths = [spec.path / name for name in ("corpus.jsonl", "queries.jsonl", *named)]
        return [str(path) for path in paths if path.is_file()]
    paths = [getattr(spec, name, None) for name in ("path", "qrels")]
    return [str(path) for path in paths if path is not None and path.is_file()]


ENCODERS = {
    encoder_name(options): as_json(options)
    for options in map(encoder_of_system, SUITE.suite.systems)
    if options is not None
}
