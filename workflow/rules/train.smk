rule train:
    input:
        candidates=lambda w: PLAN.training_lists(w.system),
        parts=lambda w: PLAN.parts(w.system),
        embeddings=lambda w: PLAN.encoded_for_training(w.system, w.seed),
        teacher=lambda w: PLAN.training_files(w.system),
        collection=lambda w: f"{OUT}/collections/{SUITE.trained_on(w.system)}/manifest.json",
    output:
        manifest=f"{OUT}/models/{{system}}/seed{{seed}}.manifest.json",
        model=directory(f"{OUT}/models/{{system}}/seed{{seed}}"),
        curve=f"{OUT}/models/{{system}}/seed{{seed}}.log.jsonl",
    log:
        f"{OUT}/logs/train/{{system}}/seed{{seed}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{system}}/seed{{seed}}.tsv"
    conda:
        "../../environment.yml"
    threads: lambda w: SUITE.systems[w.system].threads
    resources:
        gpu=GPU,
    params:
        library=library("model", "training"),
        source=sources,
        spec=lambda w: PLAN.spec(w.system),
        parts=lambda w, input: options_text("part", input.parts),
        launcher=lambda w: SUITE.systems[w.system].launcher,
        folder=collection_folder,
        store=STORE,
        checkpoints=f"{OUT}/checkpoints/{{system}}/seed{{seed}}",
    shell:
        "{params.launcher} -m resrank train --collection {params.folder:q} "
        "--candidates {input.candidates:q} --name {wildcards.system:q} --spec {params.spec:q} {params.parts} "
        "--seed {wildcards.seed} --store {params.store:q} "
        "--checkpoints {params.checkpoints:q} --out {output.model:q} 2> {log:q}"
