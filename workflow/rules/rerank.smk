rule rerank:
    input:
        files=lambda w: watched(PLAN.files(w.system)),
        candidates=PLAN.candidates(*PAIR),
        collection=PLAN.collection_manifest("{collection}"),
        used_models=lambda w: PLAN.used_models(w.system, w.seed),
        embeddings=lambda w: PLAN.encoded(w.collection, w.system, w.seed),
        model=lambda w: PLAN.model(w.system, w.seed),
    output:
        **run_files(),
    log:
        PLAN.log("rerank", *RUN),
    benchmark:
        PLAN.benchmark("rerank", *RUN)
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        braces=lambda w: stamps(PLAN.files(w.system)),
        library=sources("resrank.jobs.rerank"),
        source=sources_of_ranking,
        entry=lambda w: as_json(PLAN.system_entry(w.system, w.collection, w.seed)),
        shard="",
    shell:
        job("rerank", OF_PAIR, OF_SYSTEM, OF_SEED, "{params.shard}")
