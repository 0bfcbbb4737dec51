import hashlib
import json
from pathlib import Path

from snakemake.exceptions import WorkflowError

from resrank.config import ConfigError, load_suite
from resrank.parts import parts, substitute
from resrank.registry import encoder_of, source_files, training_files

try:
    SUITE = load_suite(dict(config))
except ConfigError as error:
    raise WorkflowError(str(error))

OUT = f"results/{SUITE.suite.name}"
# Modules that every job's result goes through; the command line and the configuration's types are
# left out, since they only pass on what `params` already states.
SHARED = [
    "candidates/texts",
    "files",
    "records",
    "reranker",
    "running",
    "store",
    "trec",
    "windows",
]
STORE = f"{OUT}/embeddings/store"
# A GPU serves one job at a time (a profile says how many there are); processors share themselves.
GPU = int(Path("/proc/driver/nvidia").exists())
PAIRS = SUITE.pairs


def as_json(entry):
    """A configuration entry as the command line takes it; equal entries are equal text."""
    return json.dumps(entry.model_dump(mode="json"), sort_keys=True)


def library(*rooms):
    """The sources of some rooms, or of single files: a job whose sources changed runs again."""
    files = {f for room in rooms for f in Path("resrank", room).glob("[a-z]*.py")}
    files |= {Path("resrank", room) for room in rooms if room.endswith(".py")}
    files |= {Path("resrank", f"{name}.py") for name in SHARED}
    return sorted(map(str, files))


def sources(wildcards):
    """The files that one system is made of, beside the shared library."""
    return source_files(SUITE.systems[wildcards.system])


def first_seed(system):
    return SUITE.seeds_of(system)[0]


def model_folder(system, seed=None):
    return f"{OUT}/models/{system}/seed{first_seed(system) if seed is None else seed}"


def options_of(system):
    """A system's options, with the folders of the trained systems that it stands on."""
    return substitute(SUITE.systems[system].options, model_folder)


def stage_spec(stage):
    """A first stage, with the folder of the trained encoder that a dense one may name."""
    spec = SUITE.first_stages[stage]
    if spec.kind != "dense":
        return spec
    model = substitute(spec.encoder.model, encoder_folder)
    return spec.model_copy(
        update={"encoder": spec.encoder.model_copy(update={"model": model})}
    )


def encoder_folder(system):
    """Where a trained system's own encoder lies."""
    spec = SUITE.systems[system]
    folder = model_folder(system)
    return encoder_of(spec.kind, spec.options, spec.training, folder).model


def stage_threads(wildcards):
    """A dense first stage embeds a whole collection; the others use one core."""
    return workflow.cores if SUITE.first_stages[wildcards.stage].kind == "dense" else 1


def stage_models(stage):
    """The trained models that a dense first stage stands on."""
    spec = SUITE.first_stages[stage]
    names = parts(spec.encoder.model) if spec.kind == "dense" else []
    return [f"{model_folder(name)}.manifest.json" for name in names]


def fused_files(dataset, stage):
    """The candidates of each stage that a fusion names."""
    spec = SUITE.first_stages[stage]
    names = spec.of if spec.kind == "fusion" else []
    return {name: f"{OUT}/candidates/{dataset}/{name}.parquet" for name in names}


def system_spec(wildcards):
    spec = SUITE.systems[wildcards.system]
    return as_json(spec.model_copy(update={"options": options_of(wildcards.system)}))


def parts_of(wildcards):
    """The trained models that a system stands on, beside its own."""
    names = parts(SUITE.systems[wildcards.system].options)
    return [f"{model_folder(name)}.manifest.json" for name in names]


def encoder_name(system, seed):
    """A name for the encoder whose passage embeddings a system can store; None without one.

    It is the name of the model, or of the trained system that holds it, and a hash of its options.
    """
    spec = SUITE.systems[system]
    folder = model_folder(system, seed) if spec.training is not None else None
    options = encoder_of(spec.kind, options_of(system), spec.training, folder)
    if options is None:
        return None
    holders = [(p, model_folder(p)) for p in parts(spec.options)] + [(system, folder)]
    held_by = [(n, f) for n, f in holders if f and options.model.startswith(f)]
    text = as_json(options)
    name = held_by[0][0] if held_by else Path(options.model).name
    name = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    ENCODERS[name] = (text, [f"{f}.manifest.json" for _, f in held_by])
    return name


def encoded(dataset, system, seed):
    """The job that embeds a collection's candidates for a system, if it has an encoder."""
    name = encoder_name(system, seed)
    return [] if name is None else f"{OUT}/embeddings/{dataset}/{name}.json"


def encoded_for_training(system, seed):
    """The same over the training collection, for a system whose encoder is not trained itself."""
    name = encoder_name(system, seed)
    if (
        name is None
        or f"{model_folder(system, seed)}.manifest.json" in ENCODERS[name][1]
    ):
        return []
    return encoded(SUITE.trained_on(system), system, seed)


def candidates_of_training(wildcards):
    """The lists that a system is trained on."""
    stage = SUITE.systems[wildcards.system].trained_with
    return f"{OUT}/candidates/{SUITE.trained_on(wildcards.system)}/{stage}.parquet"


def lists_to_encode(wildcards):
    """Every list of a collection that a system reranks or is trained on."""
    used = wildcards.dataset in SUITE.suite.collections
    stages = set(SUITE.stages_of(wildcards.dataset) if used else [])
    for name, spec in SUITE.systems.items():
        if spec.training is not None and SUITE.trained_on(name) == wildcards.dataset:
            stages.add(spec.trained_with)
    return [
        f"{OUT}/candidates/{wildcards.dataset}/{stage}.parquet"
        for stage in sorted(stages)
    ]


def files_of_training(system):
    """The user's own files that a system is trained with."""
    spec = SUITE.systems[system]
    return [str(path) for path in training_files(spec.kind, spec.training)]


def part_options(wildcards, input):
    return " ".join(f"--part {part}" for part in input.parts)


def model_of(wildcards):
    """The trained model behind a run; none for a system that is not trained."""
    if SUITE.systems[wildcards.system].training is None:
        return []
    seed = getattr(wildcards, "seed", None)
    return f"{model_folder(wildcards.system, seed)}.manifest.json"


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


def trained_collections(stage):
    """System -> the collections that it, a part of it or its first stage learned from."""
    below = [c for part in SUITE.stage_parts(stage) for c in SUITE.learns_from(part)]
    found = {
        name: list(dict.fromkeys(SUITE.learns_from(name) + below))
        for name in SUITE.suite.systems
    }
    return {
        name: [f"{OUT}/collections/{c}" for c in learned]
        for name, learned in found.items()
        if learned
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


def splits_to_encode(wildcards):
    """Test, and train where a system learns there from this encoder's embeddings."""
    stamp = f"{OUT}/embeddings/{wildcards.dataset}/{wildcards.encoder}.json"
    learned = stamp in [
        encoded_for_training(system, seed)
        for system, spec in SUITE.systems.items()
        if spec.training is not None
        for seed in SUITE.seeds_of(system)
    ]
    return "--split train --split test" if learned else "--split test"


# encoder's name -> its options as JSON, and the trained models it stands on
ENCODERS: dict[str, tuple[str, list[str]]] = {}
for _system in SUITE.systems:
    for _seed in SUITE.seeds_of(_system):
        encoder_name(_system, _seed)
