# A suite that says `shards` splits embedding and reranking; see docs/configuration.md.
if SHARDS > 1:

    ruleorder: merge_runs > rerank

    use rule encode as encode_shard with:
        input:
            candidates=lambda w: PLAN.lists_to_encode(w.dataset),
            model=lambda w: PLAN.encoders[w.encoder].models,
            collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        output:
            f"{OUT}/embeddings/{{dataset}}/{{encoder}}.shards/{{shard}}of{SHARDS}.json",
        log:
            f"{OUT}/logs/encode/{{dataset}}/{{encoder}}.shards/{{shard}}of{SHARDS}.log",
        benchmark:
            f"{OUT}/benchmarks/encode/{{dataset}}/{{encoder}}.shards/{{shard}}of{SHARDS}.tsv"
        params:
            store=lambda w, output: output[0].removesuffix(".json"),
            shards=lambda w: f"--shard {w.shard}of{SHARDS}",

    # Every passage, for a dense first stage.
    use rule encode as embed_shard with:
        input:
            model=lambda w: PLAN.stage_models(w.stage),
            collection=f"{OUT}/collections/{{dataset}}/manifest.json",
        output:
            f"{OUT}/embeddings/{{dataset}}/first_stages/{{stage}}.shards/{{shard}}of{SHARDS}.json",
        log:
            f"{OUT}/logs/embed/{{dataset}}/{{stage}}.shards/{{shard}}of{SHARDS}.log",
        benchmark:
            f"{OUT}/benchmarks/embed/{{dataset}}/{{stage}}.shards/{{shard}}of{SHARDS}.tsv"
        params:
            library=library("model", "candidates"),
            options=lambda w: PLAN.stage_encoder(w.stage),
            candidates="",
            splits="",
            store=lambda w, output: output[0].removesuffix(".json"),
            shards=lambda w: f"--shard {w.shard}of{SHARDS}",

    use rule rerank as rerank_shard with:
        output:
            run=f"{RUN}.shards/{{shard}}of{SHARDS}.trec",
            usage=f"{RUN}.shards/{{shard}}of{SHARDS}.usage.parquet",
            manifest=f"{RUN}.shards/{{shard}}of{SHARDS}.manifest.json",
        log:
            f"{OUT}/logs/rerank/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}.shards/{{shard}}of{SHARDS}.log",
        benchmark:
            f"{OUT}/benchmarks/rerank/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}.shards/{{shard}}of{SHARDS}.tsv"
        params:
            shard=lambda w: f"--shard {w.shard}of{SHARDS}",

    rule merge_runs:
        input:
            shards=[f"{RUN}.shards/{n}of{SHARDS}.trec" for n in range(SHARDS)],
            beside=[
                f"{RUN}.shards/{n}of{SHARDS}.{ending}"
                for n in range(SHARDS)
                for ending in ("usage.parquet", "manifest.json")
            ],
        output:
            run=f"{RUN}.trec",
            usage=f"{RUN}.usage.parquet",
            manifest=f"{RUN}.manifest.json",
        log:
            f"{OUT}/logs/merge/{{dataset}}/{{stage}}/{{system}}/seed{{seed}}.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            library=library("jobs/merge_shards.py"),
            shards=lambda w, input: options_text("shard", input.shards),
        shell:
            "python -m resrank merge-runs {params.shards} --out {output.run:q} 2> {log:q}"
