# A suite with `shards` splits embedding and reranking; see docs/configuration.md.
if SHARDS > 1:

    ruleorder: merge_runs > rerank
    ruleorder: merge_teaching > teach

    SHARD = f"{{shard}}of{SHARDS}"

    use rule encode as encode_shard with:
        input:
            candidates=lambda w: PLAN.lists_to_encode(w.collection),
            model=lambda w: PLAN.encoders[w.encoder].models,
            collection=PLAN.collection_manifest("{collection}"),
        output:
            PLAN.embeddings("{collection}", "{encoder}", SHARD),
        log:
            PLAN.log("encode", "{collection}", f"{{encoder}}.shards/{SHARD}"),
        benchmark:
            PLAN.benchmark("encode", "{collection}", f"{{encoder}}.shards/{SHARD}")
        params:
            which=lambda w: f"--encoder {shlex.quote(w.encoder)} --shard {w.shard}of{SHARDS}",

    # Every passage, for a dense first stage.
    use rule encode as embed_shard with:
        input:
            model=lambda w: PLAN.stage_models(w.first_stage),
            collection=PLAN.collection_manifest("{collection}"),
        output:
            PLAN.stage_embeddings(*PAIR, SHARD),
        log:
            PLAN.log("embed", "{collection}", f"{{first_stage}}.shards/{SHARD}"),
        benchmark:
            PLAN.benchmark("embed", "{collection}", f"{{first_stage}}.shards/{SHARD}")
        params:
            library=sources("resrank.candidates.dense_index"),
            entry=lambda w: as_json(PLAN.stage_encoder(w.first_stage)),
            splits="",
            which=lambda w: f"--first-stage {w.first_stage} --shard {w.shard}of{SHARDS}",

    use rule rerank as rerank_shard with:
        output:
            **run_files(SHARD),
        log:
            PLAN.log("rerank", *PAIR, "{system}", f"seed{{seed}}.shards/{SHARD}"),
        benchmark:
            PLAN.benchmark("rerank", *PAIR, "{system}", f"seed{{seed}}.shards/{SHARD}")
        params:
            shard=lambda w: f"--shard {w.shard}of{SHARDS}",

    rule merge_runs:
        input:
            [file for shard in PLAN.shard_names for file in run_files(shard).values()],
        output:
            **run_files(),
        log:
            PLAN.log("merge", *RUN),
        localrule: True
        conda:
            "../../environment.yml"
        params:
            library=sources("resrank.jobs.merge_shards"),
        shell:
            job("merge-runs", OF_PAIR, OF_SYSTEM, OF_SEED)

    use rule teach as teach_shard with:
        output:
            **teaching_files(SHARD),
        log:
            PLAN.log("teach", *PAIR, "{system}", f"seed{{seed}}.shards/{SHARD}"),
        benchmark:
            PLAN.benchmark("teach", *PAIR, "{system}", f"seed{{seed}}.shards/{SHARD}")
        params:
            shard=lambda w: f"--shard {w.shard}of{SHARDS}",

    rule merge_teaching:
        input:
            [
                file
                for shard in PLAN.shard_names
                for file in teaching_files(shard).values()
            ],
        output:
            **teaching_files(),
        log:
            PLAN.log("merge_teaching", *RUN),
        localrule: True
        conda:
            "../../environment.yml"
        params:
            library=sources("resrank.jobs.merge_shards"),
        shell:
            job("merge-runs", OF_PAIR, OF_SYSTEM, OF_SEED, "--teaching")
