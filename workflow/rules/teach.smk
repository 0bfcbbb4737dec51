# A system ranks training queries, and others learn from its rankings (`teacher: system:<name>`).
rule teach:
    input:
        files=lambda w: watched(PLAN.files(w.system)),
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        used_models=lambda w: PLAN.used_models(w.system, w.seed),
        model=lambda w: PLAN.model(w.system, w.seed),
    output:
        **teaching_files(),
    log:
        PLAN.log("teach", *RUN),
    benchmark:
        PLAN.benchmark("teach", *RUN)
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        braces=lambda w: stamps(PLAN.files(w.system)),
        library=sources("resrank.jobs.teach"),
        source=sources_of_ranking,
        entry=lambda w: as_json(PLAN.system_entry(w.system, w.collection, w.seed)),
        work=lambda w: PLAN.teaching_work(*pair(w), w.system),
        shard="",
    shell:
        job("teach", OF_PAIR, OF_SYSTEM, OF_SEED, "{params.shard}")
