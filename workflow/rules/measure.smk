rule measure:
    input:
        files=lambda w: watched(PLAN.files(w.system)),
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        used_models=lambda w: PLAN.used_models(w.system),
        embeddings=lambda w: PLAN.encoded(
            w.collection, w.system, PLAN.first_seed(w.system)
        ),
        model=lambda w: PLAN.model(w.system),
        run=lambda w: PLAN.recorded_runs(*pair(w), w.system),
    output:
        PLAN.efficiency(*PAIR, "{system}"),
    log:
        PLAN.log("measure", *PAIR, "{system}"),
    conda:
        "../../environment.yml"
    # Every core: nothing else runs on the machine while a clock does.
    threads: workflow.cores
    resources:
        gpu=GPU,
        measure=1,
    params:
        braces=lambda w: stamps(PLAN.files(w.system)),
        library=sources("resrank.jobs.measure"),
        source=sources_of_ranking,
        entry=lambda w: as_json(PLAN.system_entry(w.system, w.collection)),
        measurement=as_json(SUITE.suite.measure),
    shell:
        job("measure", OF_PAIR, OF_SYSTEM)
