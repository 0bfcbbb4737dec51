rule sensitivity:
    input:
        files=lambda w: PLAN.files(w.system),
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        used_models=lambda w: PLAN.used_models(w.system),
        model=lambda w: [
            manifest
            for seed in SUITE.seeds_of(w.system)
            for manifest in PLAN.model(w.system, seed)
        ],
    output:
        PLAN.sensitivity(*PAIR, "{system}"),
    log:
        PLAN.log("sensitivity", *PAIR, "{system}"),
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        library=sources("resrank.jobs.sensitivity"),
        source=sources_of_ranking,
        entry=lambda w: as_json(PLAN.system_entry(w.system, w.collection)),
    shell:
        job("sensitivity", OF_PAIR, OF_SYSTEM)
