rule encode:
    input:
        candidates=lambda w: PLAN.lists_to_encode(w.dataset),
        model=lambda w: PLAN.encoders[w.encoder].models,
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        shards=lambda w: PLAN.shards(
            f"{OUT}/embeddings/{w.dataset}/{w.encoder}", ".json"
        ),
    output:
        f"{OUT}/embeddings/{{dataset}}/{{encoder}}.json",
    log:
        f"{OUT}/logs/encode/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{OUT}/benchmarks/encode/{{dataset}}/{{encoder}}.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    resources:
        gpu=GPU,
    params:
        library=library("model"),
        options=lambda w: PLAN.encoders[w.encoder].options,
        folder=collection_folder,
        candidates=lambda w, input: options_text("candidates", input.candidates),
        splits=lambda w: options_text(
            "split", PLAN.splits_to_encode(w.dataset, w.encoder)
        ),
        store=STORE,
        shards=lambda w, input: PLAN.shard_stores(input.shards),
    shell:
        "python -m resrank encode --collection {params.folder:q} {params.candidates} "
        "{params.splits} --encoder {params.options:q} --store {params.store:q} {params.shards} "
        "--out {output:q} 2> {log:q}"
