rule measure:
    input:
        files=lambda w: PLAN.files(w.system),
        candidates=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        parts=lambda w: PLAN.parts(w.system),
        embeddings=lambda w: PLAN.encoded(
            w.dataset, w.system, PLAN.first_seed(w.system)
        ),
        model=model_of,
        run=recorded_run,
    output:
        f"{OUT}/efficiency/{{dataset}}/{{stage}}/{{system}}.json",
    log:
        f"{OUT}/logs/measure/{{dataset}}/{{stage}}/{{system}}.log",
    conda:
        "../../environment.yml"
    # Every core: nothing else runs on the machine while a clock does.
    threads: workflow.cores
    resources:
        gpu=GPU,
        measure=1,
    params:
        library=library("model", "efficiency"),
        source=sources,
        spec=lambda w: PLAN.spec(w.system),
        parts=lambda w, input: options_text("part", input.parts),
        how=as_json(SUITE.suite.measure),
        seed=lambda w: PLAN.first_seed(w.system),
        folder=collection_folder,
        model=model_option,
        run=lambda w, input: options_text("run", input.run),
        store=STORE,
    shell:
        "python -m resrank measure --collection {params.folder:q} "
        "--candidates {input.candidates:q} --name {wildcards.system:q} --spec {params.spec:q} {params.parts} "
        "--seed {params.seed} {params.model} {params.run} --how {params.how:q} "
        "--store {params.store:q} --out {output:q} 2> {log:q}"
