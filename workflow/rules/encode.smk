rule encode:
    input:
        library=library("model"),
        candidates=lists_to_encode,
        model=lambda w: ENCODERS[w.encoder][1],
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
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
        options=lambda w: ENCODERS[w.encoder][0],
        folder=lambda w, input: str(Path(input.collection).parent),
        candidates=lambda w, input: " ".join(
            f"--candidates {f}" for f in input.candidates
        ),
        splits=splits_to_encode,
        store=STORE,
    shell:
        "python -m resrank encode --collection {params.folder:q} {params.candidates} "
        "{params.splits} --encoder {params.options:q} --store {params.store:q} --out {output:q} 2> {log:q}"
