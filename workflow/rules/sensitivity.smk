rule sensitivity:
    input:
        files=lambda w: PLAN.files(w.system),
        candidates=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        parts=lambda w: PLAN.parts(w.system),
        model=lambda w: [
            manifest
            for seed in SUITE.seeds_of(w.system)
            for manifest in PLAN.model(w.system, seed)
        ],
    output:
        f"{OUT}/sensitivity/{{dataset}}/{{stage}}/{{system}}.json",
    log:
        f"{OUT}/logs/sensitivity/{{dataset}}/{{stage}}/{{system}}.log",
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        library=library(
            "model",
            "jobs/sensitivity.py",
            "evaluation/agreement.py",
            "evaluation/metrics.py",
        ),
        source=sources,
        spec=lambda w: PLAN.spec(w.system),
        parts=lambda w, input: options_text("part", input.parts),
        folder=collection_folder,
        model=model_option,
    shell:
        "python -m resrank sensitivity --collection {params.folder:q} "
        "--candidates {input.candidates:q} --name {wildcards.system:q} --spec {params.spec:q} "
        "{params.parts} {params.model} --out {output:q} 2> {log:q}"
