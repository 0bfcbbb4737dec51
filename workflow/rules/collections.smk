# An optional collection is fetched before the jobs over it are planned. If no network gives it,
# there are no such jobs, and the tables say so.
checkpoint fetch:
    output:
        PLAN.fetch_completion("{collection}"),
    log:
        PLAN.log("fetch", "{collection}"),
    localrule: True  # a cluster's nodes may have no network
    conda:
        "../../environment.yml"
    params:
        source=sources_of_collection,
        entry=lambda w: as_json(SUITE.collections[w.collection]),
        now=time.time(),  # tried again in every run, until the files are here
    shell:
        job("fetch", OF_COLLECTION)


rule collect:
    input:
        data=lambda w: watched(source_data(SUITE.collections[w.collection])),
    output:
        PLAN.collection_manifest("{collection}"),
        *[
            f"{PLAN.collection('{collection}')}/{name}.parquet"
            for name in ("queries", "passages", "qrels")
        ],
    log:
        PLAN.log("collect", "{collection}"),
    benchmark:
        PLAN.benchmark("collect", "{collection}")
    conda:
        "../../environment.yml"
    params:
        braces=lambda w: stamps(source_data(SUITE.collections[w.collection])),
        source=sources_of_collection,
        entry=lambda w: as_json(SUITE.collections[w.collection]),
        learners=lambda w: PLAN.learners(w.collection),
    shell:
        job("collect", OF_COLLECTION)


rule candidates:
    input:
        data=lambda w: watched(source_data(SUITE.first_stages[w.first_stage])),
        fused=lambda w: list(PLAN.fused(*pair(w)).values()),
        model=lambda w: PLAN.stage_models(w.first_stage),
        collection=PLAN.collection_manifest("{collection}"),
        shards=lambda w: PLAN.stage_shards(*pair(w)),
    output:
        lists=PLAN.candidates(*PAIR),
        manifest=f"{OUT}/candidates/{{collection}}/{{first_stage}}.manifest.json",
    log:
        PLAN.log("candidates", *PAIR),
    benchmark:
        PLAN.benchmark("candidates", *PAIR)
    conda:
        "../../environment.yml"
    # A dense first stage embeds a whole collection; the others use one core.
    threads: lambda w: workflow.cores if SUITE.first_stages[w.first_stage].needs_all_cores else 1
    params:
        braces=lambda w: stamps(source_data(SUITE.first_stages[w.first_stage])),
        library=sources("resrank.candidates.freeze"),
        source=sources_of_stage,
        entry=lambda w: as_json(PLAN.stage_entry(w.first_stage, w.collection)),
    shell:
        job("candidates", OF_PAIR)
