# An optional collection is asked for before the jobs over it are planned: where no network gives
# it, there are none, and the tables say so.
checkpoint fetch:
    output:
        f"{OUT}/fetched/{{dataset}}.json",
    log:
        f"{OUT}/logs/fetch/{{dataset}}.log",
    localrule: True  # a cluster's nodes may have no network
    conda:
        "../../environment.yml"
    params:
        library=library("collections"),
        spec=lambda w: as_json(SUITE.collections[w.dataset]),
        asked=time.time(),  # anew in every run, while it is not here
    shell:
        "python -m resrank fetch --spec {params.spec:q} --out {output:q} 2> {log:q}"


rule collect:
    input:
        data=lambda w: source_data(SUITE.collections[w.dataset]),
    output:
        f"{OUT}/collections/{{dataset}}/manifest.json",
        f"{OUT}/collections/{{dataset}}/queries.parquet",
        f"{OUT}/collections/{{dataset}}/passages.parquet",
        f"{OUT}/collections/{{dataset}}/qrels.parquet",
    log:
        f"{OUT}/logs/collect/{{dataset}}.log",
    benchmark:
        f"{OUT}/benchmarks/collect/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    params:
        library=library("collections"),
        spec=lambda w: as_json(SUITE.collections[w.dataset]),
        out=lambda w, output: str(Path(output[0]).parent),
        learners=lambda w: PLAN.learners(w.dataset),
    shell:
        "python -m resrank collect --spec {params.spec:q} {params.learners} --out {params.out:q} 2> {log:q}"


rule candidates:
    input:
        data=lambda w: source_data(SUITE.first_stages[w.stage]),
        fused=lambda w: list(PLAN.fused(w.dataset, w.stage).values()),
        model=lambda w: PLAN.stage_models(w.stage),
        collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        shards=lambda w: PLAN.stage_shards(w.dataset, w.stage),
    output:
        lists=f"{OUT}/candidates/{{dataset}}/{{stage}}.parquet",
        manifest=f"{OUT}/candidates/{{dataset}}/{{stage}}.manifest.json",
    log:
        f"{OUT}/logs/candidates/{{dataset}}/{{stage}}.log",
    benchmark:
        f"{OUT}/benchmarks/candidates/{{dataset}}/{{stage}}.tsv"
    conda:
        "../../environment.yml"
    # A dense first stage embeds a whole collection; the others use one core.
    threads: lambda w: workflow.cores if SUITE.first_stages[w.stage].needs_all_cores else 1
    params:
        library=library(
            "candidates", "model", "evaluation/metrics.py", "evaluation/audits.py"
        ),
        spec=lambda w: PLAN.stage_spec(w.stage),
        fused=lambda w: json.dumps(PLAN.fused(w.dataset, w.stage), sort_keys=True),
        store=STORE,
        folder=collection_folder,
        shards=lambda w, input: PLAN.shard_stores(input.shards),
    shell:
        "python -m resrank candidates --collection {params.folder:q} "
        "--spec {params.spec:q} --store {params.store:q} --fused {params.fused:q} "
        "{params.shards} "
        "--out {output.lists:q} 2> {log:q}"
