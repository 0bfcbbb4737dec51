rule encode:
    input:
        candidates=lambda w: PLAN.lists_to_encode(w.collection),
        model=lambda w: PLAN.encoders[w.encoder].models,
        collection=PLAN.collection_manifest("{collection}"),
        shards=lambda w: PLAN.encode_shards(w.collection, w.encoder),
    output:
        PLAN.embeddings("{collection}", "{encoder}"),
    log:
        PLAN.log("encode", "{collection}", "{encoder}"),
    benchmark:
        PLAN.benchmark("encode", "{collection}", "{encoder}")
    conda:
        "../../environment.yml"
    threads: workflow.cores
    resources:
        gpu=GPU,
    params:
        library=sources("resrank.jobs.encode"),
        entry=lambda w: as_json(PLAN.encoders[w.encoder].options),
        splits=lambda w: PLAN.splits_to_encode(w.collection, w.encoder),
        which=lambda w: f"--encoder {shlex.quote(w.encoder)}",
    shell:
        job("encode", OF_COLLECTION, "{params.which}")
