rule train:
    input:
        files=lambda w: watched(PLAN.files(w.system)),
        candidates=lambda w: PLAN.training_lists(w.system),
        used_models=lambda w: PLAN.used_models(w.system, w.seed),
        embeddings=lambda w: PLAN.encoded_for_training(w.system, w.seed),
        teacher=lambda w: watched(PLAN.training_files(w.system)),
        collection=lambda w: PLAN.training_collections(w.system),
    output:
        manifest=f"{PLAN.saved_model(*MODEL)}.manifest.json",
        model=directory(PLAN.saved_model(*MODEL)),
        curve=f"{PLAN.saved_model(*MODEL)}.log.jsonl",
    log:
        PLAN.log("train", "{system}", "seed{seed}"),
    benchmark:
        PLAN.benchmark("train", "{system}", "seed{seed}")
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        braces=lambda w: stamps(PLAN.files(w.system) + PLAN.training_files(w.system)),
        library=sources("resrank.jobs.train"),
        source=sources_of_training,
        entry=lambda w: as_json(PLAN.training_entry(w.system, w.seed)),
        launcher=lambda w: SUITE.systems[w.system].launcher,
    shell:
        job("train", OF_SYSTEM, OF_SEED, launcher="{params.launcher}")
