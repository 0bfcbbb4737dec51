rule sensitivity:
    input:
        files=lambda w: watched(PLAN.files(w.system)),
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        models=lambda w: PLAN.models_of_all_seeds(w.system),
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
        braces=lambda w: stamps(PLAN.files(w.system)),
        library=sources("resrank.jobs.sensitivity"),
        source=sources_of_ranking,
        entry=lambda w: as_json(PLAN.system_entry(w.system, w.collection)),
    shell:
        job("sensitivity", OF_PAIR, OF_SYSTEM)
