rule rerank:
    input:
        files=lambda w: PLAN.files(w.system),
        candidates=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        parts=lambda w: PLAN.parts(w.system),
        embeddings=lambda w: PLAN.encoded(w.dataset, w.system, w.seed),
        model=model_of,
    output:
        run=f"{RUN}.trec",
        usage=f"{RUN}.usage.parquet",
        manifest=f"{RUN}.manifest.json",
    log:
        f"{OUT}/logs/rerank/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}.log",
    benchmark:
        f"{OUT}/benchmarks/rerank/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        library=library("model"),
        source=sources,
        spec=lambda w: PLAN.spec(w.system),
        parts=lambda w, input: options_text("part", input.parts),
        folder=collection_folder,
        store=STORE,
        model=model_option,
        shard="",
    shell:
        "python -m resrank rerank --collection {params.folder:q} "
        "--candidates {input.candidates:q} --name {wildcards.system:q} --spec {params.spec:q} {params.parts} "
        "--seed {wildcards.seed} {params.model} --store {params.store:q} {params.shard} "
        "--out {output.run:q} 2> {log:q}"
